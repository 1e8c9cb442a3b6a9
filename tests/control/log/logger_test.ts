import assert from "node:assert/strict";
import { logLine, type LogMessage, type LogTarget } from "../../../src/control/log/log_line.ts";
import { Logger } from "../../../src/control/log/logger.ts";
import type { DataPlaneMessage } from "../../../src/control/plane/messages.ts";
import { WorkerLog } from "../../../src/control/plane/worker_log.ts";
import { logsStacks } from "../../../src/plugins/config_traits.ts";
import type { Config } from "../../../src/config/types.ts";

const timeMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const time = "2026-01-02T03:04:05.678Z";

const TEXT: LogTarget = { format: "text", journal: false, time: false };
const JSON_LINES: LogTarget = { ...TEXT, format: "json" };
const JOURNAL: LogTarget = { ...TEXT, journal: true };
type Message = Omit<LogMessage, "timeMs">;
const TWO: Message = { level: "error", line: "two\nlines" };

const LINES: [title: string, message: Message, target: LogTarget, text: string][] = [
  [
    "text: the level in brackets",
    { level: "warning", line: "two\nlines", fields: { plugin: "x" } },
    TEXT,
    "[WARNING] two\nlines\n",
  ],
  [
    "text with the time before the level, once a message",
    TWO,
    { ...TEXT, time: true },
    `${time} [ERROR] two\nlines\n`,
  ],
  [
    "text with the time for the journal, on request",
    TWO,
    { ...JOURNAL, time: true },
    `<3>${time} two\n<3>lines\n`,
  ],
  [
    "json always has the time",
    { level: "info", line: "m" },
    { ...JSON_LINES, time: true },
    `{"time":"${time}","level":"info","msg":"m"}\n`,
  ],
  [
    "text for the journal: each line with its priority, without brackets",
    TWO,
    JOURNAL,
    "<3>two\n<3>lines\n",
  ],
  [
    "json: one line for any message, with its plugin",
    { level: "info", line: 'plugin/hosts: a\n"b"\u2028' },
    JSON_LINES,
    `{"time":"${time}","level":"info","msg":"plugin/hosts: a\\n\\"b\\"\\u2028","plugin":"hosts"}\n`,
  ],
  [
    "text: controls are shown, not sent",
    { level: "error", line: "a\x1b[2J\x9bm\u202e" },
    TEXT,
    "[ERROR] a\\u001b[2J\\u009bm\\u202e\n",
  ],
  [
    "json: fields have no controls either",
    { level: "info", line: "m", fields: { ede: "\x9b2J" } },
    JSON_LINES,
    `{"time":"${time}","level":"info","msg":"m","ede":"\\u009b2J"}\n`,
  ],
  [
    "json: fields as members",
    { level: "info", line: "m", fields: { plugin: "log", size: 40, do: false } },
    JSON_LINES,
    `{"time":"${time}","level":"info","msg":"m","plugin":"log","size":40,"do":false}\n`,
  ],
  [
    "json for the journal: the priority before it",
    { level: "fatal", line: "m" },
    { ...JSON_LINES, journal: true },
    `<2>{"time":"${time}","level":"fatal","msg":"m"}\n`,
  ],
];

for (const [title, message, target, text] of LINES) {
  Deno.test(`log lines, ${title}`, () => {
    assert.equal(logLine({ ...message, timeMs }, target), text);
  });
}

function slowReader({ reading = false } = {}) {
  const decoder = new TextDecoder();
  const pending = Promise.withResolvers<void>();
  const reader = {
    text: "",
    writes: 0,
    gone: false,
    reading,
    async write(bytes: Uint8Array): Promise<number> {
      if (!reader.reading) await pending.promise;
      if (reader.gone) throw new Deno.errors.BrokenPipe();
      reader.writes++;
      const taken = Math.ceil(bytes.length / 2);
      reader.text += decoder.decode(bytes.subarray(0, taken), { stream: true });
      return taken;
    },
    read() {
      reader.reading = true;
      pending.resolve();
    },
  };
  return reader;
}

Deno.test("logger: lines of one turn are written together and in order", async () => {
  const reader = slowReader({ reading: true });
  const logger = new Logger(TEXT, reader);
  const lines = Array.from({ length: 500 }, (_, i) => `line ${i} é`);
  lines.forEach((line) => logger.log("info", line));
  await logger.flush(10_000);
  assert.equal(reader.text, lines.map((line) => `[INFO] ${line}\n`).join(""));
  assert.ok(reader.writes < 20, `${reader.writes} writes`);
});

Deno.test("logger: lines dropped for a slow reader are counted and reported once", async () => {
  const reader = slowReader();
  const logger = new Logger(TEXT, reader);
  const line = "x".repeat(993);
  for (let i = 0; i < 5000; i++) logger.log("error", line);
  assert.equal(logger.droppedLines, 5000 - Math.floor(2 ** 22 / `[ERROR] ${line}\n`.length));
  const kept = 5000 - logger.droppedLines;
  reader.read();
  await logger.flush(10_000);
  const lines = reader.text.trimEnd().split("\n");
  const told = lines.filter((one) => one.startsWith("[WARNING]"));
  assert.deepEqual(told, [
    `[WARNING] ${logger.droppedLines} log lines were dropped: standard output is too slow`,
  ]);
  assert.equal(lines.length, kept + 1);
});

Deno.test("logger: after the reader has closed, lines are dropped", async () => {
  const reader = slowReader();
  reader.gone = true;
  reader.read();
  const logger = new Logger(TEXT, reader);
  for (let i = 0; i < 3; i++) logger.log("info", "lost");
  await logger.flush(10_000);
  assert.equal(logger.droppedLines, 3);
  reader.gone = false;
  logger.log("info", "read");
  await logger.flush(10_000);
  assert.equal(reader.text, "[INFO] read\n");
});

Deno.test("logger: lines without a level are printed unchanged, or as one JSON message", async () => {
  const outputs: Record<string, string> = {};
  for (const format of ["text", "json"] as const) {
    for (const journal of [false, true]) {
      const reader = slowReader({ reading: true });
      const logger = new Logger({ format, journal, time: false }, reader);
      logger.print([".:53", "nodens"], "nodens", { listeners: [".:53"] });
      await logger.flush(10_000);
      outputs[`${format} ${journal}`] = reader.text.replace(/"time":"[^"]*"/, '"time":""');
    }
  }
  const json = '{"time":"","level":"info","msg":"nodens","listeners":[".:53"]}\n';
  assert.deepEqual(outputs, {
    "text false": ".:53\nnodens\n",
    "text true": "<6>.:53\n<6>nodens\n",
    "json false": json,
    "json true": `<6>${json}`,
  });
});

Deno.test("a caught exception is logged on one line, or with its stack if errors is configured so", () => {
  const error = new RangeError("off\nby one");
  const panicLine = (thrown: unknown, wholeStack: boolean) => {
    const posted: DataPlaneMessage[] = [];
    const log = new WorkerLog(new Float64Array(64), (message) => posted.push(message), false);
    log.panic(thrown, wholeStack);
    log.flush();
    return (posted[0] as { lines: { line: string }[] }).lines[0]!.line;
  };
  assert.match(
    panicLine(error, false),
    /^Recovered from panic in the data plane: RangeError: off by one \(at .*logger_test\.ts.*\)$/,
  );
  assert.match(panicLine(error, true), /RangeError: off\nby one\n {4}at .*\n {4}at /);
  assert.equal(panicLine("text", false), "Recovered from panic in the data plane: text");
  const withErrors = (stacktrace: boolean): Config => ({
    file: "Corefile",
    listeners: [],
    debug: false,
    blocks: [{
      file: "Corefile",
      line: 1,
      zones: ["."],
      plugins: [{ name: "errors", line: 2, options: { stacktrace, consolidate: [] } }],
    }],
  });
  assert.equal(logsStacks(withErrors(true)), true);
  assert.equal(logsStacks(withErrors(false)), false);
});
