// Opening a store: closed in good order, with a long log to read, and without its history.
import { spawnSync } from 'node:child_process'
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { karyon } from '../karyon.ts'
import type { Case, Side } from '../measure.ts'
import type { Kernel } from '../../ts/index.ts'
import type { Fact, Versioned } from './driver.ts'
import { keyOf } from './facts.ts'
import { karyonStore, type KaryonStore } from './karyon.ts'
import { lmdb } from './lmdb.ts'
import { VERSIONS, VERSION_KEYS, openedOn } from './past.ts'
import { sqlite } from './sqlite.ts'
import { TAIL_BATCH, TAIL_MIB } from './tail.ts'
import { against, freshFolder, removeFolder, inFolders, ownSide, type Work } from './work.ts'

const TAIL_OPEN_MS_MAX = 1_000
const REBUILT_PER_SECOND = 300_000

export function opening(): readonly Case[] {
  return [
    {
      name: 'store/open',
      unit: 'ms',
      operations: 1,
      note: `${VERSIONS} versions of ${VERSION_KEYS} keys, closed in good order, until the first read`,
      ...against(openingAgain, [karyonStore(), 'folder'], inFolders<Versioned>(lmdb(), sqlite())),
    },
    {
      name: `store/open/tail-${TAIL_MIB}MiB`,
      unit: 'ms',
      operations: 1,
      note: `after a kill; ${TAIL_MIB} MiB of log and no checkpoint, ${TAIL_BATCH} updates of whole nodes a commit, until the first read`,
      ours: openingTail(),
      peers: [],
      limit: TAIL_OPEN_MS_MAX,
    },
    {
      name: 'store/rebuild',
      unit: 'op/s',
      operations: VERSION_KEYS + VERSIONS,
      note: `${VERSIONS} updates of ${VERSION_KEYS} nodes, a commit each: the history's folder is removed, then opened until the whole past can be asked for`,
      ours: ownSide('karyon', rebuilding()),
      peers: [],
      limit: REBUILT_PER_SECOND,
      slow: true,
    },
  ]
}

function openingAgain(): Work<Versioned> {
  let first: Fact | undefined
  return {
    ...openedOn(VERSIONS),
    prepare: (_round, store) => store.close(),
    async run(store, folder) {
      await store.open(folder)
      first = store.read(keyOf(0))
    },
    answer: () => first,
  }
}

/** Another process writes the log and is killed, as closing makes a checkpoint; each round opens a copy of what it left. */
function openingTail(): Side {
  let left: string
  let folder: string
  let kernel: Kernel
  return {
    name: 'karyon',
    start() {
      left = freshFolder()
      const program = fileURLToPath(new URL('./tail.js', import.meta.url))
      const { signal, stderr } = spawnSync(process.execPath, [program, left], { encoding: 'utf8' })
      if (signal !== 'SIGKILL') throw new Error(`the process that writes the log failed: ${stderr}`)
    },
    prepare() {
      folder = freshFolder()
      cpSync(left, folder, { recursive: true })
    },
    async run() {
      kernel = await (await karyon()).Kernel.open(folder)
      kernel.graph.get(keyOf(0))
    },
    async answer() {
      const { checkpoint, replayed } = kernel.recovery
      await kernel.close()
      removeFolder(folder)
      if (checkpoint !== 0n || replayed === 0)
        throw new Error(`a checkpoint of version ${checkpoint} was read`)
    },
    stop: () => removeFolder(left),
  }
}

function rebuilding(): Work<KaryonStore> {
  return {
    ...openedOn(VERSIONS),
    async prepare(_round, store, folder) {
      await store.close()
      rmSync(join(folder!, 'history'), { recursive: true })
    },
    async run(store, folder) {
      await store.open(folder)
      await store.kernel().graph.ready('history')
    },
    answer: (store) => store.readAt(keyOf(0), VERSION_KEYS)?.text,
  }
}
