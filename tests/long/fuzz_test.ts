/** The seeds that `tests/fuzz/fuzz_test.ts` leaves out. */
import assert from "node:assert/strict";
import { fuzzHosts } from "../fuzz/hosts.ts";
import { fuzzScan } from "../fuzz/replies.ts";

Deno.test("fuzz: replies are scanned and stripped correctly, nine more seeds", () => {
  for (let seed = 2; seed <= 10; seed++) {
    const { taken, refused } = fuzzScan(seed, 300);
    assert.ok(taken > 60 && refused > 30, `${taken} taken, ${refused} refused`);
  }
});

Deno.test("fuzz: hosts files are parsed correctly, four more seeds", () => {
  for (let seed = 2; seed <= 5; seed++) {
    const { entries } = fuzzHosts(seed, 200);
    assert.ok(entries > 1000, `${entries} entries`);
  }
});
