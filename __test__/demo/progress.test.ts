import test from 'ava'
import { Progress } from '../../ts/demo/progress.ts'

class Recorder {
  readonly isTTY: boolean
  readonly columns = 60
  text = ''
  constructor(isTTY: boolean) {
    this.isTTY = isTTY
  }
  write(text: string): void {
    this.text += text
  }
}

test('in a pipe every phase is one plain line', (t) => {
  const screen = new Recorder(false)
  const progress = new Progress(screen)
  progress.begin('reading')
  progress.update(0.5, 'half')
  progress.begin('writing')
  progress.end()
  t.is(screen.text, 'reading …\nwriting …\n')
})

test('on a terminal one line is rewritten, never wider than the terminal, and taken away at the end', (t) => {
  const screen = new Recorder(true)
  let nowMs = 0
  const progress = new Progress(screen, () => nowMs)
  progress.begin('writing')
  for (; nowMs < 1_000; nowMs += 10) progress.update(nowMs / 1_000, 'x'.repeat(100))
  progress.end()
  t.false(screen.text.includes('\n'))
  t.true(screen.text.endsWith('\r\u001b[K'))
  const frames = screen.text.split('\r').map((frame) => frame.replace('\u001b[K', ''))
  t.true(frames.every((frame) => frame.length < screen.columns))
})

test('frames follow each other no faster than the eye', (t) => {
  const screen = new Recorder(true)
  let nowMs = 0
  const progress = new Progress(screen, () => nowMs)
  progress.begin('writing')
  for (; nowMs < 1_000; nowMs++) progress.update(0, '')
  t.is(screen.text.split('\r').length - 1, 10)
})
