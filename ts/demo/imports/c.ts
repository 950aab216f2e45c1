import { withoutComments } from './comments.ts'

/** `#include <stdio.h>` and `#include "tree.h"`, without the brackets or quotes. */
export function* includesOfC(text: string): Generator<string> {
  const code = withoutComments(text, { quotes: '"\'', longQuotes: '', nested: false })
  for (const match of code.matchAll(/^[ \t]*#[ \t]*include[ \t]*(?:<([^>\n]+)>|"([^"\n]+)")/gm)) {
    yield (match[1] ?? match[2] ?? '').trim()
  }
}
