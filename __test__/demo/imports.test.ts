import test from 'ava'
import { importsOf, IMPORTS_PER_FILE_MAX, languageOf, type Language } from '../../ts/demo/imports.ts'

const cases: readonly {
  readonly what: string
  language: Language
  text: string
  finds: readonly string[]
}[] = [
  {
    what: 'JavaScript: static imports, re-exports, dynamic imports and require are found',
    language: 'javascript',
    text: `
      import a from 'a'
      import b, { c as d, default as e } from "b"
      import * as f from './f.js'
      import type { G } from '../g.ts'
      import 'side-effect'
      import {
        h,
        i,
      } from 'h/i'
      import j from 'j'; import k from 'k'
      export { l } from 'l'
      export * from 'm'
      const n = require('n'), o = await import("o")
      import p = require('p')
      import data from './data.json' with { type: 'json' }
    `,
    finds: [
      '../g.ts',
      './data.json',
      './f.js',
      'a',
      'b',
      'h/i',
      'j',
      'k',
      'l',
      'm',
      'n',
      'o',
      'p',
      'side-effect',
    ],
  },
  {
    what: 'JavaScript: comments, strings, templates and methods called require are no imports',
    language: 'javascript',
    text: [
      "// import a from 'a'",
      "/* import b from 'b'",
      "import c from 'c' */",
      'const text = "import d from \'d\'"',
      "const long = `\nimport e from 'e'\n`",
      "this.require('f'); importing('g')",
      "const url = 'https://example.org' // import h from 'h'",
      "import real from 'real'",
      'export const from = 1',
    ].join('\n'),
    finds: ['real'],
  },
  {
    what: 'JavaScript: an odd quote in a regular expression does not hide the next line',
    language: 'javascript',
    text: `const quote = /['"]/\nimport a from 'a'`,
    finds: ['a'],
  },
  {
    what: 'Python: modules, aliases, relative imports and continued lines are found',
    language: 'python',
    text: `
import os, sys as system
import xml.etree.ElementTree as ET
from collections import (
    OrderedDict,
    deque,
)
from . import sibling
from ..pkg.mod import name
if True: import json
import a; import b
import long, \\
    longer
try:
    import simplejson
except ImportError:
    pass
`,
    finds: [
      ...['.', '..pkg.mod', 'a', 'b', 'collections', 'json', 'long', 'longer', 'os', 'simplejson', 'sys'],
      'xml.etree.ElementTree',
    ],
  },
  {
    what: 'Python: comments and strings are no imports',
    language: 'python',
    text: `"""
import a
"""
# import b
text = 'import c'
hash = "#"; import d
'''from e import f'''
def important(): return 1
`,
    finds: ['d'],
  },
  {
    what: 'Go: single imports and groups with and without names are found',
    language: 'go',
    text: `package main
import "fmt"
import m "math"
import (
	"os" // import "x"
	_ "image/png"
	. "strings"
	web "net/http"
)
var s = \`
import "no"
\`
`,
    finds: ['fmt', 'image/png', 'math', 'net/http', 'os', 'strings'],
  },
  {
    what: 'Rust: groups are unfolded, aliases and globs name what they are of',
    language: 'rust',
    text: `
#[macro_use] extern crate log;
use std::collections::HashMap;
pub use crate::model::{self, value::{Value, Kind as K}};
pub(crate) use super::*;
use {a::b, c};
/* use no::no; /* use nested::no; */ use still::no; */
// use not::this;
const TEXT: &str = "
use neither::this;
";
const QUOTE: char = '"';
fn f<'a>(x: &'a str) { use inner::thing; }
use after::all as renamed;
const RAW: &str = r#"use "raw" "#;
`,
    finds: [
      ...[
        'a::b',
        'after::all',
        'c',
        'crate::model',
        'crate::model::value::Kind',
        'crate::model::value::Value',
      ],
      ...['inner::thing', 'log', 'std::collections::HashMap', 'super'],
    ],
  },
  {
    what: 'C: includes in brackets and quotes are found, comments are not',
    language: 'c',
    text: `
#include <stdio.h>
  #  include "tree/node.h"
// #include <no.h>
/*
#include <neither.h>
*/
const char *text = "#include <string.h>";
`,
    finds: ['stdio.h', 'tree/node.h'],
  },
]

for (const { what, language, text, finds } of cases) {
  test(what, (t) => t.deepEqual(importsOf(language, text), [...finds].toSorted()))
}

test('a text that begins imports without end is read in bounded time', (t) => {
  t.deepEqual(importsOf('javascript', 'import {\n'.repeat(5_000)), [])
  t.deepEqual(importsOf('rust', `use ${'a::{'.repeat(5_000)};`), [])
})

test('a generated table of imports is cut at the bound', (t) => {
  const table = Array.from({ length: IMPORTS_PER_FILE_MAX + 5 }, (_, at) => `#include <${at}.h>\n`).join('')
  t.is(importsOf('c', table).length, IMPORTS_PER_FILE_MAX)
})

test('the language follows from the extension of the file, not of its folder', (t) => {
  t.is(languageOf('src/index.mts'), 'javascript')
  t.is(languageOf('A.H'), 'c')
  t.is(languageOf('site.py/README'), undefined)
  t.is(languageOf('Makefile'), undefined)
})
