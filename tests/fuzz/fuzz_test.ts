/** A few seeds of each target; `tests/long` runs more, `deno task fuzz` random ones. */
import assert from "node:assert/strict";
import { fuzzCorefile } from "./corefile.ts";
import { fuzzEngine } from "./engine.ts";
import { fuzzHosts } from "./hosts.ts";
import { fuzzHttp2 } from "./http2.ts";
import { fuzzReplies, fuzzScan } from "./replies.ts";
import { fuzzWire } from "./wire.ts";

Deno.test("fuzz: engine, twenty seeds", () => {
  for (let seed = 1; seed <= 20; seed++) fuzzEngine(seed, 100);
});

Deno.test("fuzz: wire format, five seeds", () => {
  for (let seed = 1; seed <= 5; seed++) fuzzWire(seed, 1000);
});

Deno.test("fuzz: hosts files, one seed", () => {
  const { entries } = fuzzHosts(1, 200);
  assert.ok(entries > 1000, `${entries} entries`);
});

Deno.test("fuzz: Corefile, five seeds", () => {
  for (let seed = 1; seed <= 5; seed++) fuzzCorefile(seed, 300);
});

Deno.test("fuzz: HTTP/2 of valid and hostile servers, ten seeds", () => {
  for (let seed = 1; seed <= 10; seed++) {
    const { answered, broken } = fuzzHttp2(seed, 40);
    assert.ok(answered > 20 && broken > 5, `${answered} answered, ${broken} broken`);
  }
});

Deno.test("fuzz: scanned and stripped replies, one seed", () => {
  const { taken, refused } = fuzzScan(1, 300);
  assert.ok(taken > 60 && refused > 30, `${taken} taken, ${refused} refused`);
});

Deno.test("fuzz: replies through the cache and its snapshot, ten seeds", () => {
  for (let seed = 1; seed <= 10; seed++) {
    const { good, failed } = fuzzReplies(seed, 40);
    assert.ok(good > 40 && failed > 0, `${good} good, ${failed} failed`);
  }
});
