// `npm run build`: what is out of date; with --force everything.
import { prepare } from './project.mjs'

prepare({ force: process.argv.includes('--force') })
