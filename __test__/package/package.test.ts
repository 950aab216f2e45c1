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
