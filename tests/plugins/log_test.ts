import assert from "node:assert/strict";
import { CLASS, EDE, FLAG, RCODE, TYPE } from "../../src/dns/constants.ts";
import { ErrorText } from "../../src/dns/error_text.ts";
import { HandlerChain } from "../../src/engine/chain/chain.ts";
import { AnswerCounters } from "../../src/engine/exchange/answer_source.ts";
import type { Exchange } from "../../src/engine/exchange/exchange.ts";
import type { Response } from "../../src/engine/response/response.ts";
import type { ResponseWriter } from "../../src/engine/response/writer.ts";
import type { LogField } from "../../src/plugins/log/placeholders.ts";
import { createLog } from "../../src/plugins/log/handler.ts";
import type { LogClass, LogPart } from "../../src/plugins/log/setup.ts";
import { exchangeFor, fakeEngine } from "../support/engine/fake_engine.ts";
import { makeHandler } from "./make_handler.ts";

interface Case {
  format?: string;
  classes?: LogClass[];
  client?: { address: string; port: number };
  query?: Partial<Parameters<typeof exchangeFor>[0]>;
  rcode?: number;
  flags?: number;
  records?: (writer: ResponseWriter) => void;
  elapsedMs?: number;
  /** By the precise clock, if there is one. */
  preciseMs?: number;
  wallMs?: number;
  exchange?: Partial<Exchange>;
  response?: Partial<Response>;
}

const COMMON = '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}" ' +
  "{rcode} {>rflags} {rsize} {duration}";

function partsOf(format: string): LogPart[] {
  return format.split(/(\{.*?\})/).filter((part) => part !== "").map((part) =>
    part.startsWith("{") ? { field: part.slice(1, -1) as LogField } : { text: part }
  );
}

function lines(options: Case): string[] {
  const { wallMs = NaN, format = COMMON, classes = ["all"] } = options;
  const engine = Object.assign(fakeEngine(options.client), { wallMs: () => wallMs });
  const rules = [{ zones: ["."], format: partsOf(format), classes }];
  const exchange = exchangeFor({ name: "example.org", ...options.query });
  exchange.receivedMs = 1000;
  engine.nowMs = 1000 + (options.elapsedMs ?? 0);
  engine.writer.begin(exchange, options.rcode ?? RCODE.NOERROR, options.flags ?? FLAG.RA);
  options.records?.(engine.writer);
  const { preciseMs } = options;
  if (preciseMs !== undefined) engine.io.milliseconds = () => 1000 + preciseMs;
  exchange.response = Object.assign(engine.writer.end(), options.response);
  const handlers = [{ name: "cache" }, { name: "forward", source: "upstream" }];
  exchange.chain = new HandlerChain(handlers, new AnswerCounters(engine.counter));
  Object.assign(exchange, options.exchange);
  makeHandler(createLog, { rules }, engine).response!(exchange);
  return engine.lines.map((line) => line.replace(/^\[INFO\] /, ""));
}

const answer = (writer: ResponseWriter) =>
  writer.record("answer", null, TYPE.A, CLASS.IN, 60).raw(new Uint8Array(4), 0, 4);
const authority = (type: number) => (writer: ResponseWriter) =>
  writer.record("authority", null, type, CLASS.IN, 60).raw(new Uint8Array(22), 0, 22);

function errorText(text: string): ErrorText {
  const bytes = new TextEncoder().encode(text);
  const result = new ErrorText();
  result.set(bytes, 0, bytes.length);
  return result;
}

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
  [
    "no addresses of a connection that has gone",
    {
      format: "{remote} {port} {local}",
      query: { transport: "tcp" },
      exchange: {
        origin: Object.assign(exchangeFor({ name: ".", transport: "tcp" }).origin, { gone: true }),
      },
    },
    "- - -",
  ],
  [
    "the time within a batch",
    { format: "{duration} {/nodens/wait}", preciseMs: 0.0125 },
    "0.0000125s 0s",
  ],
  [
    "the time that a query waited",
    {
      format: "{duration} {/nodens/wait}",
      elapsedMs: 12,
      preciseMs: 12.5,
      exchange: { parked: true },
    },
    "0.0125s 0.012s",
  ],
  [
    "an upstream's answer",
    {
      format: "{/nodens/answered_by} {/forward/upstream} {/nodens/asks} {/nodens/hedged}",
      exchange: { answeredBy: 1, upstream: "tls://192.0.2.53:853", asks: 2, hedged: true },
    },
    "upstream tls://192.0.2.53:853 2 true",
  ],
  [
    "an answer from the cache",
    {
      format: "{/nodens/answered_by} {/forward/upstream} {/nodens/age} {/nodens/ttl} " +
        "{/nodens/answers}",
      exchange: { answeredBy: 0 },
      response: { ageSeconds: 12, ttlSeconds: 48 },
      records: answer,
    },
    "cache - 12 48 1",
  ],
  [
    "an expired answer",
    {
      format: "{/nodens/answered_by} {/nodens/age} {/nodens/ttl}",
      exchange: { answeredBy: 1, stale: true },
      response: { ageSeconds: 312, ttlSeconds: 30 },
      records: answer,
    },
    "stale 312 30",
  ],
  [
    "nodens' own refusal",
    { format: "{/nodens/answered_by} {/nodens/age} {/nodens/ttl}", rcode: RCODE.REFUSED },
    "nodens - -",
  ],
  [
    "the lowest TTL of several",
    {
      format: "{/nodens/ttl} {/nodens/answers}",
      records: (writer) => {
        for (const ttl of [300, 60, 900]) {
          writer.record("answer", null, TYPE.A, CLASS.IN, ttl).raw(new Uint8Array(4), 0, 4);
        }
      },
    },
    "60 3",
  ],
  [
    "the TTL of a denial, which is the SOA record's",
    {
      format: "{/nodens/ttl} {/nodens/answers}",
      rcode: RCODE.NXDOMAIN,
      records: (writer) => {
        writer.record("authority", null, TYPE.NS, CLASS.IN, 5).raw(new Uint8Array(2), 0, 2);
        writer.record("authority", null, TYPE.SOA, CLASS.IN, 60).raw(new Uint8Array(22), 0, 22);
      },
    },
    "60 0",
  ],
  ["no TTL of an empty answer", { format: "{/nodens/ttl}", records: authority(TYPE.NS) }, "-"],
  [
    "an Extended DNS Error",
    { format: "{/nodens/ede}", exchange: { extendedError: EDE.NO_REACHABLE_AUTHORITY } },
    "22 (No Reachable Authority)",
  ],
  ["no Extended DNS Error", { format: "{/nodens/ede}" }, "-"],
  [
    "an upstream's Extended DNS Error, its quotes escaped",
    {
      format: '"{/nodens/ede}"',
      response: { extendedError: EDE.BLOCKED, errorText: errorText('by "policy"') },
    },
    '"15 (Blocked): by \\"policy\\""',
  ],
  [
    "both Extended DNS Errors",
    {
      format: "{/nodens/ede}",
      exchange: { extendedError: EDE.STALE },
      response: { extendedError: 49152, errorText: errorText("x") },
    },
    "3 (Stale Answer), 49152: x",
  ],
  [
    "one Extended DNS Error that is the same",
    {
      format: "{/nodens/ede}",
      exchange: { extendedError: EDE.BLOCKED },
      response: { extendedError: EDE.BLOCKED, errorText: errorText("x") },
    },
    "15 (Blocked): x",
  ],
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

Deno.test("log leaves values that do not exist out of a log in JSON", () => {
  const logged: unknown[] = [];
  const engine = Object.assign(fakeEngine(), {
    logsFields: true,
    log: (_level: string, _line: string, fields?: unknown) => void logged.push(fields),
  });
  const format = partsOf("{/forward/upstream}{/nodens/age}{/nodens/wait}{/nodens/hedged}");
  const exchange = exchangeFor({ name: "example.org" });
  exchange.parked = true;
  engine.nowMs = exchange.receivedMs + 1500;
  exchange.response = engine.writer.begin(exchange, RCODE.NXDOMAIN).end();
  const rules = [{ zones: ["."], format, classes: ["all" as const] }];
  makeHandler(createLog, { rules }, engine).response!(exchange);
  assert.deepEqual(logged, [{ plugin: "log", "nodens/wait": 1.5, "nodens/hedged": false }]);
});
