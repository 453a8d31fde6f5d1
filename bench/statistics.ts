/** The value below which a share of the values lies; `values` need no order. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

/** One line of the table. */
export interface Measurement {
  readonly name: string;
  readonly value: string;
  /** What the same run measured of a peer or of a physical limit. */
  readonly against: string;
  readonly aim: string;
}

/** `12.3 ms`. */
export function ms(value: number): string {
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`;
}

/** Prints measurements as a table of aligned columns. */
export function printTable(rows: readonly Measurement[]): void {
  const table = [
    ["what", "measured", "against, in the same run", "aim"],
    ...rows.map(({ name, value, against, aim }) => [name, value, against, aim]),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  for (const row of table)
    process.stdout.write(
      `${row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd()}\n`,
    );
}
