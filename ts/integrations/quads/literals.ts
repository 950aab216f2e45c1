// Literals of RDF as values of properties, and back.
import { isDate, isFloat32Array, isUint8Array } from 'node:util/types'
import type { Value } from '../../index.ts'
import { base64Of, bytesOf, fromJson, toJson, type Json } from '../json/tagged.ts'
import { parseTime } from '../times.ts'
import { isBlankNode, isIri, isLanguageTag } from './syntax.ts'
import { XSD_STRING, type Literal } from './types.ts'

const XSD = 'http://www.w3.org/2001/XMLSchema#'
const BOOLEAN = `${XSD}boolean`
const INTEGER = `${XSD}integer`
const LONG = `${XSD}long`
const DOUBLE = `${XSD}double`
const TIME = `${XSD}dateTime`
const BYTES = `${XSD}base64Binary`
const JSON_TYPE = 'http://www.w3.org/1999/02/22-rdf-syntax-ns#JSON'

/** The longest JSON that is looked into: beyond it a literal of JSON stays one. */
const JSON_UNITS_MAX = 1024 * 1024
/** How deep it may go, so that what is made of it can be stored inside of a list. */
const JSON_NESTING_MAX = 24

/** A literal, and the graph that the statement stands in; `''` for the default graph. */
export interface Stated {
  readonly literal: Literal
  readonly graph: string
}

/**
 * What a property holds for a literal. Whatever has one lexical form only, and is in it, is a value of its own:
 *
 * | datatype | value |
 * |---|---|
 * | `xsd:string` | string |
 * | `xsd:boolean` | boolean |
 * | `xsd:integer` up to 2^53 − 1 | number |
 * | `xsd:double` with a fraction, or that is infinite, −0 or NaN | number |
 * | `xsd:long` | bigint |
 * | `xsd:dateTime` in UTC, with up to six decimals | `Date`, or `Instant` where it has microseconds |
 * | `xsd:base64Binary` | `Uint8Array` |
 * | `rdf:JSON`, in the form that JSON lines have | map, list in a list, `null`, `Float32Array` |
 *
 * Everything else (`"007"^^xsd:integer`, `"1.50"^^xsd:decimal`, `"chat"@fr`), and whatever is said in a named graph, is a map
 * `{ '@value': '007', '@type': iri }`, `{ '@value': 'chat', '@language': 'fr' }`, with `'@graph'` where there is one.
 */
export function valueOf({ literal, graph }: Stated): Value {
  if (graph === '') {
    const value = nativeOf(literal)
    if (value !== undefined && isSaidBy(value, literal)) return value
  }
  const { value, datatype, language } = literal
  const type = datatype === undefined || datatype === XSD_STRING ? {} : { '@type': datatype }
  const tag = language === undefined ? {} : { '@language': language }
  return { '@value': value, ...type, ...tag, ...(graph === '' ? {} : { '@graph': graph }) }
}

/** The statement that a value of a property makes: of a list, one of its items. */
export function statedBy(value: Value): Stated {
  return asStated(value) ?? { literal: literalOf(value), graph: '' }
}

function nativeOf({ value, datatype = XSD_STRING, language }: Literal): Value | undefined {
  if (language !== undefined) return undefined
  switch (datatype) {
    case XSD_STRING:
      return value
    case BOOLEAN:
      return value === 'true'
    case INTEGER:
      return /^(?:0|-?[1-9]\d{0,15})$/.test(value) ? safe(Number(value)) : undefined
    case LONG:
      return /^(?:0|-?[1-9]\d{0,18})$/.test(value) ? asLong(BigInt(value)) : undefined
    case DOUBLE:
      return doubleOf(value)
    case TIME:
      return value.length <= 40 ? parseTime(value) : undefined
    case BYTES:
      return bytesOf(value)
    case JSON_TYPE:
      return jsonOf(value)
    default:
      return undefined
  }
}

function asLong(value: bigint): bigint | undefined {
  return BigInt.asIntN(64, value) === value ? value : undefined
}

function safe(value: number): number | undefined {
  return Number.isSafeInteger(value) ? value : undefined
}

function doubleOf(text: string): number | undefined {
  if (text === 'NaN') return Number.NaN
  if (text === 'INF') return Infinity
  if (text === '-INF') return -Infinity
  return /^-?\d\.\d{1,20}E-?\d{1,3}$/.test(text) ? Number(text) : undefined
}

function jsonOf(text: string): Value | undefined {
  // A lone surrogate can be escaped in JSON, and cannot be stored.
  if (text.length > JSON_UNITS_MAX || /\\u[dD][89a-fA-F]/.test(text)) return undefined
  try {
    const value = fromJson(JSON.parse(text) as Json, 'JSON')
    return isStorable(value, JSON_NESTING_MAX) ? value : undefined
  } catch {
    return undefined
  }
}

/** Whether the store takes a value that JSON said. */
function isStorable(value: Value, levels: number): boolean {
  if (typeof value === 'number') return !Number.isInteger(value) || Number.isSafeInteger(value)
  if (typeof value === 'bigint') return asLong(value) !== undefined
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || isDate(value)) return true
  return (
    levels > 0 &&
    Object.entries(value).every(
      ([name, each]) => name !== '__proto__' && (each === undefined || isStorable(each, levels - 1)),
    )
  )
}

/** The literal of a value that is no map of the form that `valueOf` gives. */
function literalOf(value: Value): Literal {
  switch (typeof value) {
    case 'string':
      return { value }
    case 'boolean':
      return { value: String(value), datatype: BOOLEAN }
    case 'bigint':
      return { value: String(value), datatype: LONG }
    case 'number':
      if (Number.isInteger(value) && !Object.is(value, -0)) return { value: String(value), datatype: INTEGER }
      return { value: doubleText(value), datatype: DOUBLE }
    default:
      if (isDate(value)) return { value: timeText(value), datatype: TIME }
      if (isUint8Array(value)) return { value: base64Of(value), datatype: BYTES }
      return { value: JSON.stringify(toJson(value)), datatype: JSON_TYPE }
  }
}

/** A number in the canonical form of `xsd:double`. */
function doubleText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? 'INF' : '-INF'
  const [digits = '', exponent = ''] = (Object.is(value, -0) ? '-0e0' : value.toExponential()).split('e')
  return `${digits.includes('.') ? digits : `${digits}.0`}E${exponent.replace('+', '')}`
}

/** A time in the canonical form of `xsd:dateTime`: no zeros at the end of its decimals, years of four digits or more. */
function timeText(time: Date): string {
  const [, sign = '', year = '', rest = ''] = /^([+-]?)0*(\d+)(-.*)Z$/.exec(time.toISOString()) ?? []
  return `${sign === '-' ? '-' : ''}${year.padStart(4, '0')}${rest.replace(/\.?0*$/, '')}Z`
}

/** Whether a value would be exported as just this literal. */
function isSaidBy(value: Value, { value: text, datatype = XSD_STRING }: Literal): boolean {
  const { literal, graph } = statedBy(value)
  const type = literal.language === undefined ? (literal.datatype ?? XSD_STRING) : undefined
  return graph === '' && literal.value === text && type === datatype
}

/** What a map says that has the form that `valueOf` gives; anything else is a map of its own. */
function asStated(value: Value): Stated | undefined {
  if (typeof value !== 'object' || value === null || isDate(value) || isUint8Array(value)) return undefined
  if (Array.isArray(value) || isFloat32Array(value) || !('@value' in value)) return undefined
  const { '@value': text, '@type': datatype, '@language': language, '@graph': graph, ...rest } = value
  const isWhole =
    typeof text === 'string' &&
    Object.keys(rest).length === 0 &&
    (datatype !== undefined || language !== undefined || graph !== undefined) &&
    (datatype === undefined || (language === undefined && typeof datatype === 'string' && isIri(datatype))) &&
    (language === undefined || (typeof language === 'string' && isLanguageTag(language))) &&
    (graph === undefined || (typeof graph === 'string' && (isIri(graph) || isBlankNode(graph))))
  if (!isWhole) return undefined
  const type = datatype === undefined ? {} : { datatype: datatype as string }
  const tag = language === undefined ? {} : { language: language as string }
  return { literal: { value: text, ...type, ...tag }, graph: (graph as string | undefined) ?? '' }
}
