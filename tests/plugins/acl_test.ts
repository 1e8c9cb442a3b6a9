import assert from "node:assert/strict";
import fc from "fast-check";
import { loadConfig } from "../../src/loading/load.ts";
import { Address, parseAddress } from "../../src/dns/address.ts";
import { ANSWERED, DROP, NEXT, type Verdict } from "../../src/engine/handler.ts";
import { createAcl } from "../../src/plugins/acl/handler.ts";
import { NetworkSet } from "../../src/plugins/acl/network_set.ts";
import type { AclOptions } from "../../src/plugins/acl/setup.ts";
import { INTERNAL } from "../../src/engine/exchange/origin.ts";
import { decodeResponse, exchangeFor, fakeEngine } from "../support/engine/fake_engine.ts";
import { fakeHost } from "../support/doubles/fake_host.ts";

type Outcome = "pass" | "block" | "filter" | "drop";

interface Case {
  title: string;
  /** The directives of the block `example.org`. */
  acl: string;
  client?: string;
  name?: string;
  type?: string;
  outcome: Outcome;
}

const V4 = "192.0.2.7";
const V6 = "2001:db8::7";

const CASES: Case[] = [
  { title: "a client in a blocked network", acl: "block net 192.0.2.0/24", outcome: "block" },
  { title: "a client beside it", acl: "block net 192.0.3.0/24", outcome: "pass" },
  { title: "the first address of a network", acl: "block net 192.0.2.7/29", outcome: "block" },
  {
    title: "the last address of a network",
    acl: "block net 192.0.2.0/29",
    outcome: "block",
  },
  {
    title: "the address behind a network",
    acl: "block net 192.0.2.0/29",
    client: "192.0.2.8",
    outcome: "pass",
  },
  { title: "a single address", acl: "filter net 192.0.2.7", outcome: "filter" },
  { title: "another single address", acl: "filter net 192.0.2.6", outcome: "pass" },
  { title: "a network with host bits set", acl: "drop net 192.0.2.200/24", outcome: "drop" },
  { title: "a high network", acl: "block net 240.0.0.0/4", client: "255.1.2.3", outcome: "block" },
  { title: "an IPv6 network", acl: "block net 2001:db8::/32", client: V6, outcome: "block" },
  {
    title: "an IPv6 address beside it",
    acl: "block net 2001:db9::/32",
    client: V6,
    outcome: "pass",
  },
  { title: "an IPv6 address", acl: "block net 2001:db8::7", client: V6, outcome: "block" },
  { title: "IPv6 in all IPv4", acl: "block net 0.0.0.0/0", client: V6, outcome: "pass" },
  { title: "IPv4 in all IPv6", acl: "block net ::/0", outcome: "pass" },
  { title: "IPv4 in a mapped network", acl: "block net ::ffff:192.0.2.0/120", outcome: "block" },
  { title: "anybody", acl: "block net *", client: V6, outcome: "block" },
  { title: "anybody, unsaid", acl: "drop", client: V6, outcome: "drop" },
  { title: "the type", acl: "filter type A AAAA", type: "AAAA", outcome: "filter" },
  { title: "another type", acl: "filter type A AAAA", type: "MX", outcome: "pass" },
  { title: "ANY, which is a type like others", acl: "filter type ANY", outcome: "pass" },
  { title: "type and network", acl: "block type A net 192.0.2.0/24", outcome: "block" },
  { title: "type without network", acl: "block type A net 10.0.0.0/8", outcome: "pass" },
  {
    title: "network without type",
    acl: "block type A net 192.0.2.0/24",
    type: "MX",
    outcome: "pass",
  },
  {
    title: "the first rule that matches",
    acl: "allow net 192.0.2.0/25\nblock net 192.0.2.0/24",
    outcome: "pass",
  },
  {
    title: "a later rule",
    acl: "allow net 192.0.2.0/25\nblock net 192.0.2.0/24",
    client: "192.0.2.200",
    outcome: "block",
  },
  {
    title: "what no rule names",
    acl: "allow net 192.0.2.0/25\nblock net 192.0.2.0/24",
    client: "192.0.3.1",
    outcome: "pass",
  },
  { title: "a name in the zone", acl: "ZONES a.example.org\nblock", outcome: "block" },
  {
    title: "a name outside the zone",
    acl: "ZONES a.example.org\nblock",
    name: "b.example.org",
    outcome: "pass",
  },
  {
    title: "the second directive where the first has no say",
    acl: "block net 10.0.0.0/8\n}\nacl {\ndrop",
    outcome: "drop",
  },
  { title: "allow over all that follows", acl: "allow\n}\nacl {\ndrop", outcome: "pass" },
];

const VERDICTS: Record<Outcome, Verdict> = {
  pass: NEXT,
  block: ANSWERED,
  filter: ANSWERED,
  drop: DROP,
};
const COUNTERS: Record<Outcome, string> = {
  pass: "allowed",
  block: "blocked",
  filter: "filtered",
  drop: "dropped",
};

function aclOptions(body: string): AclOptions {
  const [, zones = "", rules] = /^(?:ZONES (.*)\n)?([^]*)$/.exec(body)!;
  const text = `example.org {\nacl ${zones} {\n${rules}\n}\nwhoami\n}\n`;
  const { config } = loadConfig({ file: "Corefile", text, defaultPort: 53 }, fakeHost());
  return config.blocks[0]!.plugins[0]!.options as AclOptions;
}

for (const { title, acl, outcome, client = V4, name = "www.a.example.org", type } of CASES) {
  Deno.test(`acl: ${title}: ${outcome}`, () => {
    const engine = fakeEngine({ address: client, port: 53 });
    const handler = createAcl(aclOptions(acl), { engine, zones: ["example.org."], position: 0 });
    const exchange = exchangeFor({ name, edns: 1232, ...(type === undefined ? {} : { type }) });
    assert.equal(handler.query!(exchange), VERDICTS[outcome]);
    for (const [one, counter] of Object.entries(COUNTERS)) {
      const expected = one === outcome ? 1 : 0;
      assert.equal(engine.value(`coredns_acl_${counter}_requests_total`), expected, counter);
    }
    if (outcome !== "block" && outcome !== "filter") {
      assert.equal(exchange.response, null);
      return;
    }
    const response = decodeResponse(exchange);
    assert.equal(response.rcode, outcome === "block" ? "REFUSED" : "NOERROR");
    assert.equal(response.flag_aa, false);
    assert.equal(response.questions!.length, 1);
    assert.deepEqual([response.answers, response.authorities], [[], []]);
    assert.equal(exchange.extendedError, outcome === "block" ? 15 : 17);
    // What was meant to happen is no error to log.
    assert.equal(exchange.error, "");
  });
}

Deno.test("acl has no say over queries of nodens' own", () => {
  const engine = fakeEngine();
  const handler = createAcl(aclOptions("drop"), { engine, zones: ["."], position: 0 });
  const exchange = exchangeFor({ name: "example.org" });
  exchange.origin = INTERNAL;
  assert.equal(handler.query!(exchange), NEXT);
  assert.equal(engine.value("coredns_acl_allowed_requests_total"), 0);
});

const network = (size: number) =>
  fc.record({
    // Few values, so that networks overlap, touch and repeat.
    octets: fc.array(fc.constantFrom(0, 1, 2, 127, 128, 254, 255), {
      minLength: size,
      maxLength: size,
    }),
    prefix: fc.integer({ min: 0, max: 8 * size }),
  });

for (const [family, size] of [[4, 4], [6, 16]] as const) {
  Deno.test(`a set of IPv${family} networks holds what one of them holds`, () => {
    fc.assert(
      fc.property(fc.array(network(size)), network(size), (networks, { octets }) => {
        const address = new Address();
        address.family = family;
        address.bytes.set(octets);
        const bits = (bytes: number[]) =>
          bytes.map((octet) => octet.toString(2).padStart(8, "0")).join("");
        const expected = networks.some(({ octets: base, prefix }) =>
          bits(base).slice(0, prefix) === bits(octets).slice(0, prefix)
        );
        assert.equal(new NetworkSet(networks).contains(address), expected);
      }),
      { numRuns: 1000 },
    );
  });
}

Deno.test("a set of networks keeps the families apart", () => {
  const set = new NetworkSet([{ octets: [32, 1, 13, 184], prefix: 32 }]);
  const address = new Address();
  address.family = 6;
  address.bytes.set(parseAddress("2001:db8::")!);
  assert.equal(set.contains(address), false);
  address.family = 4;
  assert.equal(set.contains(address), true);
});
