import { BURST, type Cell, type Client, CLIENTS, type Row, timeText } from "./run.ts";

/** Lines of the page around the table. */
const MARKERS = {
  begin: "<!-- table: deno task battery -->",
  end: "<!-- end of the table -->",
} as const;
const LAST_COLUMN = `${BURST} at once, \`force_tcp\``;

export function makeTable(rows: readonly Row[]): string {
  const clients = Object.keys(CLIENTS) as Client[];
  const lines = [
    ["upstream", ...clients, LAST_COLUMN],
    Array.from({ length: clients.length + 2 }, () => "---"),
    ...rows.map(({ title, cells, burst }) => [
      title,
      ...clients.map((client) => cellText(cells[client])),
      `${burst} of ${BURST}`,
    ]),
  ];
  return lines.map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

/** A cell's outcomes, and remarkable times. */
function cellText({ outcomes: [first, second], tookMs }: Cell): string {
  const [sooner, later] = tookMs.map(timeText);
  if (first !== second) return `${first} ${sooner}, then ${second} ${later}`;
  return sooner === later ? `${first}, ${sooner}` : `${first}, ${sooner}, then ${later}`;
}

/** Throws if the page has no markers. */
export function replaceTable(page: string, table: string): string {
  const [before, after] = around(page);
  return `${before}${MARKERS.begin}\n\n${table}\n${MARKERS.end}${after}`;
}

export function readTable(page: string): Map<string, string[]> {
  const [before, after] = around(page);
  const table = page.slice(before.length, page.length - after.length);
  const rows = table.split("\n").filter((line) => line.startsWith("|")).slice(2);
  return new Map(rows.map((line) => {
    const [title = "", ...cells] = line.split("|").slice(1, -1).map((cell) => cell.trim());
    return [title, cells];
  }));
}

/** A cell without its times. */
export function withoutTimes(cell: string): string {
  return cell.replaceAll(/,? (?:at once|after [\d.]+ s)/g, "").replaceAll(", then", " then")
    .replace(/ then$/, "");
}

function around(page: string): [before: string, after: string] {
  const begin = page.indexOf(MARKERS.begin);
  const end = page.indexOf(MARKERS.end);
  if (begin < 0 || end < begin) {
    throw new Error(`Cannot find the table: "${MARKERS.begin}" and "${MARKERS.end}" are missing`);
  }
  return [page.slice(0, begin), page.slice(end + MARKERS.end.length)];
}
