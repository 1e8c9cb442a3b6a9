import assert from "node:assert/strict";
import { parseName } from "../../src/dns/name.ts";
import { ANSWERED, type Handler, NEXT } from "../../src/engine/handler.ts";
import { HashKey } from "../../src/engine/question/keyed_hash.ts";
import { createHosts } from "../../src/plugins/hosts/handler.ts";
import type { HostsOptions } from "../../src/plugins/hosts/options.ts";
import { MAX_PER_ENTRY } from "../../src/plugins/hosts/builder.ts";
import { HEAD, V4 } from "../../src/plugins/hosts/layout.ts";
import { HostsLookup } from "../../src/plugins/hosts/lookup.ts";
import { RetiredTables } from "../../src/plugins/hosts/retired.ts";
import { buildHostsTable } from "../../src/plugins/hosts/lines.ts";
import { decodeResponse, exchangeFor, fakeEngine } from "../support/engine/fake_engine.ts";

const KEY = new HashKey(1, 2);

const OPTIONS: HostsOptions = {
  path: "/etc/hosts",
  zones: ["."],
  inline: [],
  ttlSeconds: 3600,
  autoReverse: true,
  reloadMs: 5000,
  fallthrough: null,
  fallthroughUnsupported: false,
  authoritative: [],
};

const FILE = `
# comment 192.0.2.99 comment.example.org
127.0.0.1  localhost
192.0.2.1  www.example.org alias.example.org # and a comment
2001:db8::1 www.example.org
192.0.2.2\twww.example.org\r
fe80::1%eth0 link.example.org
::ffff:192.0.2.6 mapped.example.org
192.0.2.10 *.example.org
2001:db8::10 *.wild.example.org
192.0.2.11 exact.wild.example.org
300.1.1.1 bad.example.org
192.0.2.12
192.0.2.13 UPPER.Example.NET. ..bad
192.0.2.14 *
`;

Deno.test("hosts: a table finds its names with any hash key", () => {
  const names = Array.from({ length: 500 }, (_, i) => `n${i}.example.org`);
  const text = names.map((name) => `192.0.2.1 ${name}`).join("\n");
  const slots = [1, 2].map((k0) => {
    const key = new HashKey(k0, 7);
    const table = buildHostsTable(text, {
      zones: ["."],
      authoritative: [],
      autoReverse: false,
      key,
    });
    const lookup = new HostsLookup(table);
    for (const name of names.map((name) => parseName(`${name}.`))) {
      assert.notEqual(lookup.first(lookup.find(name, name.length), V4), 0);
      name[1] = 0x6d;
      assert.equal(lookup.find(name, name.length), 0);
    }
    const words = new Uint32Array(table);
    return [...words.subarray(words[HEAD.SLOTS_AT]!, words[HEAD.SLOTS_AT]! + words[HEAD.SLOTS]!)];
  });
  for (const of of slots) assert.equal(of.filter((at) => at !== 0).length, names.length);
  assert.notDeepEqual(slots[0], slots[1]);
});

function handlerOf(changes: Partial<HostsOptions> = {}, text = FILE) {
  const engine = fakeEngine();
  const options: HostsOptions = { ...OPTIONS, ...changes };
  const handler = createHosts(options, { engine, zones: ["."], position: 0 });
  const { zones, authoritative, autoReverse } = options;
  const deliver = (text: string) => {
    const all = [text, ...options.inline].join("\n");
    handler.receive!(buildHostsTable(all, { zones, authoritative, autoReverse, key: KEY }));
  };
  deliver(text);
  const ask = (name: string, type = "A") => {
    const exchange = exchangeFor({ name, type });
    const verdict = handler.query!(exchange);
    if (verdict === NEXT) return "next";
    assert.equal(verdict, ANSWERED);
    const response = decodeResponse(exchange);
    if (response.rcode !== "NOERROR") return response.rcode;
    assert.equal(response.flag_aa, true);
    return response.answers!.map((record) => {
      assert.equal(record.name, name);
      assert.equal(record.type, type);
      const { ttl, data } = record as { ttl?: number; data: unknown };
      assert.equal(ttl, options.ttlSeconds);
      return data;
    });
  };
  return { engine, handler, deliver, ask };
}

const DENY = { authoritative: ["example.net."] };

interface Case {
  ask: [name: string, type?: string];
  options?: Partial<HostsOptions>;
  gets: string | string[];
}

const CASES: Case[] = [
  { ask: ["www.example.org"], gets: ["192.0.2.1", "192.0.2.2"] },
  { ask: ["WWW.example.ORG", "AAAA"], gets: ["2001:db8::1"] },
  { ask: ["alias.example.org"], gets: ["192.0.2.1"] },
  { ask: ["alias.example.org", "AAAA"], gets: [] },
  { ask: ["www.example.org", "TXT"], gets: [] },
  { ask: ["upper.example.net"], gets: ["192.0.2.13"] },
  { ask: ["link.example.org", "AAAA"], gets: ["fe80::1"] },
  { ask: ["mapped.example.org"], gets: ["192.0.2.6"] },
  { ask: ["localhost"], gets: ["127.0.0.1"] },
  { ask: ["nope.example.net"], gets: "SERVFAIL" },
  { ask: ["nope.example.net", "TXT"], gets: "SERVFAIL" },
  { ask: ["comment.example.net"], gets: "SERVFAIL" },
  { ask: ["bad.example.net"], gets: "SERVFAIL" },
  { ask: ["."], gets: "SERVFAIL" },

  // A wildcard matches one label; a name's own addresses of the family take precedence.
  { ask: ["any.example.org"], gets: ["192.0.2.10"] },
  { ask: ["*.example.org"], gets: ["192.0.2.10"] },
  { ask: ["any.example.org", "AAAA"], gets: [] },
  { ask: ["any.example.org", "MX"], gets: [] },
  { ask: ["deep.any.example.org"], gets: "SERVFAIL" },
  { ask: ["example.org"], gets: "SERVFAIL" },
  { ask: ["exact.wild.example.org"], gets: ["192.0.2.11"] },
  { ask: ["exact.wild.example.org", "AAAA"], gets: ["2001:db8::10"] },
  { ask: ["single"], gets: "SERVFAIL" },

  // Reverse lookups: in any zone, but not of wildcards.
  { ask: ["1.2.0.192.in-addr.arpa", "PTR"], gets: ["www.example.org", "alias.example.org"] },
  { ask: ["10.2.0.192.in-addr.arpa", "PTR"], gets: "next" },
  { ask: ["99.2.0.192.in-addr.arpa", "PTR"], gets: "next" },
  { ask: ["1.2.0.192.in-addr.arpa", "A"], gets: "SERVFAIL" },
  {
    ask: [`1.${"0.".repeat(23)}8.b.d.0.1.0.0.2.ip6.arpa`, "PTR"],
    gets: ["www.example.org"],
  },
  { ask: ["www.example.org", "PTR"], gets: "next" },
  { ask: ["1.2.0.192.in-addr.arpa", "PTR"], options: { autoReverse: false }, gets: "next" },
  {
    ask: ["1.2.0.192.in-addr.arpa", "PTR"],
    options: { zones: ["example.org."] },
    gets: ["www.example.org", "alias.example.org"],
  },
  { ask: ["1.0.0.127.in-addr.arpa", "PTR"], options: { zones: ["example.org."] }, gets: "next" },

  { ask: ["localhost"], options: { zones: ["example.org."] }, gets: "next" },
  { ask: ["upper.example.net"], options: { zones: ["example.org."] }, gets: "next" },
  { ask: ["a.nope.example.org"], options: { zones: ["example.org."] }, gets: "SERVFAIL" },
  { ask: ["nope.example.net"], options: { fallthrough: ["."] }, gets: "next" },
  { ask: ["nope.example.net", "TXT"], options: { fallthrough: ["."] }, gets: "next" },
  { ask: ["nope.example.net"], options: { fallthrough: ["example.org."] }, gets: "SERVFAIL" },
  { ask: ["alias.example.org", "AAAA"], options: { fallthrough: ["."] }, gets: [] },
  { ask: ["www.example.org", "HTTPS"], options: { fallthrough: ["."] }, gets: [] },
  {
    ask: ["www.example.org", "TXT"],
    options: { fallthrough: ["example.org."], fallthroughUnsupported: true },
    gets: "next",
  },
  {
    ask: ["www.example.org", "TXT"],
    options: { fallthrough: ["example.net."], fallthroughUnsupported: true },
    gets: [],
  },

  // Zones whose names exist only if they are listed, or above listed ones.
  { ask: ["nope.example.org"], options: DENY, gets: ["192.0.2.10"] },
  { ask: ["nope.example.net"], options: DENY, gets: "NXDOMAIN" },
  { ask: ["NOPE.Example.NET", "TXT"], options: DENY, gets: "NXDOMAIN" },
  { ask: ["below.upper.example.net"], options: DENY, gets: "NXDOMAIN" },
  { ask: ["upper.example.net"], options: DENY, gets: ["192.0.2.13"] },
  { ask: ["upper.example.net", "AAAA"], options: DENY, gets: [] },
  { ask: ["upper.example.net", "TXT"], options: DENY, gets: [] },
  { ask: ["example.net"], options: DENY, gets: [] },
  { ask: ["nope.example.com"], options: DENY, gets: "SERVFAIL" },
  { ask: ["nope.example.com"], options: { ...DENY, fallthrough: ["."] }, gets: "next" },
  { ask: ["nope.example.net"], options: { ...DENY, fallthrough: ["."] }, gets: "NXDOMAIN" },
  {
    ask: ["www.sub.example.net"],
    options: { ...DENY, fallthrough: ["sub.example.net."] },
    gets: "next",
  },
  {
    ask: ["upper.example.net", "TXT"],
    options: { ...DENY, fallthrough: ["."], fallthroughUnsupported: true },
    gets: [],
  },
  { ask: ["nope.test"], options: { authoritative: ["."] }, gets: "NXDOMAIN" },
  { ask: ["."], options: { authoritative: ["."] }, gets: [] },
  { ask: ["net"], options: { authoritative: ["."] }, gets: [] },
  { ask: ["wild.example.org"], options: { authoritative: ["example.org."] }, gets: ["192.0.2.10"] },
  { ask: ["a.b.wild.example.org"], options: { authoritative: ["org."] }, gets: "NXDOMAIN" },
  {
    ask: ["c.example.com"],
    options: { authoritative: ["example.com."], inline: ["192.0.2.4 a.b.c.example.com"] },
    gets: [],
  },
  {
    ask: ["apps.example.com"],
    options: { authoritative: ["example.com."], inline: ["192.0.2.4 *.apps.example.com"] },
    gets: [],
  },
  {
    ask: ["1.2.0.192.in-addr.arpa", "A"],
    options: { authoritative: ["192.in-addr.arpa."] },
    gets: [],
  },
  {
    ask: ["99.2.0.192.in-addr.arpa", "PTR"],
    options: { authoritative: ["192.in-addr.arpa."] },
    gets: "NXDOMAIN",
  },
  {
    ask: ["2.0.192.in-addr.arpa", "PTR"],
    options: { authoritative: ["192.in-addr.arpa."] },
    gets: [],
  },
  {
    ask: ["99.2.0.198.in-addr.arpa", "PTR"],
    options: { authoritative: ["192.in-addr.arpa."] },
    gets: "next",
  },

  // Entries of the Corefile follow those of the file.
  {
    ask: ["www.example.org"],
    options: { inline: ["192.0.2.3 www.example.org", "192.0.2.4 other.example.net"] },
    gets: ["192.0.2.1", "192.0.2.2", "192.0.2.3"],
  },
  {
    ask: ["other.example.net"],
    options: { inline: ["192.0.2.4 other.example.net"], ttlSeconds: 60 },
    gets: ["192.0.2.4"],
  },
  {
    ask: ["1.2.0.192.in-addr.arpa", "PTR"],
    options: { inline: ["192.0.2.1 last.example.net"] },
    gets: ["www.example.org", "alias.example.org", "last.example.net"],
  },
];

for (const { ask: question, options, gets } of CASES) {
  const with_ = options === undefined ? "" : ` with ${JSON.stringify(options)}`;
  Deno.test(`hosts: ${question.join(" ")} gets ${gets || "no data"}${with_}`, () => {
    const [name, type] = question;
    const { ask } = handlerOf(options);
    assert.deepEqual(ask(name, type === "HTTPS" ? "UNKNOWN_65" : type), gets);
  });
}

for (const [ttlSeconds, seconds] of [[3600, 60], [30, 30]] as const) {
  Deno.test(`hosts: a denial has an SOA record of ${seconds} s with a TTL of ${ttlSeconds} s`, () => {
    const { handler } = handlerOf({ ...DENY, ttlSeconds });
    const answer = (name: string, type: string) => {
      const exchange = exchangeFor({ name, type });
      assert.equal(handler.query!(exchange), ANSWERED);
      return decodeResponse(exchange);
    };
    for (const [name, type] of [["nope.example.net", "A"], ["upper.example.net", "TXT"]]) {
      const [soa, ...others] = answer(name!, type!).authorities as never as SoaRecord[];
      assert.deepEqual(others, []);
      const { data: { minimum, mname, rname }, ...record } = soa!;
      assert.deepEqual(
        [record.name, record.type, record.ttl, minimum, mname, rname],
        ["example.net", "SOA", seconds, seconds, "example.net", "nobody.invalid"],
      );
    }
    const { answers, authorities } = answer("example.net", "SOA");
    assert.deepEqual(answers!.map(({ name, type }) => [name, type]), [["example.net", "SOA"]]);
    assert.deepEqual(authorities, []);
  });
}

interface SoaRecord {
  name: string;
  type: string;
  ttl: number;
  data: { minimum: number; mname: string; rname: string };
}

Deno.test("hosts: a delivered table replaces the previous one, and its entries are counted", () => {
  const { engine, deliver, ask } = handlerOf({ inline: ["192.0.2.4 inline.example.net"] }, "");
  assert.equal(engine.value("coredns_hosts_entries"), 2);
  assert.equal(ask("www.example.org"), "SERVFAIL");
  deliver("192.0.2.1 www.example.org");
  assert.deepEqual(ask("www.example.org"), ["192.0.2.1"]);
  assert.deepEqual(ask("inline.example.net"), ["192.0.2.4"]);
  assert.equal(engine.value("coredns_hosts_entries"), 4);
});

Deno.test("hosts: every name of a block list is found, and an address has a bounded number of names", () => {
  const names = Array.from({ length: 20_000 }, (_, i) => `host${i}.example.org`);
  const { ask, engine } = handlerOf({}, names.map((name) => `192.0.2.1 ${name}`).join("\n"));
  for (const name of names) assert.deepEqual(ask(name), ["192.0.2.1"]);
  assert.equal(ask("host20000.example.org"), "SERVFAIL");
  const reverse = ask("1.2.0.192.in-addr.arpa", "PTR");
  assert.equal(reverse[0], "host0.example.org");
  assert.ok(reverse.length > 1000 && reverse.length <= MAX_PER_ENTRY, String(reverse.length));
  assert.equal(engine.value("coredns_hosts_entries"), names.length + MAX_PER_ENTRY);
});

for (const address of ["0.0.0.0", "127.0.0.1", "127.1.2.3", "::", "::1"]) {
  Deno.test(`hosts: ${address}, which block lists use for all names, has no reverse names`, () => {
    const { ask, engine } = handlerOf({}, `${address} one.example.org two.example.org`);
    assert.deepEqual(ask("two.example.org", address.includes(":") ? "AAAA" : "A"), [address]);
    assert.equal(engine.value("coredns_hosts_entries"), 2);
    const reversed = address.split(".").reverse().join(".");
    const digit = address === "::1" ? 1 : 0;
    const name = address.includes(":") ? `${digit}${".0".repeat(31)}.ip6` : `${reversed}.in-addr`;
    assert.equal(ask(`${name}.arpa`, "PTR"), "next");
  });
}

Deno.test("hosts: names with escapes and arbitrary octets are found", () => {
  const { ask } = handlerOf({}, "192.0.2.1 caf\u00e9.example.org a\\098c.example.org");
  assert.deepEqual(ask("caf\u00e9.example.org"), ["192.0.2.1"]);
  assert.deepEqual(ask("abc.example.org"), ["192.0.2.1"]);
});

/** A handler that replaces another, and whether each finds `www.example.org` in its file. */
function succeed(changes: Partial<HostsOptions>) {
  const { engine, handler, ask } = handlerOf();
  const options = { ...OPTIONS, ...changes };
  const next = createHosts(options, { engine, zones: ["."], position: 0, previous: handler });
  handler.stop!();
  const found = (one: Handler) => {
    const exchange = exchangeFor({ name: "www.example.org", type: "A" });
    assert.equal(one.query!(exchange), ANSWERED);
    return decodeResponse(exchange).rcode === "NOERROR";
  };
  return { engine, next, ask, found };
}

Deno.test("hosts: a reload of other options keeps the table", () => {
  const { engine, next, ask, found } = succeed({ ttlSeconds: 60 });
  assert.ok(found(next));
  assert.deepEqual(ask("www.example.org"), ["192.0.2.1", "192.0.2.2"]);
  assert.ok(engine.value("coredns_hosts_entries") > 1);
  next.stop!();
  assert.ok(!found(next), "the memory of an unused table is not released");
});

for (
  const changes of [
    { path: "/etc/other" },
    { zones: ["example.org."] },
    { autoReverse: false },
    { authoritative: ["example.org."] },
    { inline: ["192.0.2.1 other.example.org"] },
  ]
) {
  Deno.test(`hosts: a reload with ${JSON.stringify(changes)} does not keep the table`, () => {
    const { next, found } = succeed(changes);
    assert.ok(!found(next));
  });
}

Deno.test("hosts: the memory of a large table is released in steps between queries", () => {
  const engine = fakeEngine();
  const retired = new RetiredTables(engine.timers);
  const sizes = [3.5, 1.5].map((mebibytes) => mebibytes * 2 ** 20);
  const buffers = sizes.map((size) => new ArrayBuffer(size, { maxByteLength: size }));
  for (const buffer of buffers) retired.add(buffer, 0);
  const seen = [];
  for (let nowMs = 1; nowMs <= 6; nowMs++) {
    seen.push(buffers.map(({ byteLength }) => byteLength / 2 ** 20));
    engine.advanceTo(nowMs);
  }
  assert.deepEqual(seen, [[2.5, 1.5], [1.5, 1.5], [0.5, 1.5], [0, 1.5], [0, 0.5], [0, 0]]);
});
