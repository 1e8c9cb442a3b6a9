import assert from "node:assert/strict";
import { KINDS } from "../battery/kinds.ts";
import type { Cell, Row } from "../battery/run.ts";
import { makeTable, readTable, replaceTable, titlesIn, withoutTimes } from "../battery/table.ts";

const page = Deno.readTextFileSync(new URL("../../docs/upstreams.md", import.meta.url));

Deno.test("the table of upstreams names kinds of the battery, each once", () => {
  const titles = titlesIn(page);
  const kinds = new Set(KINDS.map(({ title }) => title));
  assert.equal(new Set(titles).size, titles.length);
  assert.deepEqual(titles.filter((title) => !kinds.has(title)), []);
});

Deno.test("equal cells and equal rows of the table of upstreams are joined, and split again", () => {
  const good: Cell = { outcomes: ["1 record", "1 record"], tookMs: [1, 1] };
  const late: Cell = { outcomes: ["1 record", "1 record"], tookMs: [1000, 1] };
  const usual = { "plain": good, "EDNS 1232": good, "DO": good, "TCP": good };
  const rows: Row[] = [
    { title: "good", cells: usual, burst: 40 },
    { title: "no TCP", cells: usual, burst: 0 },
    { title: "drops DO", cells: { ...usual, DO: late }, burst: 40 },
    { title: "TC, no TCP", cells: usual, burst: 0 },
  ];
  const table = makeTable(rows);
  const joined = "| no TCP; TC, no TCP | 1 record, at once | 1 record, at once | 0 of 40 |\n";
  assert.ok(table.includes(joined), table);
  assert.ok(
    table.includes("plain and EDNS 1232: 1 record, at once; DO: 1 record, after 1 s"),
    table,
  );
  const titles = rows.map(({ title }) => title);
  const cells = readTable(replaceTable(page, table), titles);
  const once = "1 record, at once";
  assert.deepEqual([...cells], [
    ["good", [once, once, once, once, "40 of 40"]],
    ["no TCP", [once, once, once, once, "0 of 40"]],
    ["drops DO", [once, once, "1 record, after 1 s, then at once", once, "40 of 40"]],
    ["TC, no TCP", [once, once, once, once, "0 of 40"]],
  ]);
});

Deno.test("docs/upstreams.md explains each kind of upstream", () => {
  const text = page.slice(0, page.indexOf("<!-- table")).replaceAll(/\s+/g, " ");
  for (const { title } of KINDS) assert.ok(text.includes(`**${title}**`), title);
});

Deno.test("cells of the table of upstreams are compared without times", () => {
  const table = {
    "1 record, at once": "1 record",
    "TC, 1 record, after 2 s, then at once": "TC, 1 record",
    "SERVFAIL after 4 s, then 1 record at once": "SERVFAIL then 1 record",
    "40 of 40": "40 of 40",
  };
  for (const [cell, text] of Object.entries(table)) assert.equal(withoutTimes(cell), text);
});
