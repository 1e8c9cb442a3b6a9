import { BURST, type Cell, type Client, CLIENTS, type Row, timeText } from "./run.ts";

/** Lines of the page around the table. */
const MARKERS = {
  begin: "<!-- table: deno task battery -->",
  end: "<!-- end of the table -->",
} as const;
const LAST_COLUMN = `${BURST} at once, \`force_tcp\``;

/** Row of the kinds without a row of their own. */
const OTHERS = "all others";
const USUAL = "1 record, at once";
const DATAGRAMS = clientsOver("udp");
const STREAMS = clientsOver("tcp");

/** Kinds with equal results share a row; those with the usual result are the last row. */
export function makeTable(rows: readonly Row[]): string {
  const titles = new Map<string, string[]>();
  for (const { title, cells, burst } of rows) {
    const results = [
      joinEqual(DATAGRAMS.map((client) => [client, cellText(cells[client])])),
      joinEqual(STREAMS.map((client) => [client, cellText(cells[client])])),
      `${burst} of ${BURST}`,
    ].join(" | ");
    titles.set(results, [...titles.get(results) ?? [], title]);
  }
  const usual = [USUAL, USUAL, `${BURST} of ${BURST}`].join(" | ");
  titles.delete(usual);
  return [
    ["upstream", "UDP", "TCP", LAST_COLUMN].join(" | "),
    ["---", "---", "---", "---"].join(" | "),
    ...[...titles].map(([results, equal]) => `${equal.join("; ")} | ${results}`),
    `${OTHERS} | ${usual}`,
  ].map((line) => `| ${line} |\n`).join("");
}

function clientsOver(transport: "udp" | "tcp"): Client[] {
  return (Object.keys(CLIENTS) as Client[])
    .filter((client) => CLIENTS[client].transport === transport);
}

/** One text if all are equal, otherwise each with the clients that it is of. */
function joinEqual(texts: readonly (readonly [Client, string])[]): string {
  const clients = new Map<string, Client[]>();
  for (const [client, text] of texts) clients.set(text, [...clients.get(text) ?? [], client]);
  if (clients.size === 1) return texts[0]![1];
  return [...clients].map(([text, equal]) => `${equal.join(" and ")}: ${text}`).join("; ");
}

function splitEqual(cell: string, clients: readonly Client[]): string[] {
  const texts = new Map<string, string>();
  for (const part of cell.split("; ")) {
    const [names, text] = part.split(": ");
    for (const name of text === undefined ? clients : names!.split(" and ")) {
      texts.set(name, text ?? part);
    }
  }
  return clients.map((client) => texts.get(client) ?? "");
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

/** Titles in the table, without that of the last row. */
export function titlesIn(page: string): string[] {
  return rowsIn(page).flatMap(([title]) => title!.split("; ")).filter((title) => title !== OTHERS);
}

/** Cells of these kinds: one for each client, and the burst. */
export function readTable(page: string, titles: readonly string[]): Map<string, string[]> {
  const cells = new Map<string, string[]>();
  for (const [title, datagrams, streams, burst] of rowsIn(page)) {
    const row = [...splitEqual(datagrams!, DATAGRAMS), ...splitEqual(streams!, STREAMS), burst!];
    for (const one of title!.split("; ")) cells.set(one, row);
  }
  return new Map(titles.map((title) => [title, cells.get(title) ?? cells.get(OTHERS) ?? []]));
}

function rowsIn(page: string): string[][] {
  const [before, after] = around(page);
  const table = page.slice(before.length, page.length - after.length);
  const rows = table.split("\n").filter((line) => line.startsWith("|")).slice(2);
  return rows.map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
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
