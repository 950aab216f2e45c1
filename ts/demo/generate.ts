// A repository made up from a seed, byte for byte the same everywhere: for when there is none worth travelling through.
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { git, startGit } from './git.ts'
import { Invention, type Step } from './invention.ts'

/** Commits on the first-parent line; side branches add about a quarter. */
export const GENERATED_LINE_COMMITS = 2_400

/** Not the seed of a run: the generated repository is always this one, whatever else is drawn. */
const GENERATED_SEED = 20_190_104

const BRANCH = 'refs/heads/main'

/** Creates the repository in an empty or missing directory, and returns its last commit. */
export async function generateRepository(
  directory: string,
  options: { readonly seed?: number; readonly commits?: number } = {},
): Promise<string> {
  // Bare, without the user's template and hooks; SHA-1 and the branch by name, whatever the user prefers.
  await mkdir(directory, { recursive: true })
  await git(directory, 'init', '--quiet', '--bare', '--template=', '--object-format=sha1')
  await git(directory, 'symbolic-ref', 'HEAD', BRANCH)
  const importer = startGit(directory, ['fast-import', '--quiet', '--date-format=raw', '--done'])
  importer.stdout.resume()
  const { seed = GENERATED_SEED, commits = GENERATED_LINE_COMMITS } = options
  for (const step of new Invention(seed).steps(commits)) {
    if (!importer.stdin.write(textOfStep(step)))
      await Promise.race([once(importer.stdin, 'drain'), importer.ended])
  }
  importer.stdin.end('done\n')
  await importer.ended
  return (await git(directory, 'rev-parse', BRANCH)).toString().trim()
}

/** One step in the language of `git fast-import`. */
function textOfStep(step: Step): string {
  const who = `${step.author.name} <${step.author.email}> ${step.atSeconds} +0000`
  if (step.kind === 'tag') {
    return `tag ${step.name}\nfrom :${step.commit}\ntagger ${who}\n${data(`Release ${step.name}`)}`
  }
  const changes = step.changes.map((change) => {
    switch (change.kind) {
      case 'write':
        return `M ${change.mode} inline ${quoted(change.path)}\n${data(change.content)}`
      case 'rename':
        return `R ${quoted(change.from)} ${quoted(change.path)}\n`
      case 'delete':
        return `D ${quoted(change.path)}\n`
    }
  })
  return [
    `commit ${step.branch === 'main' ? BRANCH : `refs/heads/${step.branch}`}\nmark :${step.mark}\n`,
    `author ${who}\ncommitter ${who}\n${data(step.subject)}`,
    step.from === undefined ? '' : `from :${step.from}\n`,
    step.merge === undefined ? '' : `merge :${step.merge}\n`,
    ...changes,
    '\n',
  ].join('')
}

function data(text: string): string {
  return `data ${Buffer.byteLength(text)}\n${text}\n`
}

/** A path as `git fast-import` takes it with spaces and quotes in it. */
function quoted(path: string): string {
  return `"${path.replace(/["\\]/g, '\\$&')}"`
}
