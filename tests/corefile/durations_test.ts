import assert from "node:assert/strict";
import { formatDuration, parseDuration } from "../../src/corefile/values.ts";

const DURATIONS: Record<string, number | null> = {
  "0": 0,
  "5": 5000,
  "+5": 5000,
  "-5": -5000,
  "007": 7000,
  "1.5": 1500,
  "30s": 30_000,
  "1m30s": 90_000,
  "2h45m": 9_900_000,
  "1.5h": 5_400_000,
  "1.s": 1000,
  ".5s": 500,
  "500ms": 500,
  "250us": 0.25,
  "250µs": 0.25,
  "250μs": 0.25,
  "1000000ns": 1,
  "-1m": -60_000,
  "0s": 0,
  "-0": 0,
  "1s1s": 2000,
  "": null,
  "s": null,
  ".": null,
  ".s": null,
  "1 s": null,
  "1d": null,
  "1S": null,
  "1e3": null,
  "1s5": null,
  "1h-1m": null,
  "--1s": null,
  "soon": null,
  "9223372037": null,
  "2562048h": null,
  "Infinity": null,
};

Deno.test("durations have Go's syntax, and bare numbers are seconds", () => {
  for (const [text, ms] of Object.entries(DURATIONS)) {
    assert.equal(parseDuration(text), ms, JSON.stringify(text));
  }
  assert.equal(parseDuration("1".repeat(100_000)), null);
  assert.equal(Object.is(parseDuration("-0"), 0), true);
});

Deno.test("durations are formatted with their units", () => {
  const texts = { 0: "0s", 1: "1ms", 500: "500ms", 1500: "1.5s", 90_000: "1m30s" };
  const hours = { 3_600_000: "1h", 9_900_000: "2h45m", [-300_000]: "-5m" };
  for (const [ms, text] of Object.entries({ ...texts, ...hours })) {
    assert.equal(formatDuration(Number(ms)), text);
  }
});
