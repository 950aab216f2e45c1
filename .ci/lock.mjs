// `node .ci/lock.mjs` after every `npm install`: gives each native dependency back the packages of the
// platforms that npm left out of the lock, because a lock written on one machine must install on all.
// npm drops an optional package it cannot install or find where it runs, and `npm ci` then refuses the lock.
import { readFileSync, writeFileSync } from 'node:fs'

const CPUS = { x64: 'x64', ia32: 'ia32', arm: 'arm', arm64: 'arm64', ppc64: 'ppc64', s390x: 's390x' }
Object.assign(CPUS, { riscv64: 'riscv64', loong64: 'loong64', loongarch64: 'loong64', wasm32: 'wasm32' })
const SYSTEMS = [
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'sunos',
  'aix',
  'win32',
  'openharmony',
]

const folder = process.argv[2] ?? '.'
const file = `${folder}/package-lock.json`
const lock = JSON.parse(readFileSync(file, 'utf8'))
let added = 0
for (const entry of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const path = `node_modules/${name}`
    if (lock.packages[path] || !/^\d+\.\d+\.\d+/.test(version)) continue
    const platform = platformOf(name)
    if (!platform) throw new Error(`${name} does not name its platform: add it to ${file} by hand`)
    const { cpu, os, libc } = platform
    lock.packages[path] = {
      version,
      cpu,
      dev: true,
      ...(libc && { libc }),
      optional: true,
      ...(os && { os }),
    }
    added++
  }
}
const [root, ...rest] = Object.entries(lock.packages)
rest.sort(([a], [b]) => a.localeCompare(b, 'en'))
lock.packages = Object.fromEntries([root, ...rest])
writeFileSync(file, JSON.stringify(lock, null, 2) + '\n')
console.log(`${added} packages of other platforms added to ${file}`)

/** What the name of a native package says about where it can be installed. */
function platformOf(name) {
  const words = name.split(/[/-]/)
  const cpu = CPUS[words.find((word) => word in CPUS)]
  const os = SYSTEMS.find((system) => words.includes(system))
  if (!cpu || (!os && cpu !== 'wasm32')) return undefined
  const libc = words.some((word) => word.startsWith('musl'))
    ? 'musl'
    : words.some((word) => word.startsWith('gnu'))
      ? 'glibc'
      : undefined
  return { cpu: [cpu], ...(os && { os: [os] }), ...(os === 'linux' && libc && { libc: [libc] }) }
}
