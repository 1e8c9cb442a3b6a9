/**
 * Answers from nodens to all kinds of clients with all kinds of upstreams, over real sockets:
 * `deno task battery [--only TEXT]`. Prints a Markdown table, and writes it to docs/upstreams.md
 * if all kinds were tested.
 */
import { parseArgs } from "node:util";
import { KINDS } from "./kinds.ts";
import { runBattery } from "./run.ts";
import { makeTable, replaceTable } from "./table.ts";

const PAGE = new URL("../../docs/upstreams.md", import.meta.url);

const { values } = parseArgs({ options: { only: { type: "string" } } });
const { only } = values;
const kinds = only === undefined ? KINDS : KINDS.filter(({ title }) => title.includes(only));
const table = makeTable(await runBattery(kinds));
Deno.stdout.writeSync(new TextEncoder().encode(table));
if (only === undefined) {
  Deno.writeTextFileSync(PAGE, replaceTable(Deno.readTextFileSync(PAGE), table));
  new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", PAGE.pathname] }).outputSync();
}
