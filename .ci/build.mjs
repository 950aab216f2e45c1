// `npm run build`: what is out of date; with --force everything.
import { prepareOrExit } from './project.mjs'

prepareOrExit({ force: process.argv.includes('--force') })
