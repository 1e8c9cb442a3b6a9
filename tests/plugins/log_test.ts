import assert from "node:assert/strict";
import { CLASS, FLAG, RCODE, TYPE } from "../../src/dns/constants.ts";
import type { ResponseWriter } from "../../src/engine/response/writer.ts";
import { createLog } from "../../src/plugins/log/handler.ts";
import type { LogField } from "../../src/plugins/log/fields.ts";
import type { LogClass, LogPart } from "../../src/plugins/log/setup.ts";
import { exchangeFor, fakeEngine } from "../support/engine/fake_engine.ts";

const COMMON: LogPart[] = [
  { field: "remote" },
  { text: ":" },
  { field: "port" },
  { text: " - " },
  { field: ">id" },
  { text: ' "' },
  { field: "type" },
  { text: " " },
  { field: "class" },
  { text: " " },
  { field: "name" },
  { text: " " },
  { field: "proto" },
  { text: " " },
  { field: "size" },
  { text: " " },
  { field: ">do" },
  { text: " " },
  { field: ">bufsize" },
  { text: '" ' },
  { field: "rcode" },
  { text: " " },
  { field: ">rflags" },
  { text: " " },
  { field: "rsize" },
  { text: " " },
  { field: "duration" },
];

interface Case {
  format?: LogPart[];
  classes?: LogClass[];
  zone?: string;
  client?: { address: string; port: number };
  query?: Partial<Parameters<typeof exchangeFor>[0]>;
  rcode?: number;
  flags?: number;
  /** Adds records to the response. */
  records?: (writer: ResponseWriter) => void;
  elapsedMs?: number;
  wallMs?: number;
}

/** The lines that `log` writes for one query. */
function lines(options: Case): string[] {
  const { wallMs = NaN } = options;
  const engine = Object.assign(fakeEngine(options.client), { wallMs: () => wallMs });
  const rule = {
    zone: options.zone ?? ".",
    format: options.format ?? COMMON,
    classes: options.classes ?? ["all" as const],
  };
  const handler = createLog({ rules: [rule] }, { engine, zones: ["."], position: 0 });
  const exchange = exchangeFor({ name: "example.org", ...options.query });
  exchange.receivedMs = 1000;
  engine.nowMs = 1000 + (options.elapsedMs ?? 0);
  engine.writer.begin(exchange, options.rcode ?? RCODE.NOERROR, options.flags ?? FLAG.RA);
  options.records?.(engine.writer);
  exchange.response = engine.writer.end();
  handler.response!(exchange);
  return engine.lines.map((line) => line.replace(/^\[INFO\] /, ""));
}

const field = (name: LogField): LogPart[] => [{ field: name }];

const answer = (writer: ResponseWriter) =>
  writer.record("answer", null, TYPE.A, CLASS.IN, 60).raw(new Uint8Array(4), 0, 4);
const authority = (type: number) => (writer: ResponseWriter) =>
  writer.record("authority", null, type, CLASS.IN, 60).raw(new Uint8Array(22), 0, 22);

const LINES: (Case & { title: string; line: string })[] = [
  {
    title: "the common log format",
    query: { name: "Example.ORG", id: 29008, edns: 4096 },
    client: { address: "::1", port: 50759 },
    records: answer,
    elapsedMs: 37.990251,
    line:
      '[::1]:50759 - 29008 "A IN example.org. udp 40 false 4096" NOERROR qr,rd,ra 45 0.037990251s',
  },
  {
    title: "a query over TCP without EDNS, answered within the batch",
    query: { type: "AAAA", transport: "tcp" },
    rcode: RCODE.NXDOMAIN,
    line: '192.0.2.7:40212 - 1 "AAAA IN example.org. tcp 29 false 65535" NXDOMAIN qr,rd,ra 29 0s',
  },
  {
    title: "a small EDNS size as the 512 that is meant",
    format: field(">bufsize"),
    query: { edns: 100 },
    line: "512",
  },
  { title: "DO", format: field(">do"), query: { edns: 1232, dnssecOk: true }, line: "true" },
  {
    title: "AD for a client that asked",
    format: field(">rflags"),
    query: { flags: 0x120 },
    flags: FLAG.AD,
    line: "qr,rd,ad",
  },
  {
    title: "no AD for a client that did not",
    format: field(">rflags"),
    query: { flags: 0 },
    flags: FLAG.AD | FLAG.AA,
    line: "qr,aa",
  },
  { title: "the opcode", format: field(">opcode"), line: "0" },
  { title: "the address asked", format: field("local"), line: "127.0.0.1" },
  {
    title: "the address asked over IPv6",
    format: field("local"),
    client: { address: "::2", port: 1 },
    line: "[::1]",
  },
  {
    title: "a name that tries to break out of its line",
    format: field("name"),
    query: { name: 'a\nb "c' },
    line: 'a\\010b\\032\\"c.',
  },
  { title: "a response code by name", format: field("rcode"), rcode: 23, line: "BADCOOKIE" },
  { title: "a response code without a name", format: field("rcode"), rcode: 24, line: "24" },
  { title: "a millisecond", format: field("duration"), elapsedMs: 1, line: "0.001s" },
  { title: "two seconds", format: field("duration"), elapsedMs: 2000, line: "2s" },
];

for (const { title, line, ...rest } of LINES) {
  Deno.test(`log prints ${title}`, () => assert.deepEqual(lines(rest), [line]));
}

const KINDS: (Case & { kind: string; type: string; class: LogClass })[] = [
  { kind: "an answer", records: answer, type: "NOERROR", class: "success" },
  { kind: "an empty answer", type: "NOERROR", class: "success" },
  { kind: "a delegation", records: authority(TYPE.NS), type: "DELEGATION", class: "success" },
  { kind: "no data", records: authority(TYPE.SOA), type: "NODATA", class: "denial" },
  { kind: "no such name", rcode: RCODE.NXDOMAIN, type: "NXDOMAIN", class: "denial" },
  {
    kind: "an alias to no such name",
    rcode: RCODE.NXDOMAIN,
    records: answer,
    type: "OTHERERROR",
    class: "error",
  },
  { kind: "a server failure", rcode: RCODE.SERVFAIL, type: "SERVERERROR", class: "error" },
  { kind: "a refusal", rcode: RCODE.REFUSED, type: "OTHERERROR", class: "error" },
];

for (const { kind, type, class: expected, ...rest } of KINDS) {
  Deno.test(`log takes ${kind} for ${expected}`, () => {
    const format: LogPart[] = [{ field: "/log/class" }, { text: " " }, { field: "/log/type" }];
    assert.deepEqual(lines({ ...rest, format }), [`${expected} ${type}`]);
    for (const one of ["success", "denial", "error"] as const) {
      assert.equal(lines({ ...rest, classes: [one] }).length, one === expected ? 1 : 0);
    }
    assert.equal(lines({ ...rest, classes: ["all", "error"] }).length, 1);
  });
}

const NOW_SECONDS = 1_800_000_000;

const SIGNATURES: { title: string; from: number; until: number; class: LogClass }[] = [
  { title: "in its time", from: -60, until: 60, class: "success" },
  { title: "past its end", from: -60, until: -1, class: "error" },
  { title: "before its beginning", from: 1, until: 60, class: "error" },
];

for (const { title, from, until, class: expected } of SIGNATURES) {
  Deno.test(`log takes an answer with a signature ${title} for ${expected}`, () => {
    const data = new Uint8Array(24);
    const view = new DataView(data.buffer);
    view.setUint32(8, NOW_SECONDS + until);
    view.setUint32(12, NOW_SECONDS + from);
    const records = (writer: ResponseWriter) =>
      writer.record("answer", null, TYPE.RRSIG, CLASS.IN, 60).raw(data, 0, data.length);
    const asked = (dnssecOk: boolean) =>
      lines({
        records,
        query: { edns: 1232, dnssecOk },
        format: field("/log/class"),
        wallMs: 1000 * NOW_SECONDS,
      });
    assert.deepEqual(asked(true), [expected]);
    // Who does not check signatures does not mind.
    assert.deepEqual(asked(false), ["success"]);
  });
}

Deno.test("log hands over the values of its format where the log takes them", () => {
  const taken: unknown[] = [];
  const engine = Object.assign(fakeEngine({ address: "2001:db8::1", port: 4000 }), {
    logsFields: true,
    log: (_level: string, _line: string, fields?: unknown) => void taken.push(fields),
  });
  const format: LogPart[] = [
    { text: "from " },
    { field: "remote" },
    { field: ">do" },
    { field: "duration" },
    { field: "/log/type" },
    { field: ">rflags" },
  ];
  const rules = [{ zone: ".", format, classes: ["all" as const] }];
  const handler = createLog({ rules }, { engine, zones: ["."], position: 0 });
  const exchange = exchangeFor({ name: "example.org", edns: 1232, dnssecOk: true });
  engine.nowMs = exchange.receivedMs + 1500;
  exchange.response = engine.writer.begin(exchange, RCODE.NXDOMAIN, FLAG.RA).end();
  handler.response!(exchange);
  assert.deepEqual(taken, [{
    plugin: "log",
    remote: "2001:db8::1",
    do: true,
    duration: 1.5,
    "log/type": "NXDOMAIN",
    rflags: "qr,rd,ra",
  }]);
});

Deno.test("log leaves names outside its zone alone", () => {
  assert.equal(lines({ zone: "example.net." }).length, 0);
  assert.equal(lines({ zone: "org." }).length, 1);
});

Deno.test("log lets the first rule whose zone matches decide", () => {
  const engine = fakeEngine();
  const rules = [
    { zone: "example.org.", format: [{ text: "first" }], classes: ["error" as const] },
    { zone: ".", format: [{ text: "second" }], classes: ["all" as const] },
  ];
  const handler = createLog({ rules }, { engine, zones: ["."], position: 0 });
  for (const name of ["www.example.org", "example.net"]) {
    const exchange = exchangeFor({ name });
    exchange.response = engine.writer.begin(exchange, RCODE.NOERROR).end();
    handler.response!(exchange);
  }
  assert.deepEqual(engine.lines, ["[INFO] second"]);
});
