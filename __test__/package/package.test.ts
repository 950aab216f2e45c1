import test from 'ava'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { read } from '../house/source.ts'
import { folderWithPackage, runNode, typeCheck } from './installed.ts'

const folder = folderWithPackage()
test.after.always(() => rmSync(folder, { recursive: true, force: true }))

const manifest = JSON.parse(read('package.json')) as Record<string, unknown>
const scripts = manifest['scripts'] as Record<string, string>

test('the package brings no dependency', (t) => {
  t.is(manifest['dependencies'], undefined)
  t.is(manifest['peerDependencies'], undefined)
})

test('installing the package runs nothing', (t) => {
  const hooks = ['preinstall', 'install', 'postinstall', 'prepare', 'preprepare', 'postprepare']
  t.deepEqual(
    hooks.filter((hook) => hook in scripts),
    [],
  )
})

test('import and require answer with the same Kernel', async (t) => {
  const program = `
    import { createRequire } from 'node:module'
    import { Kernel } from 'karyon'
    const required = createRequire(import.meta.url)('karyon')
    if (typeof Kernel !== 'function' || required.Kernel !== Kernel) throw new Error('two packages')`
  writeFileSync(join(folder, 'both.mjs'), program)
  const ended = await runNode(['both.mjs'], folder)
  t.is(ended.code, 0, ended.output)
})

test('a CommonJS program can require the package', async (t) => {
  writeFileSync(join(folder, 'required.cjs'), `if (!require('karyon').Kernel) throw new Error('no Kernel')`)
  const ended = await runNode(['required.cjs'], folder)
  t.is(ended.code, 0, ended.output)
})

test('the declarations satisfy a strict project that checks its libraries', async (t) => {
  writeFileSync(
    join(folder, 'project.mts'),
    `import { Kernel } from 'karyon'\nexport const kernel: Kernel = Kernel.memory()\n`,
  )
  const ended = await typeCheck('project.mts', folder)
  t.is(ended.code, 0, ended.output)
})

test('import and export have a door of their own, with the same classes behind it', async (t) => {
  const program = `
    import { createRequire } from 'node:module'
    import { Kernel, KaryonError } from 'karyon'
    const door = await import('karyon/integrations')
    const required = createRequire(import.meta.url)('karyon/integrations')
    if (required.importNQuads !== door.importNQuads) throw new Error('two doors')
    const { graph } = Kernel.memory()
    const { quads } = await door.importNQuads(graph, ['<a:s> <a:p> <a:o> .'])
    const error = await door.importJsonLines(graph, ['?']).catch((error) => error)
    if (quads !== 1 || !(error instanceof KaryonError)) throw new Error('no part of the package')
    const inside = await import('karyon/integrations/lines.ts').catch((error) => error.code)
    if (inside !== 'ERR_PACKAGE_PATH_NOT_EXPORTED') throw new Error('another door is open')`
  writeFileSync(join(folder, 'integrations.mjs'), program)
  const ended = await runNode(['integrations.mjs'], folder)
  t.is(ended.code, 0, ended.output)
})

test('the main door does not show import and export', async (t) => {
  const program = `if ('importNQuads' in (await import('karyon'))) throw new Error('shown')`
  writeFileSync(join(folder, 'main-door.mjs'), program)
  const ended = await runNode(['main-door.mjs'], folder)
  t.is(ended.code, 0, ended.output)
})

test('the declarations of import and export satisfy a strict project', async (t) => {
  writeFileSync(
    join(folder, 'integrations.mts'),
    `import { Kernel, type Version } from 'karyon'
    import { exportJsonLines, importNQuads, toFile, type Quad } from 'karyon/integrations'
    const { graph } = Kernel.memory()
    const { version } = await importNQuads(graph, 'data.nq', { labels: true })
    export const newest: Version | undefined = version
    export const bytes: number = await toFile('out.jsonl', exportJsonLines(graph.snapshot()))
    export const quad: Quad = { subject: 'a:s', predicate: 'a:p', object: { value: 'x' }, graph: '' }\n`,
  )
  const ended = await typeCheck('integrations.mts', folder)
  t.is(ended.code, 0, ended.output)
})

test('the lock names no registry and forgets no platform', (t) => {
  for (const file of ['package-lock.json', 'benches/package-lock.json']) {
    const text = read(file)
    t.notRegex(text, /"resolved": "(?!file:)/, file)
    const { packages } = JSON.parse(text) as { packages: Record<string, { optionalDependencies?: object }> }
    const wanted = Object.values(packages).flatMap((entry) => Object.keys(entry.optionalDependencies ?? {}))
    t.deepEqual(
      wanted.filter((name) => !(`node_modules/${name}` in packages)),
      [],
      `${file}: run \`node .ci/lock.mjs\``,
    )
  }
})
