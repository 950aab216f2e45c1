// Keys and names of a graph as IRIs and blank nodes, and back.
import { badArgument } from '../failures.ts'
import { isBlankNode, isIri } from './syntax.ts'

/** What both ways have in common. */
export interface NamingOptions {
  /**
   * An absolute IRI, as `https://example.org/`, that stands before every key or name that is none: `ann` is `<https://example.org/ann>`, with
   * what is not in every IRI percent-encoded. With the same base, an import gives back the key. What would come back as another one, as
   * `https://example.org/ann` would, is not exported with it.
   */
  readonly base?: string
}

/** Translates between names and terms: one name has one term, and gets back from it. */
export class Naming {
  readonly #base: string | undefined

  constructor(base: string | undefined) {
    if (base !== undefined && !(typeof base === 'string' && isIri(base))) {
      throw badArgument('base is an absolute IRI, such as https://example.org/')
    }
    this.#base = base
  }

  /** The IRI or blank node of a node's key or an edge's; `what` names it in errors. */
  termOf(key: string, what: string): string {
    return isBlankNode(key) ? key : this.iriOf(key, what)
  }

  /** The IRI of a type, property or label. Throws `ERR_KARYON_ARGUMENT` where it has none, or one that another name has as well. */
  iriOf(name: string, what: string): string {
    const iri = this.#written(name)
    if (iri === undefined) {
      const message = `${what} ${JSON.stringify(name)} is no absolute IRI; pass a base, such as https://example.org/`
      throw badArgument(message, { name })
    }
    const again = this.nameOf(iri)
    if (again === name) return iri
    const message = `${what} ${JSON.stringify(name)} would be <${iri}>, which with this base is ${JSON.stringify(again)}; pass a base that no key or name begins with`
    throw badArgument(message, { name, iri })
  }

  #written(name: string): string | undefined {
    if (isIri(name)) return name
    return this.#base === undefined ? undefined : this.#base + encodeURIComponent(name)
  }

  /** The key or name of a term. */
  nameOf(term: string): string {
    if (this.#base === undefined || !term.startsWith(this.#base)) return term
    try {
      const name = decodeURIComponent(term.slice(this.#base.length))
      // What another name is written as, or is an IRI itself, would not come back.
      if (name !== '' && !isBlankNode(name) && this.#written(name) === term) return name
    } catch {
      // Not encoded by us.
    }
    return term
  }
}
