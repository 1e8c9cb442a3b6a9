import assert from "node:assert/strict";
import fc from "fast-check";
import { Address, parseAddress } from "../../src/dns/address.ts";
import { INTERNAL } from "../../src/engine/exchange/origin.ts";
import { ANSWERED, DROP, NEXT } from "../../src/engine/handler.ts";
import { loadConfig } from "../../src/loading/load.ts";
import { createAcl } from "../../src/plugins/acl/handler.ts";
import { NetworkSet } from "../../src/plugins/acl/network_set.ts";
import type { AclOptions } from "../../src/plugins/acl/setup.ts";
import { fakeHost } from "../support/doubles/fake_host.ts";
import { decodeResponse, exchangeFor, fakeEngine } from "../support/engine/fake_engine.ts";
import { makeHandler } from "./make_handler.ts";
import "../support/engine/all_plugins.ts";

const V4 = "192.0.2.7";
const V6 = "2001:db8::7";
const FIRST_HALF = "allow net 192.0.2.0/25\nblock net 192.0.2.0/24";
const VERDICTS = { pass: NEXT, block: ANSWERED, filter: ANSWERED, drop: DROP };
const COUNTERS = { pass: "allowed", block: "blocked", filter: "filtered", drop: "dropped" };
type Outcome = keyof typeof VERDICTS;

interface Query {
  client?: string;
  name?: string;
  type?: string;
}

const CASES: [title: string, acl: string, outcome: Outcome, query?: Query][] = [
  ["a client in a blocked network", "block net 192.0.2.0/24", "block"],
  ["a client in another network", "block net 192.0.3.0/24", "pass"],
  ["an address with a prefix", "block net 192.0.2.7/29", "block"],
  ["the last address of a network", "block net 192.0.2.0/29", "block"],
  ["the address after a network", "block net 192.0.2.0/29", "pass", { client: "192.0.2.8" }],
  ["a single address", "filter net 192.0.2.7", "filter"],
  ["another single address", "filter net 192.0.2.6", "pass"],
  ["a network with host bits set", "drop net 192.0.2.200/24", "drop"],
  ["a high network", "block net 240.0.0.0/4", "block", { client: "255.1.2.3" }],
  ["an IPv6 network", "block net 2001:db8::/32", "block", { client: V6 }],
  ["another IPv6 network", "block net 2001:db9::/32", "pass", { client: V6 }],
  ["an IPv6 address", "block net 2001:db8::7", "block", { client: V6 }],
  ["an IPv6 client of 0.0.0.0/0", "block net 0.0.0.0/0", "pass", { client: V6 }],
  ["an IPv4 client of ::/0", "block net ::/0", "pass"],
  ["an IPv4 client of a mapped network", "block net ::ffff:192.0.2.0/120", "block"],
  ["all clients", "block net *", "block", { client: V6 }],
  ["a rule without conditions", "drop", "drop", { client: V6 }],
  ["the type", "filter type A AAAA", "filter", { type: "AAAA" }],
  ["another type", "filter type A AAAA", "pass", { type: "MX" }],
  ["ANY, which is one type", "filter type ANY", "pass"],
  ["type and network", "block type A net 192.0.2.0/24", "block"],
  ["the type from another network", "block type A net 10.0.0.0/8", "pass"],
  ["another type from the network", "block type A net 192.0.2.0/24", "pass", { type: "MX" }],
  ["the first rule that matches", FIRST_HALF, "pass"],
  ["a later rule", FIRST_HALF, "block", { client: "192.0.2.200" }],
  ["a client without a rule", FIRST_HALF, "pass", { client: "192.0.3.1" }],
  ["a name in the zone", "ZONES a.example.org\nblock", "block"],
  ["a name outside the zone", "ZONES a.example.org\nblock", "pass", { name: "b.example.org" }],
  ["the next directive if none matches", "block net 10.0.0.0/8\n}\nacl {\ndrop", "drop"],
  ["allow before another directive", "allow\n}\nacl {\ndrop", "pass"],
];

function aclOptions(body: string): AclOptions {
  const [, zones = "", rules] = /^(?:ZONES (.*)\n)?([^]*)$/.exec(body)!;
  const text = `example.org {\nacl ${zones} {\n${rules}\n}\nwhoami\n}\n`;
  const { config } = loadConfig({ file: "Corefile", text, defaultPort: 53 }, fakeHost());
  return config.blocks[0]!.plugins[0]!.options as AclOptions;
}

for (const [title, acl, outcome, query] of CASES) {
  Deno.test(`acl: ${title}: ${outcome}`, () => {
    const { client = V4, ...question } = query ?? {};
    const engine = fakeEngine({ address: client, port: 53 });
    const exchange = exchangeFor({ name: "www.a.example.org", edns: 1232, ...question });
    const verdict = makeHandler(createAcl, aclOptions(acl), engine).query!(exchange);
    assert.equal(verdict, VERDICTS[outcome]);
    for (const [one, counter] of Object.entries(COUNTERS)) {
      const expected = one === outcome ? 1 : 0;
      assert.equal(engine.value(`coredns_acl_${counter}_requests_total`), expected, counter);
    }
    if (verdict !== ANSWERED) return assert.equal(exchange.response, null);
    const response = decodeResponse(exchange);
    assert.equal(response.rcode, outcome === "block" ? "REFUSED" : "NOERROR");
    assert.equal(response.flag_aa, false);
    assert.equal(response.questions!.length, 1);
    assert.deepEqual([response.answers, response.authorities], [[], []]);
    assert.equal(exchange.extendedError, outcome === "block" ? 15 : 17);
    assert.equal(exchange.error, "", "nothing to log");
  });
}

Deno.test("acl ignores internal queries", () => {
  const engine = fakeEngine();
  const exchange = exchangeFor({ name: "example.org" });
  exchange.origin = INTERNAL;
  assert.equal(makeHandler(createAcl, aclOptions("drop"), engine).query!(exchange), NEXT);
  assert.equal(engine.value("coredns_acl_allowed_requests_total"), 0);
});

function addressOf(family: 4 | 6, octets: ArrayLike<number>): Address {
  const address = new Address();
  address.family = family;
  address.bytes.set(octets);
  return address;
}

/** Few values, so that networks overlap, touch and repeat. */
const network = (size: number) =>
  fc.record({
    octets: fc.array(fc.constantFrom(0, 1, 2, 127, 128, 254, 255), {
      minLength: size,
      maxLength: size,
    }),
    prefix: fc.integer({ min: 0, max: 8 * size }),
  });

for (const [family, size] of [[4, 4], [6, 16]] as const) {
  Deno.test(`a set of IPv${family} networks contains the addresses of each`, () => {
    const bits = (octets: number[], length: number) =>
      octets.map((octet) => octet.toString(2).padStart(8, "0")).join("").slice(0, length);
    fc.assert(
      fc.property(fc.array(network(size)), network(size), (networks, { octets }) => {
        const expected = networks.some(({ octets: base, prefix }) =>
          bits(base, prefix) === bits(octets, prefix)
        );
        assert.equal(new NetworkSet(networks).contains(addressOf(family, octets)), expected);
      }),
      { numRuns: 1000 },
    );
  });
}

Deno.test("a set of networks distinguishes the families", () => {
  const set = new NetworkSet([{ octets: [32, 1, 13, 184], prefix: 32 }]);
  const octets = parseAddress("2001:db8::")!;
  assert.equal(set.contains(addressOf(6, octets)), false);
  assert.equal(set.contains(addressOf(4, octets)), true);
});
