import assert from "node:assert/strict";
import { CLASS, FLAG, RCODE, TYPE } from "../../src/dns/constants.ts";
import type { ResponseWriter } from "../../src/engine/response/writer.ts";
import type { LogField } from "../../src/plugins/log/fields.ts";
import { createLog } from "../../src/plugins/log/handler.ts";
import type { LogClass, LogPart, LogRule } from "../../src/plugins/log/setup.ts";
import { exchangeFor, fakeEngine } from "../support/engine/fake_engine.ts";
import { makeHandler } from "./make_handler.ts";

interface Case {
  format?: string;
  classes?: LogClass[];
  zone?: string;
  rule?: Partial<LogRule>;
  client?: { address: string; port: number };
  query?: Partial<Parameters<typeof exchangeFor>[0]>;
  rcode?: number;
  flags?: number;
  records?: (writer: ResponseWriter) => void;
  elapsedMs?: number;
  wallMs?: number;
}

const COMMON = '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}" ' +
  "{rcode} {>rflags} {rsize} {duration}";

function partsOf(format: string): LogPart[] {
  return format.split(/(\{.*?\})/).filter((part) => part !== "").map((part) =>
    part.startsWith("{") ? { field: part.slice(1, -1) as LogField } : { text: part }
  );
}

function lines(options: Case): string[] {
  const { wallMs = NaN, zone = ".", format = COMMON, classes = ["all"] } = options;
  const engine = Object.assign(fakeEngine(options.client), { wallMs: () => wallMs });
  const rules = [{ zones: [zone], format: partsOf(format), classes, ...options.rule }];
  const exchange = exchangeFor({ name: "example.org", ...options.query });
  exchange.receivedMs = 1000;
  engine.nowMs = 1000 + (options.elapsedMs ?? 0);
  engine.writer.begin(exchange, options.rcode ?? RCODE.NOERROR, options.flags ?? FLAG.RA);
  options.records?.(engine.writer);
  exchange.response = engine.writer.end();
  makeHandler(createLog, { rules }, engine).response!(exchange);
  return engine.lines.map((line) => line.replace(/^\[INFO\] /, ""));
}

const answer = (writer: ResponseWriter) =>
  writer.record("answer", null, TYPE.A, CLASS.IN, 60).raw(new Uint8Array(4), 0, 4);
const authority = (type: number) => (writer: ResponseWriter) =>
  writer.record("authority", null, type, CLASS.IN, 60).raw(new Uint8Array(22), 0, 22);

const LINES: [title: string, options: Case, line: string][] = [
  [
    "the common log format",
    {
      query: { name: "Example.ORG", id: 29008, edns: 4096 },
      client: { address: "::1", port: 50759 },
      records: answer,
      elapsedMs: 37.990251,
    },
    '[::1]:50759 - 29008 "A IN example.org. udp 40 false 4096" NOERROR qr,rd,ra 45 0.037990251s',
  ],
  [
    "a query over TCP without EDNS, answered within the batch",
    { query: { type: "AAAA", transport: "tcp" }, rcode: RCODE.NXDOMAIN },
    '192.0.2.7:40212 - 1 "AAAA IN example.org. tcp 29 false 65535" NXDOMAIN qr,rd,ra 29 0s',
  ],
  ["an EDNS size below 512 as 512", { format: "{>bufsize}", query: { edns: 100 } }, "512"],
  ["DO", { format: "{>do}", query: { edns: 1232, dnssecOk: true } }, "true"],
  [
    "AD for a client that asked for it",
    { format: "{>rflags}", query: { flags: 0x120 }, flags: FLAG.AD },
    "qr,rd,ad",
  ],
  [
    "no AD for another client",
    { format: "{>rflags}", query: { flags: 0 }, flags: FLAG.AD | FLAG.AA },
    "qr,aa",
  ],
  ["the opcode", { format: "{>opcode}" }, "0"],
  ["the local address", { format: "{local}" }, "127.0.0.1"],
  ["the local IPv6 address", { format: "{local}", client: { address: "::2", port: 1 } }, "[::1]"],
  [
    "a name with a line feed escaped",
    { format: "{name}", query: { name: 'a\nb "c' } },
    'a\\010b\\032\\"c.',
  ],
  ["a response code by name", { format: "{rcode}", rcode: 23 }, "BADCOOKIE"],
  ["a response code without a name", { format: "{rcode}", rcode: 24 }, "24"],
  ["a millisecond", { format: "{duration}", elapsedMs: 1 }, "0.001s"],
  ["two seconds", { format: "{duration}", elapsedMs: 2000 }, "2s"],
];

for (const [title, options, line] of LINES) {
  Deno.test(`log prints ${title}`, () => assert.deepEqual(lines(options), [line]));
}

const KINDS: [title: string, kind: string, options: Case][] = [
  ["an answer", "success NOERROR", { records: answer }],
  ["an empty answer", "success NOERROR", {}],
  ["a delegation", "success DELEGATION", { records: authority(TYPE.NS) }],
  ["no data", "denial NODATA", { records: authority(TYPE.SOA) }],
  ["no such name", "denial NXDOMAIN", { rcode: RCODE.NXDOMAIN }],
  ["an alias to no such name", "error OTHERERROR", { rcode: RCODE.NXDOMAIN, records: answer }],
  ["a server failure", "error SERVERERROR", { rcode: RCODE.SERVFAIL }],
  ["a refusal", "error OTHERERROR", { rcode: RCODE.REFUSED }],
];

for (const [title, kind, options] of KINDS) {
  Deno.test(`log classifies ${title} as ${kind}`, () => {
    assert.deepEqual(lines({ ...options, format: "{/log/class} {/log/type}" }), [kind]);
    for (const one of ["success", "denial", "error"] as const) {
      assert.equal(lines({ ...options, classes: [one] }).length, kind.startsWith(one) ? 1 : 0);
    }
    assert.equal(lines({ ...options, classes: ["all", "error"] }).length, 1);
  });
}

const NOW_SECONDS = 1_800_000_000;

const SIGNATURES: { title: string; from: number; until: number; class: LogClass }[] = [
  { title: "valid", from: -60, until: 60, class: "success" },
  { title: "expired", from: -60, until: -1, class: "error" },
  { title: "future", from: 1, until: 60, class: "error" },
];

for (const { title, from, until, class: expected } of SIGNATURES) {
  Deno.test(`log classifies an answer with ${title} signature as ${expected}`, () => {
    const data = new Uint8Array(24);
    const view = new DataView(data.buffer);
    view.setUint32(8, NOW_SECONDS + until);
    view.setUint32(12, NOW_SECONDS + from);
    const records = (writer: ResponseWriter) =>
      writer.record("answer", null, TYPE.RRSIG, CLASS.IN, 60).raw(data, 0, data.length);
    const classOf = (dnssecOk: boolean) =>
      lines({
        ...{ records, query: { edns: 1232, dnssecOk } },
        ...{ format: "{/log/class}", wallMs: 1000 * NOW_SECONDS },
      });
    assert.deepEqual(classOf(true), [expected]);
    assert.deepEqual(classOf(false), ["success"], "for clients that do not validate");
  });
}

Deno.test("log passes the values of its format to a log in JSON", () => {
  const logged: unknown[] = [];
  const engine = Object.assign(fakeEngine({ address: "2001:db8::1", port: 4000 }), {
    logsFields: true,
    log: (_level: string, _line: string, fields?: unknown) => void logged.push(fields),
  });
  const format = partsOf("from {remote}{>do}{duration}{/log/type}{>rflags}");
  const exchange = exchangeFor({ name: "example.org", edns: 1232, dnssecOk: true });
  engine.nowMs = exchange.receivedMs + 1500;
  exchange.response = engine.writer.begin(exchange, RCODE.NXDOMAIN, FLAG.RA).end();
  const rules = [{ zones: ["."], format, classes: ["all" as const] }];
  makeHandler(createLog, { rules }, engine).response!(exchange);
  assert.deepEqual(logged, [{
    ...{ plugin: "log", remote: "2001:db8::1", do: true, duration: 1.5 },
    ...{ "log/type": "NXDOMAIN", rflags: "qr,rd,ra" },
  }]);
});

Deno.test("log ignores names outside its zone", () => {
  assert.equal(lines({ zone: "example.net." }).length, 0);
  assert.equal(lines({ zone: "org." }).length, 1);
});

Deno.test("log applies the first rule whose zone matches", () => {
  const engine = fakeEngine();
  const rules = [
    { zones: ["example.org."], format: [{ text: "first" }], classes: ["error" as const] },
    { zones: ["."], format: [{ text: "second" }], classes: ["all" as const] },
  ];
  const handler = makeHandler(createLog, { rules }, engine);
  for (const name of ["www.example.org", "example.net"]) {
    const exchange = exchangeFor({ name });
    exchange.response = engine.writer.begin(exchange, RCODE.NOERROR).end();
    handler.response!(exchange);
  }
  assert.deepEqual(engine.lines, ["[INFO] second"]);
});
