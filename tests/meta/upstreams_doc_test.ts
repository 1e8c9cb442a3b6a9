import assert from "node:assert/strict";
import { KINDS } from "../battery/kinds.ts";
import { readTable, withoutTimes } from "../battery/table.ts";

const page = Deno.readTextFileSync(new URL("../../docs/upstreams.md", import.meta.url));

Deno.test("the table of upstreams has a row for each kind, in the order of the battery", () => {
  assert.deepEqual([...readTable(page).keys()], KINDS.map(({ title }) => title));
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
