/** Rows of text in columns, the first row being their heads; columns of numbers end flush. */
export function tableText(
  rows: readonly (readonly string[])[],
  numbers: readonly string[],
): string {
  const heads = rows[0] ?? [];
  const widths = heads.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows.map((row) => {
    const cells = row.map((cell, i) =>
      numbers.includes(heads[i]!) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)
    );
    return `${cells.join("  ").trimEnd()}\n`;
  }).join("");
}
