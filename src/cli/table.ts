/** A table, heads first. `numbers`: right-aligned columns. */
export function tableText(
  rows: readonly (readonly string[])[],
  numbers: readonly string[],
): string {
  const heads = rows[0]!;
  const widths = heads.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows.map((row) => {
    const cells = row.map((cell, i) =>
      numbers.includes(heads[i]!) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)
    );
    return `${cells.join("  ").trimEnd()}\n`;
  }).join("");
}

/** A time as its two largest units: `2h 3m`. */
export function spanText(seconds: number): string {
  const units: [string, number][] = [
    ["d", Math.floor(seconds / 86_400)],
    ["h", Math.floor(seconds / 3600) % 24],
    ["m", Math.floor(seconds / 60) % 60],
    ["s", seconds % 60],
  ];
  const first = units.findIndex(([, count]) => count > 0);
  if (first < 0) return "0s";
  return units.slice(first, first + 2).map(([unit, count]) => `${count}${unit}`).join(" ");
}
