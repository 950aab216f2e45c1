// Opens a store, says so, and holds it until its input ends.
import { Kernel } from '../../../ts/index.ts'

async function run(): Promise<void> {
  const kernel = await Kernel.open(process.argv[2] as string)
  process.stdout.write('open\n')
  process.stdin.on('end', () => void kernel.close()).resume()
}

void run()
