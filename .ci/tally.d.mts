/** What one runner, or several together, have to report. */
export interface Tally {
  passed: number
  failed: number
}
export declare function tallyCargo(output: string, exitCode: number): Tally
export declare function tallyTap(output: string, exitCode: number): Tally
export declare function sum(tallies: readonly Tally[]): Tally
export declare function lastLine(tally: Tally): string
