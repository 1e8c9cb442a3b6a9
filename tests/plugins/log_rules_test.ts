import assert from "node:assert/strict";
import { RCODE } from "../../src/dns/constants.ts";
import { createLog } from "../../src/plugins/log/handler.ts";
import type { LogRule } from "../../src/plugins/log/setup.ts";
import { exchangeFor, fakeEngine } from "../support/engine/fake_engine.ts";
import { makeHandler } from "./make_handler.ts";

/** Queries: name, then client, time in milliseconds and response code in any order. */
const CHOICES: { title: string; rules: Partial<LogRule>[]; logged: string; not: string }[] = [
  {
    title: "only names of its zones",
    rules: [{ zones: ["example.", "b.test."] }],
    logged: "example, a.example, b.test, x.b.test",
    not: "test, a.test, bb.test",
  },
  {
    title: "only clients of its networks",
    rules: [{ clients: [{ octets: [192, 0, 2, 0], prefix: 24 }] }],
    logged: "a.example 192.0.2.7, a.example 192.0.2.255",
    not: "a.example 192.0.3.1, a.example 2001:db8::1",
  },
  {
    title: "no excepted names",
    rules: [{ except: ["example.", "b.test."] }],
    logged: "c.test, test",
    not: "example, a.example, b.test, x.b.test",
  },
  {
    title: "only slow responses",
    rules: [{ slowMs: 200 }],
    logged: "a.example 200, a.example 1000",
    not: "a.example 199, a.example 0",
  },
  {
    title: "only responses that are slow and fail",
    rules: [{ slowMs: 200, classes: ["error"] }],
    logged: "a.example 200 SERVFAIL",
    not: "a.example 200, a.example SERVFAIL, a.example",
  },
  {
    title: "responses that are slow or fail",
    rules: [{ slowMs: 200, classes: ["error"], any: true }],
    logged: "a.example 200, a.example SERVFAIL, a.example 200 SERVFAIL",
    not: "a.example, a.example 100 NXDOMAIN",
  },
  {
    title: "names excepted from one directive by the next",
    rules: [{ except: ["example."] }, { zones: ["example."], classes: ["denial"] }],
    logged: "a.test, a.example NXDOMAIN",
    not: "a.example",
  },
  {
    title: "clients of none of the networks by the next directive",
    rules: [
      { clients: [{ octets: [192, 0, 2, 7], prefix: 32 }], classes: ["error"] },
      { slowMs: 100 },
    ],
    logged: "a.example 192.0.2.7 SERVFAIL, a.example 192.0.2.8 100",
    not: "a.example 192.0.2.7 100, a.example 192.0.2.8 SERVFAIL",
  },
];

for (const { title, rules, logged, not } of CHOICES) {
  Deno.test(`log logs ${title}`, () => {
    for (const step of logged.split(", ")) assert.deepEqual(logOf(rules, [step]), [step]);
    for (const step of not.split(", ")) assert.deepEqual(logOf(rules, [step]), [], step);
  });
}

const SAMPLES: { title: string; rule: Partial<LogRule>; steps: string; logged: string }[] = [
  {
    title: "each third response",
    rule: { sample: 3 },
    steps: "a b c d e f g",
    logged: "c f",
  },
  {
    title: "each second response of those that the other conditions select",
    rule: { sample: 2, classes: ["error"] },
    steps: "a b/SERVFAIL c d/SERVFAIL e/SERVFAIL f/SERVFAIL",
    logged: "d/SERVFAIL f/SERVFAIL",
  },
  {
    title: "all that fail or are slow, and each third of the rest",
    rule: { sample: 3, classes: ["error"], slowMs: 200, any: true },
    steps: "a b/SERVFAIL c d/200 e f g/SERVFAIL h",
    logged: "b/SERVFAIL d/200 e g/SERVFAIL",
  },
];

for (const { title, rule, steps, logged } of SAMPLES) {
  Deno.test(`log samples ${title}`, () => {
    const queries = steps.split(" ").map((step) => step.replaceAll("/", " "));
    const lines = logOf([rule], queries).map((step) => step.replaceAll(" ", "/"));
    assert.deepEqual(lines, logged.split(" "));
  });
}

/** The queries of these that are logged. */
function logOf(rules: readonly Partial<LogRule>[], steps: readonly string[]): string[] {
  const client = { address: "192.0.2.7", port: 40212 };
  const engine = fakeEngine(client);
  const handler = makeHandler(createLog, {
    rules: rules.map((rule) => ({ zones: ["."], format: [], classes: ["all" as const], ...rule })),
  }, engine);
  return steps.filter((step) => {
    const [name, ...words] = step.split(" ");
    const exchange = exchangeFor({ name: name! });
    client.address = words.find((word) => /[.:]/.test(word)) ?? "192.0.2.7";
    const rcode = words.find((word) => word in RCODE) as keyof typeof RCODE | undefined;
    exchange.receivedMs = engine.nowMs;
    engine.nowMs += Number(words.find((word) => /^\d+$/.test(word)) ?? 0);
    exchange.response = engine.writer.begin(exchange, RCODE[rcode ?? "NOERROR"]).end();
    handler.response!(exchange);
    return engine.lines.splice(0).length > 0;
  });
}

Deno.test("log knows no client of a connection that has gone", () => {
  const engine = fakeEngine();
  const clients = [{ octets: [192, 0, 2, 7], prefix: 32 }];
  const rule: LogRule = { zones: ["."], clients, format: [], classes: ["all"] };
  const handler = makeHandler(createLog, { rules: [rule] }, engine);
  const exchange = exchangeFor({ name: "example.org", transport: "tcp" });
  exchange.response = engine.writer.begin(exchange, RCODE.NOERROR).end();
  handler.response!(exchange);
  assert.equal(engine.lines.length, 1);
  Object.assign(exchange.origin, { gone: true });
  handler.response!(exchange);
  assert.equal(engine.lines.length, 1);
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
