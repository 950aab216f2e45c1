// Quads, as programs have them.

/** A literal: its lexical form, and at most one of the others; without either it is a string (`xsd:string`). */
export interface Literal {
  readonly value: string
  /** An absolute IRI. */
  readonly datatype?: string
  /** As it was written. */
  readonly language?: string
}

/**
 * A statement of RDF. An IRI stands as it is, without `<` and `>`; a blank node is `_:` and its label, which no IRI can begin with.
 */
export interface Quad {
  readonly subject: string
  readonly predicate: string
  readonly object: string | Literal
  /** `''` for the default graph. */
  readonly graph: string
}

/** The predicate that says of what class something is. */
export const RDF_TYPE: string = 'http://www.w3.org/1999/02/22-rdf-syntax-ns#type'

/** The datatype of a literal that names none. */
export const XSD_STRING: string = 'http://www.w3.org/2001/XMLSchema#string'
