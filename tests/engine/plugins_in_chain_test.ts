import assert from "node:assert/strict";
import { type Address, parseAddress } from "../../src/dns/address.ts";
import { a, decode, queryBytes, responseBytes } from "../support/messages/messages.ts";
import {
  type Asked,
  type Behaviour,
  frame,
  onlyAnswer,
  Simulation,
} from "../support/simulation/simulation.ts";

class Clients extends Simulation {
  client = "192.0.2.7";

  override address(
    of: "slot" | "kept" | "stream",
    reference: number,
    side: "client" | "local",
    target: Address,
  ): void {
    super.address(of, reference, side, target);
    if (side === "client") target.bytes.set(parseAddress(this.client)!);
  }
}

const UPSTREAM = "10.0.0.1";
const LARGE = "large.example.org";

/** Answers A queries, and a large name with 1,500 octets of TXT; other answers are empty. */
const upstream: Behaviour = (query, transport) => {
  const { name, type } = query.questions![0]!;
  const server = { type: "NS" as const, name: "example.org", ttl: 20, data: "ns.example.org" };
  if (name.toLowerCase() === LARGE) {
    const data = Array.from({ length: 6 }, () => "x".repeat(240));
    const answers = [{ type: "TXT" as const, name, ttl: 60, data }];
    if (transport === "udp") return [{ bytes: responseBytes(query, { truncated: true }) }];
    return [{ bytes: responseBytes(query, { answers }) }];
  }
  const answers = type === "A" ? [a(name, "192.0.2.1", 60)] : [];
  return [{ bytes: responseBytes(query, { answers, authorities: [server] }), delayMs: 5 }];
};

function start(directives: string): Clients {
  const corefile = `. {\n${directives}\nforward . ${UPSTREAM}\n}`;
  const simulation = new Clients(corefile);
  simulation.upstream(`${UPSTREAM}:53`, upstream);
  return simulation;
}

function ask(
  simulation: Clients,
  query: Partial<Parameters<typeof queryBytes>[0]> = {},
): Asked {
  const asked = simulation.ask(queryBytes({ name: "www.example.org", ...query }));
  simulation.run(100);
  return asked;
}

function optOf(asked: Asked): { size: number; options: { code: number; data: string }[] } | null {
  const opt = onlyAnswer(asked).additionals!.find(({ type }) => type === "OPT");
  if (opt === undefined) return null;
  const { udpPayloadSize, options } = opt as unknown as {
    udpPayloadSize: number;
    options: { code: number; data: Uint8Array }[];
  };
  return {
    size: udpPayloadSize,
    options: options.map(({ code, data }) => ({ code, data: new TextDecoder().decode(data) })),
  };
}

Deno.test("acl decides before the cache, whatever is cached", () => {
  const simulation = start("cache\nacl {\n allow net 192.0.2.0/25\n block\n}");
  assert.equal(onlyAnswer(ask(simulation)).rcode, "NOERROR");
  assert.equal(simulation.count("coredns_cache_entries"), 1);
  simulation.client = "192.0.2.200";
  const blocked = ask(simulation, { edns: 1232 });
  assert.equal(onlyAnswer(blocked).rcode, "REFUSED");
  assert.deepEqual(optOf(blocked)!.options.map(({ code }) => code), [15]);
  assert.equal(onlyAnswer(blocked).answers!.length, 0);
  simulation.client = "192.0.2.8";
  assert.equal(onlyAnswer(ask(simulation)).answers!.length, 1);
  assert.equal(simulation.seen.length, 1);
  assert.equal(simulation.count("coredns_cache_entries"), 1);
});

Deno.test("acl's answers are neither cached nor logged as errors", () => {
  const simulation = start("errors\ncache\nacl {\n filter type AAAA\n block type MX\n}");
  for (let i = 0; i < 2; i++) {
    const filtered = ask(simulation, { type: "AAAA" });
    assert.equal(onlyAnswer(filtered).rcode, "NOERROR");
    assert.equal(onlyAnswer(filtered).authorities!.length, 0);
    assert.equal(optOf(filtered), null);
    assert.equal(onlyAnswer(ask(simulation, { type: "MX" })).rcode, "REFUSED");
  }
  assert.deepEqual(simulation.logs, []);
  assert.deepEqual(simulation.seen, []);
  assert.equal(simulation.count("coredns_cache_requests_total"), 0);
});

Deno.test("acl drops over UDP and TCP without closing the stream", () => {
  const simulation = start("acl {\n drop type AAAA\n}");
  const asked = simulation.ask(queryBytes({ name: "www.example.org", type: "AAAA" }));
  const stream = simulation.openStream();
  stream.send(frame(queryBytes({ name: "www.example.org", type: "AAAA", id: 1 })));
  stream.send(frame(queryBytes({ name: "www.example.org", id: 2 })));
  simulation.run(100);
  assert.deepEqual(asked.answers, []);
  assert.deepEqual(stream.received.map((bytes) => decode(bytes).id), [2]);
  assert.equal(stream.closed(), false);
  assert.equal(simulation.keptCount, 0);
  assert.equal(simulation.count("coredns_acl_dropped_requests_total"), 2);
});

Deno.test("any answers before acl, the cache and upstreams", () => {
  const simulation = start("cache\nany\nacl {\n block\n}");
  const answer = onlyAnswer(ask(simulation, { type: "ANY" }));
  assert.equal(answer.rcode, "NOERROR");
  assert.deepEqual(answer.answers!.map(({ type }) => type), ["HINFO"]);
  assert.deepEqual(simulation.seen, []);
});

Deno.test("the cache stores the records that minimal leaves, with their TTL", () => {
  const simulation = start("cache\nminimal");
  for (let i = 0; i < 2; i++) {
    const { answers, authorities } = onlyAnswer(ask(simulation));
    assert.equal(authorities!.length, 0);
    assert.deepEqual(answers!.map((record) => (record as { ttl?: number }).ttl), [60]);
  }
  assert.equal(simulation.seen.length, 1);
  assert.equal(onlyAnswer(ask(simulation, { type: "MX" })).authorities!.length, 1);
});

Deno.test("without minimal the authority section is sent", () => {
  assert.equal(onlyAnswer(ask(start("cache"))).authorities!.length, 1);
});

const SIZES = [
  { bufsize: "", edns: 4096, truncated: true, announced: 1232 },
  { bufsize: "", edns: 65535, truncated: true, announced: 1232 },
  { bufsize: "bufsize", edns: 4096, truncated: true, announced: 1232 },
  { bufsize: "bufsize 4096", edns: 4096, truncated: false, announced: 1232 },
  { bufsize: "bufsize 4096", edns: 1232, truncated: true, announced: 1232 },
  { bufsize: "bufsize 600", edns: 4096, truncated: true, announced: 600 },
];

for (const { bufsize, edns, truncated, announced } of SIZES) {
  Deno.test(`${bufsize || "no bufsize"}: 1,500 octets for a client that takes ${edns}`, () => {
    const simulation = start(`cache\n${bufsize}`);
    // First from the upstream, then from the cache.
    for (let i = 0; i < 2; i++) {
      const asked = ask(simulation, { name: LARGE, type: "TXT", edns });
      assert.equal(onlyAnswer(asked).flag_tc, truncated);
      assert.equal(optOf(asked)!.size, announced);
    }
    const stream = simulation.openStream();
    stream.send(frame(queryBytes({ name: LARGE, type: "TXT", edns })));
    assert.equal(decode(stream.received[0]!).flag_tc, false);
  });
}

Deno.test("the announced size is configured by the query's block", () => {
  const simulation = new Simulation(
    "a.example.org {\n bufsize 600\n whoami\n}\nb.example.org {\n whoami\n}\n",
  );
  for (const [name, size] of [["a", 600], ["b", 1232], ["a", 600]] as const) {
    const asked = simulation.ask(queryBytes({ name: `${name}.example.org`, edns: 4096 }));
    assert.equal(optOf(asked)!.size, size);
  }
});

Deno.test("nsid is sent to clients that ask for it, with misses and hits", () => {
  const simulation = start("nsid Use The Force\ncache");
  const ednsOptions = [{ code: 3, data: new Uint8Array(0) }];
  const asking = simulation.ask(queryBytes({ name: "www.example.org", edns: 1232, ednsOptions }));
  const silent = simulation.ask(queryBytes({ name: "www.example.org", edns: 1232 }));
  simulation.run(100);
  const expected = [{ code: 3, data: "Use The Force" }];
  assert.deepEqual(optOf(asking)!.options, expected);
  assert.deepEqual(optOf(silent)!.options, []);
  assert.deepEqual(optOf(ask(simulation, { edns: 1232, ednsOptions }))!.options, expected);
  assert.deepEqual(optOf(ask(simulation, { edns: 1232 }))!.options, []);
  assert.equal(optOf(ask(simulation)), null);
  assert.equal(simulation.seen.length, 1);
});

Deno.test("the longest nsid, name and error text fit into 512 octets", () => {
  const label = "a".repeat(63);
  const name = `${label}.${label}.${label}.${"a".repeat(61)}`;
  const simulation = start(`nsid ${"n".repeat(128)}\nacl {\n block\n}`);
  const asked = ask(simulation, {
    name,
    edns: 512,
    ednsOptions: [{ code: 3, data: new Uint8Array(0) }],
  });
  assert.deepEqual(optOf(asked)!.options.map(({ code }) => code), [15, 3]);
  assert.ok(asked.answers[0]!.bytes.length <= 512);
  assert.equal(onlyAnswer(asked).flag_tc, false);
});
