import assert from "node:assert/strict";
import type { LogFields, LogLevel } from "../../src/engine/handler.ts";
import { Outage } from "../../src/upstream/server/outage.ts";

/**
 * Steps: seconds to wait, "down" (a failed check of a server that is down), "end" (a reply), and
 * queries lost: "3 over", "2 failed".
 */
const TABLE: { title: string; steps: string; lines: string[] }[] = [
  {
    title: "a server that goes down and comes back",
    steps: "12 over, 3 failed, 30, down, 5 failed, 222, end",
    lines: [
      "30: error: is down (i/o timeout): 12 queries failed over, 3 failed, in the last 30.0 s",
      "252: info: is up again after 252.0 s: 12 queries failed over, 8 failed",
    ],
  },
  { title: "nothing that has cost nothing", steps: "down, 2, down, 2, end, 60, down", lines: [] },
  {
    title: "an outage once it costs a query",
    steps: "down, 2, down, 1, 1 failed, 1, down, 6, end",
    lines: [
      "4: error: is down (i/o timeout): 0 queries failed over, 1 failed, in the last 4.0 s",
      "10: info: is up again after 10.0 s: 0 queries failed over, 1 failed",
    ],
  },
  {
    title: "one line for many failed checks",
    steps: "1 over, down, 70, down, 70, down",
    lines: ["0: error: is down (i/o timeout): 1 query failed over, 0 failed, in the last 0.0 s"],
  },
  { title: "nothing of a server that is only suspect", steps: "3 over, 2, end, 5, end", lines: [] },
  {
    title: "costs since the last line alone",
    steps: "9 over, 1, end, 100, 2 failed, 3, down",
    lines: [
      "104: error: is down (i/o timeout): 0 queries failed over, 2 failed, in the last 3.0 s",
    ],
  },
  {
    title: "a server that flaps once a minute, with all it has cost since",
    steps: "3 failed, down, 1, end, 10, 4 over, down, 1, end, 10, 1 over, 1, end, 50, 2 failed, " +
      "down, 5, end",
    lines: [
      "0: error: is down (i/o timeout): 0 queries failed over, 3 failed, in the last 0.0 s",
      "1: info: is up again after 1.0 s: 0 queries failed over, 3 failed",
      "73: error: is down (2 times, i/o timeout): 5 queries failed over, 2 failed, in the last 62.0 s",
      "78: info: is up again after 67.0 s: 5 queries failed over, 2 failed",
    ],
  },
  {
    title: "a second outage within a minute that lasts, when the minute is over",
    steps: "1 over, down, 1, end, 1, 2 over, down, 30, down, 30, down, 1, down",
    lines: [
      "0: error: is down (i/o timeout): 1 query failed over, 0 failed, in the last 0.0 s",
      "1: info: is up again after 1.0 s: 1 query failed over, 0 failed",
      "62: error: is down (i/o timeout): 2 queries failed over, 0 failed, in the last 60.0 s",
    ],
  },
];

function start(zones = ["example.org."]) {
  const lines: string[] = [];
  const fields: (LogFields | undefined)[] = [];
  const engine = {
    nowMs: 0,
    logsFields: true,
    log(level: LogLevel, line: string, values?: LogFields) {
      lines.push(`${engine.nowMs / 1000}: ${level}: ${line}`);
      fields.push(values);
    },
  };
  return { engine, lines, fields, outage: new Outage("192.0.2.53:53", { engine, zones }) };
}

for (const { title, steps, lines: expected } of TABLE) {
  Deno.test(`an outage logs ${title}`, () => {
    const { engine, lines, outage } = start();
    for (const step of steps.split(", ")) {
      const [count, kind] = step.split(" ");
      if (step === "down") outage.down("i/o timeout");
      else if (step === "end") outage.end();
      else if (kind === undefined) engine.nowMs += 1000 * Number(count);
      else outage.lost(Number(count), kind === "over");
    }
    const prefix = "plugin/forward: 192.0.2.53:53 (of example.org.) ";
    assert.deepEqual(lines.map((line) => line.replace(prefix, "")), expected);
  });
}

Deno.test("an outage has the same values in a log in JSON", () => {
  const { engine, fields, outage } = start(["a.", "b."]);
  outage.lost(2, true);
  outage.lost(1, false);
  engine.nowMs = 1500;
  outage.down("i/o timeout");
  outage.end();
  const cost = { zones: ["a.", "b."], seconds: 1.5, failed_over: 2, failed: 1 };
  const common = { plugin: "forward", upstream: "192.0.2.53:53", ...cost };
  assert.deepEqual(fields, [{ ...common, state: "down", error: "i/o timeout" }, {
    ...common,
    state: "up",
  }]);
});

Deno.test("an outage names at most three zones", () => {
  const { lines, outage } = start(["a.", "b.", "c.", "d.", "e."]);
  outage.lost(1, false);
  outage.down("i/o timeout");
  assert.match(lines[0]!, /192\.0\.2\.53:53 \(of a\. b\. c\. and 2 more\) is down \(/);
});
