import assert from "node:assert/strict";
import type * as codec from "dns-packet";
import { a, responseBytes } from "../../support/messages/messages.ts";
import {
  addressIn,
  ask,
  askMany,
  cookieOf,
  forwarding,
  rcodes,
  serverCookie,
} from "../../support/simulation/forwarding.ts";
import { type Behaviour, onlyAnswer, Simulation } from "../../support/simulation/simulation.ts";
import { answering, folding, overTcp } from "../../support/simulation/upstream_kinds.ts";

/** A forwarder to one upstream, and the transport of each query to it. */
function world(
  upstream: Behaviour,
  options = "",
): { simulation: Simulation; transports: string[] } {
  const transports: string[] = [];
  const simulation = forwarding({
    "10.0.0.1": (query, transport) => {
      transports.push(transport);
      return upstream(query, transport);
    },
  }, { options });
  return { simulation, transports };
}

const answer = (query: codec.DecodedPacket, options = serverCookie(query), address = "192.0.2.7") =>
  responseBytes(query, { answers: [a(query.questions![0]!.name, address)], options });

Deno.test("after three wrong replies, a query is sent again over TCP", () => {
  const forging: Behaviour = (query) => [
    ...[1, 2, 3].map((delayMs) => ({
      bytes: answer({ ...query, id: query.id! ^ 0x5555 }, [], "203.0.113.66"),
      delayMs,
    })),
    { bytes: answer(query, [], "203.0.113.66"), delayMs: 4 },
  ];
  const { simulation, transports } = world(overTcp(answering(), forging));
  assert.equal(addressIn(ask(simulation, { forMs: 500 })), "192.0.2.7");
  assert.deepEqual(transports, ["udp", "tcp"]);
  assert.equal(simulation.count("nodens_upstream_mismatched_replies_total"), 3);
  assert.equal(simulation.count("nodens_forward_forgeries_suspected_total"), 1);
});

Deno.test("every query has a random id", () => {
  const ids = new Set<number>();
  const { simulation } = world((query, transport) => {
    ids.add(query.id!);
    return answering()(query, transport);
  });
  askMany(simulation, 200, { forMs: 500 });
  assert.ok(ids.size > 190, `${ids.size} ids in 200 queries`);
});

Deno.test("a server's cookie is returned to it", () => {
  const seen: Uint8Array[] = [];
  const { simulation } = world((query) => {
    seen.push(cookieOf(query)!);
    return [{ bytes: answer(query, serverCookie(query, { size: 16, octet: 0xab })) }];
  });
  askMany(simulation, 2, { forMs: 500 });
  assert.deepEqual(seen.map(({ length }) => length), [8, 24]);
  assert.deepEqual(seen[1]!.subarray(0, 8), seen[0]);
});

Deno.test("a reply with another cookie is rejected as a forgery", () => {
  const { simulation } = world((query) => {
    const forged = [{
      code: 10,
      data: Uint8Array.of(1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2),
    }];
    return [{ bytes: answer(query, forged, "203.0.113.66") }, { bytes: answer(query), delayMs: 5 }];
  });
  assert.equal(addressIn(ask(simulation, { forMs: 500 })), "192.0.2.7");
  assert.equal(simulation.count("nodens_upstream_mismatched_replies_total"), 1);
});

Deno.test("a server that stops sending cookies is asked over TCP once, then trusted", () => {
  let cookies = true;
  const { simulation, transports } = world((query) => [{
    bytes: answer(query, cookies ? serverCookie(query) : []),
  }]);
  ask(simulation, { forMs: 500 });
  cookies = false;
  assert.deepEqual(rcodes(askMany(simulation, 2, { forMs: 500 })), ["NOERROR"]);
  assert.deepEqual(transports, ["udp", "udp", "tcp", "udp"]);
});

Deno.test("after BADCOOKIE a query is sent with the fresh cookie, then over TCP", () => {
  const { simulation, transports } = world(overTcp(answering(), (query) => {
    const options = serverCookie(query, { octet: transports.length });
    return [{ bytes: responseBytes(query, { rcode: 7, extendedRcode: 1, options }) }];
  }));
  assert.deepEqual(rcodes([ask(simulation, { forMs: 500 })]), ["NOERROR"]);
  assert.deepEqual(transports, ["udp", "udp", "tcp"]);
});

Deno.test("a server that rejects a cookie as malformed gets no more cookies", () => {
  const { simulation, transports } = world((query, transport) =>
    cookieOf(query) === null
      ? answering()(query, transport)
      : [{ bytes: responseBytes(query, { rcode: 1 }) }]
  );
  assert.deepEqual(rcodes(askMany(simulation, 2, { forMs: 500 })), ["NOERROR"]);
  assert.equal(transports.length, 3);
});

Deno.test("no_cookies sends no cookies", () => {
  const { simulation } = world((query, transport) => {
    assert.equal(cookieOf(query), null);
    return answering()(query, transport);
  }, "no_cookies");
  assert.deepEqual(rcodes([ask(simulation, { forMs: 500 })]), ["NOERROR"]);
});

Deno.test("x20 sends names in random case and requires the same in replies", () => {
  const spellings = new Set<string>();
  const { simulation } = world((query, transport) => {
    spellings.add(query.questions![0]!.name);
    const lie = folding(answering(1, "203.0.113.66"))(query, transport);
    return [...lie as Exclude<typeof lie, "refuse">, { bytes: answer(query, []), delayMs: 3 }];
  }, "x20");
  for (let i = 0; i < 20; i++) {
    const asked = ask(simulation, { forMs: 500 });
    assert.equal(addressIn(asked), "192.0.2.7");
    assert.equal(onlyAnswer(asked).questions![0]!.name, "www.example.org");
  }
  assert.ok(spellings.size > 15, `${spellings.size} spellings in 20 queries`);
});

Deno.test("with x20, a server that changes the case is asked over TCP", () => {
  const threeTimes: Behaviour = (query, transport) =>
    [1, 2, 3].flatMap((delayMs) =>
      folding(answering(delayMs))(query, transport) as { bytes: Uint8Array }[]
    );
  const { simulation, transports } = world(overTcp(folding(answering()), threeTimes), "x20");
  assert.deepEqual(rcodes([ask(simulation, { forMs: 500 })]), ["NOERROR"]);
  assert.deepEqual(transports, ["udp", "tcp"]);
});

Deno.test("queries over TLS are padded to multiples of 128 octets", () => {
  const sizes: number[] = [];
  const simulation = new Simulation(". {\n forward . tls://10.0.0.1\n}");
  simulation.upstream("10.0.0.1:853", (query, transport) => {
    assert.equal(transport, "tcp");
    sizes.push(simulation.lastSize);
    return answering()(query, transport);
  });
  for (const length of [1, 20, 60]) {
    ask(simulation, { name: `${"a".repeat(length)}.example.org`, forMs: 500 });
  }
  assert.equal(sizes.length, 3);
  for (const size of sizes) assert.equal(size % 128, 0, `${size}`);
});
