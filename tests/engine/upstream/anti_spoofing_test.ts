import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type * as codec from "dns-packet";
import { a, queryBytes, responseBytes } from "../../support/messages/messages.ts";
import { type Behaviour, onlyAnswer, Simulation } from "../../support/simulation/simulation.ts";

interface Option {
  code: number;
  data: Uint8Array;
}

const good: Behaviour = (query) => [{
  bytes: responseBytes(query, { answers: [a(query.questions![0]!.name, "192.0.2.7")] }),
}];

function world(upstream: Behaviour, options = "", corefile = ""): Simulation {
  const text = corefile === "" ? `. {\n forward . 10.0.0.1 {\n ${options}\n }\n}` : corefile;
  const simulation = new Simulation(text);
  simulation.upstream("10.0.0.1:53", upstream);
  return simulation;
}

function ask(simulation: Simulation, name = "www.example.org") {
  const asked = simulation.ask(queryBytes({ name }));
  simulation.run(500);
  return asked;
}

function optionOf(query: codec.DecodedPacket, code: number): Buffer | null {
  const opt = query.additionals!.find(({ type }) => type === "OPT") as unknown as {
    options: Option[];
  } | undefined;
  const option = opt?.options.find((one) => one.code === code);
  return option === undefined ? null : Buffer.from(option.data);
}

/** A good answer with this COOKIE option. */
function withCookie(query: codec.DecodedPacket, cookie: Uint8Array): Uint8Array {
  return responseBytes(query, {
    answers: [a(query.questions![0]!.name, "192.0.2.7")],
    options: [{ code: 10, data: cookie }],
  });
}

Deno.test("three wrong replies to a query, and it is asked again over TCP", () => {
  const transports: string[] = [];
  const simulation = world((query, transport) => {
    transports.push(transport);
    const { name } = query.questions![0]!;
    if (transport === "tcp") return good(query, transport);
    const forged = { ...query, id: query.id! ^ 0x5555 };
    return [1, 2, 3].map((delayMs) => ({
      bytes: responseBytes(forged, { answers: [a(name, "203.0.113.66")] }),
      delayMs,
    })).concat([{
      bytes: responseBytes(query, { answers: [a(name, "203.0.113.66")] }),
      delayMs: 4,
    }]);
  });
  const answer = onlyAnswer(ask(simulation));
  assert.equal((answer.answers![0] as { data: string }).data, "192.0.2.7");
  assert.deepEqual(transports, ["udp", "tcp"]);
  assert.equal(simulation.count("nodens_upstream_mismatched_replies_total"), 3);
  assert.equal(simulation.count("nodens_forward_forgeries_suspected_total"), 1);
});

Deno.test("every query has an id of its own", () => {
  const ids = new Set<number>();
  const simulation = world((query, transport) => {
    ids.add(query.id!);
    return good(query, transport);
  });
  for (let i = 0; i < 200; i++) ask(simulation, `n${i}.example.org`);
  assert.ok(ids.size > 190, `${ids.size} ids in 200 queries`);
});

Deno.test("a server's cookie comes back to it", () => {
  const seen: Buffer[] = [];
  const simulation = world((query) => {
    const cookie = optionOf(query, 10)!;
    seen.push(cookie);
    const server = Buffer.alloc(16, 0xab);
    return [{ bytes: withCookie(query, Buffer.concat([cookie.subarray(0, 8), server])) }];
  });
  ask(simulation, "a.example.org");
  ask(simulation, "b.example.org");
  assert.equal(seen[0]!.length, 8);
  assert.equal(seen[1]!.length, 24);
  assert.deepEqual(seen[1]!.subarray(0, 8), seen[0]);
});

Deno.test("a reply with somebody else's cookie is a forgery", () => {
  const simulation = world((query) => {
    const cookie = optionOf(query, 10)!;
    const forged = Buffer.concat([Buffer.alloc(8, 1), Buffer.alloc(8, 2)]);
    const right = Buffer.concat([cookie.subarray(0, 8), Buffer.alloc(8, 2)]);
    const lie = responseBytes(query, {
      answers: [a(query.questions![0]!.name, "203.0.113.66")],
      options: [{ code: 10, data: forged }],
    });
    return [{ bytes: lie, delayMs: 1 }, { bytes: withCookie(query, right), delayMs: 5 }];
  });
  const answer = onlyAnswer(ask(simulation));
  assert.equal((answer.answers![0] as { data: string }).data, "192.0.2.7");
  assert.equal(simulation.count("nodens_upstream_mismatched_replies_total"), 1);
});

Deno.test("a server that had a cookie and sends none is asked over TCP, then taken at its word", () => {
  let cookies = true;
  const transports: string[] = [];
  const simulation = world((query, transport) => {
    transports.push(transport);
    const cookie = optionOf(query, 10)!;
    if (!cookies) return good(query, transport);
    return [{
      bytes: withCookie(query, Buffer.concat([cookie.subarray(0, 8), Buffer.alloc(8, 2)])),
    }];
  });
  ask(simulation, "a.example.org");
  cookies = false;
  assert.equal(onlyAnswer(ask(simulation, "b.example.org")).rcode, "NOERROR");
  assert.equal(onlyAnswer(ask(simulation, "c.example.org")).rcode, "NOERROR");
  assert.deepEqual(transports, ["udp", "udp", "tcp", "udp"]);
});

Deno.test("BADCOOKIE is answered with the server's fresh cookie, then over TCP", () => {
  const transports: string[] = [];
  const bad: Behaviour = (query, transport) => {
    transports.push(transport);
    if (transport === "tcp") return good(query, transport);
    const client = optionOf(query, 10)!.subarray(0, 8);
    return [{
      bytes: responseBytes(query, {
        rcode: 7,
        extendedRcode: 1,
        options: [{ code: 10, data: Buffer.concat([client, Buffer.alloc(8, transports.length)]) }],
      }),
    }];
  };
  const simulation = world(bad);
  assert.equal(onlyAnswer(ask(simulation)).rcode, "NOERROR");
  assert.deepEqual(transports, ["udp", "udp", "tcp"]);
});

Deno.test("a server that calls a cookie malformed gets none any more", () => {
  let queries = 0;
  const simulation = world((query, transport) => {
    queries++;
    return optionOf(query, 10) === null
      ? good(query, transport)
      : [{ bytes: responseBytes(query, { rcode: 1 }) }];
  });
  assert.equal(onlyAnswer(ask(simulation, "a.example.org")).rcode, "NOERROR");
  assert.equal(onlyAnswer(ask(simulation, "b.example.org")).rcode, "NOERROR");
  assert.equal(queries, 3);
});

Deno.test("no_cookies sends none", () => {
  const simulation = world((query, transport) => {
    assert.equal(optionOf(query, 10), null);
    return good(query, transport);
  }, "no_cookies");
  assert.equal(onlyAnswer(ask(simulation)).rcode, "NOERROR");
});

Deno.test("x20 spells names by chance and wants them back so", () => {
  const spellings = new Set<string>();
  const simulation = world((query) => {
    const { name } = query.questions![0]!;
    spellings.add(name);
    const other = { ...query.questions![0]!, name: name.toLowerCase() };
    const lie = responseBytes(query, {
      question: other,
      answers: [a("www.example.org", "203.0.113.66")],
    });
    return [
      { bytes: lie, delayMs: 1 },
      { bytes: responseBytes(query, { answers: [a(name, "192.0.2.7")] }), delayMs: 3 },
    ];
  }, "x20");
  for (let i = 0; i < 20; i++) {
    const answer = onlyAnswer(ask(simulation));
    assert.equal((answer.answers![0] as { data: string }).data, "192.0.2.7");
    assert.equal(answer.questions![0]!.name, "www.example.org");
  }
  assert.ok(spellings.size > 15, `${spellings.size} spellings in 20 queries`);
});

Deno.test("with x20, a server that loses the case is asked over TCP", () => {
  const simulation = world((query, transport) => {
    const { name } = query.questions![0]!;
    const lower = responseBytes(query, {
      question: { ...query.questions![0]!, name: name.toLowerCase() },
      answers: [a(name.toLowerCase(), "192.0.2.7")],
    });
    return transport === "udp" ? [1, 2, 3].map((delayMs) => ({ bytes: lower, delayMs })) : [{
      bytes: lower,
    }];
  }, "x20");
  assert.equal(onlyAnswer(ask(simulation)).rcode, "NOERROR");
});

Deno.test("queries over TLS are padded to multiples of 128 octets", () => {
  const sizes: number[] = [];
  const simulation = new Simulation(". {\n forward . tls://10.0.0.1\n}");
  simulation.upstream("10.0.0.1:853", (query, transport) => {
    assert.equal(transport, "tcp");
    sizes.push(simulation.lastSize);
    return good(query, transport);
  });
  for (const length of [1, 20, 60]) ask(simulation, `${"a".repeat(length)}.example.org`);
  assert.equal(sizes.length, 3);
  for (const size of sizes) assert.equal(size % 128, 0, `${size}`);
});
