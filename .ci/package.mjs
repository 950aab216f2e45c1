// Packs the package, looks at what is in it, and uses it from a new project: what a user would get.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROOT } from './project.mjs'

const REQUIRED = [
  'package.json',
  'README.md',
  'LICENSE',
  'dist/index.js',
  'dist/index.d.ts',
  'dist/integrations/index.js',
  'dist/integrations/index.d.ts',
  'dist/cli/main.js',
]
const ALLOWED = /^(?:package\.json|README\.md|LICENSE|CHANGELOG\.md|dist\/.+\.(?:js|cjs|d\.ts|d\.cts|node))$/
const EXAMPLE =
  "import { Kernel } from 'karyon'; import { importNQuads } from 'karyon/integrations'; " +
  'const kernel = Kernel.memory(); await importNQuads(kernel.graph, []); await kernel.close()\n'

const folder = mkdtempSync(join(tmpdir(), 'karyon-pack-'))
try {
  const [{ filename, files, size }] = JSON.parse(
    run('npm', ['pack', '--json', '--pack-destination', folder], ROOT),
  )
  const names = files.map(({ path }) => path)
  const problems = [
    ...REQUIRED.filter((name) => !names.includes(name)).map((name) => `${name} is missing`),
    ...names.filter((name) => !ALLOWED.test(name)).map((name) => `${name} does not belong into the package`),
  ]
  if (!names.some((name) => name.endsWith('.node'))) problems.push('the addon is missing')
  const { bin } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  for (const file of Object.values(bin)) {
    const start = names.includes(file) ? readFileSync(join(ROOT, file), 'utf8').slice(0, 20) : ''
    if (!start.startsWith('#!/usr/bin/env node\n')) problems.push(`${file} does not say that Node runs it`)
  }
  for (const problem of problems) console.error(problem)

  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n')
  run('npm', ['install', '--offline', '--no-audit', '--no-fund', join(folder, filename)], folder)
  writeFileSync(join(folder, 'example.js'), EXAMPLE)
  run(process.execPath, ['example.js'], folder)

  console.log(`${names.length} files, ${(size / 1024).toFixed(0)} KiB packed`)
  process.exitCode = problems.length === 0 ? 0 : 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function run(program, args, cwd) {
  const shell = process.platform === 'win32' && program === 'npm'
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, shell, encoding: 'utf8' })
  if (status !== 0) throw new Error(`\`${program} ${args.join(' ')}\` failed:\n${stdout}${stderr}`)
  return stdout
}
