import assert from "node:assert/strict";
import type { Answer, DecodedPacket } from "dns-packet";
import type { HostTiming } from "../../../src/follow/host_watch.ts";
import { following } from "../../support/doubles/followed.ts";
import { until } from "../../support/run/until.ts";
import { a, decode, responseBytes } from "../../support/messages/messages.ts";
import { ScriptedServer } from "../../support/simulation/scripted_server.ts";

const HOST = "dns.example.org";
/** About a hundredth of the real times, in the same order. */
const TIMING: HostTiming = {
  minRefreshMs: 20,
  maxRefreshMs: 60,
  minRetryMs: 10,
  maxRetryMs: 40,
  timeoutMs: 5000,
  attempts: 2,
};

type Transport = "udp" | "tcp";
type Reply = (query: DecodedPacket, transport: Transport) => Uint8Array[];

const aaaa = (name: string, data: string, ttl = 0): Answer => ({
  type: "AAAA",
  name,
  ttl,
  data,
  class: "IN",
});
const cname = (name: string, data: string): Answer => ({
  type: "CNAME",
  name,
  ttl: 0,
  data,
  class: "IN",
});
const typeOf = (query: DecodedPacket) => query.questions![0]!.type;

/** Answers with the records of the queried type, and with all CNAME records. */
function zone(records: () => Answer[], options = {}): Reply {
  return (query) => [
    responseBytes(query, {
      answers: records().filter(({ type }) => type === "CNAME" || type === typeOf(query)),
      edns: false,
      ...options,
    }),
  ];
}

async function withResolver(
  use: (context: {
    script: { reply: Reply; asked: DecodedPacket[] };
    servers: () => string[];
    changes: () => number;
    logs: string[];
    warnings: () => string[];
  }) => Promise<void>,
  reply: Reply,
  timing: Partial<HostTiming> = {},
): Promise<void> {
  const script = { reply, asked: [] as DecodedPacket[] };
  const resolver = await ScriptedServer.start((bytes, transport) => {
    const query = decode(bytes);
    script.asked.push(query);
    return script.reply(query, transport);
  });
  const corefile = `. {\n forward . ${HOST}:1053 {\n resolver 127.0.0.1:${resolver.port}\n }\n}\n`;
  const surroundings = { hostTiming: { ...TIMING, ...timing } };
  await following(corefile, surroundings, async ({ deliveries, logs }) => {
    await use({
      script,
      servers: () => deliveries.at(-1)?.servers ?? [],
      changes: () => deliveries.length,
      logs,
      warnings: () => logs.filter((line) => line.startsWith("warning: ")),
    });
  });
  await resolver.stop();
}

async function rounds(script: { asked: unknown[] }, count: number): Promise<void> {
  const end = script.asked.length + 2 * count;
  await until(() => script.asked.length >= end, "asking again");
}

Deno.test("upstream name: addresses of both families are followed, in a stable order", async () => {
  let records = [a(HOST, "192.0.2.1", 0), aaaa(HOST, "2001:DB8:0:0::1"), a(HOST, "192.0.2.2", 0)];
  await withResolver(async ({ script, servers, changes, logs }) => {
    await until(() => changes() === 1);
    assert.deepEqual(servers(), ["192.0.2.1:1053", "192.0.2.2:1053", "2001:db8::1:1053"]);
    assert.deepEqual(
      logs,
      [
        `info: plugin/forward: Corefile:2: forward .: ${HOST} changed: upstreams were none, ` +
        "are 192.0.2.1:1053 192.0.2.2:1053 [2001:db8::1]:1053",
      ],
    );
    records.reverse();
    await rounds(script, 3);
    assert.equal(changes(), 1);
    records = [a(HOST, "192.0.2.3", 0), a(HOST, "192.0.2.2", 0)];
    await until(() => changes() === 2);
    assert.deepEqual(servers(), ["192.0.2.2:1053", "192.0.2.3:1053"]);
    const [{ flag_rd, questions }] = script.asked as [DecodedPacket];
    assert.equal(flag_rd, true);
    assert.equal(questions![0]!.name, HOST);
    assert.ok(new Set(script.asked.map(({ id }) => id)).size > 3);
  }, zone(() => records));
});

Deno.test("upstream name: a failing lookup keeps the addresses, with one warning", async () => {
  const good = zone(() => [a(HOST, "192.0.2.1", 0)]);
  const spells: { what: string; reply: Reply; why: RegExp }[] = [
    {
      what: "NXDOMAIN",
      reply: zone(() => [], { rcode: 3 }),
      why: /it has no address, according to 127\.0\.0\.1:/,
    },
    { what: "no data", reply: zone(() => []), why: /it has no address/ },
    { what: "SERVFAIL", reply: zone(() => [], { rcode: 2 }), why: /SERVFAIL from 127\.0\.0\.1:/ },
    { what: "silence", reply: () => [], why: /127\.0\.0\.1:\d+: timed out/ },
  ];
  await withResolver(
    async ({ script, servers, changes, logs, warnings }) => {
      await until(() => changes() === 1);
      for (const [i, { what, reply, why }] of spells.entries()) {
        script.reply = reply;
        await until(() => warnings().length === i + 1, what);
        assert.match(warnings()[i]!, /Cannot resolve "dns\.example\.org": /);
        assert.match(warnings()[i]!, why);
        await rounds(script, 2);
        assert.equal(warnings().length, i + 1, what);
        script.reply = good;
        await until(() => logs.at(-1)!.endsWith('"dns.example.org" resolves again'), what);
      }
      assert.equal(changes(), 1);
      assert.deepEqual(servers(), ["192.0.2.1:1053"]);
    },
    good,
    { timeoutMs: 700, attempts: 1 },
  );
});

Deno.test("upstream name: the addresses of a family that cannot be resolved are kept", async () => {
  let records = [a(HOST, "192.0.2.1", 0), aaaa(HOST, "2001:db8::1")];
  const good = zone(() => records);
  await withResolver(async ({ script, servers, changes, warnings }) => {
    await until(() => changes() === 1);
    records = [a(HOST, "192.0.2.2", 0)];
    script.reply = (query, transport) =>
      typeOf(query) === "A"
        ? good(query, transport)
        : zone(() => [], { rcode: 2 })(query, transport);
    await until(() => changes() === 2);
    assert.deepEqual(servers(), ["2001:db8::1:1053", "192.0.2.2:1053"]);
    script.reply = good;
    await until(() => changes() === 3);
    assert.deepEqual(servers(), ["192.0.2.2:1053"]);
    assert.deepEqual(warnings(), []);
  }, good);
});

const LIES: { what: string; lie: Reply }[] = [
  {
    what: "another id",
    lie: (query) => [
      responseBytes({ ...query, id: query.id! ^ 1 }, { answers: [a(HOST, "198.51.100.1")] }),
    ],
  },
  {
    what: "another question",
    lie: (query) => [responseBytes(query, {
      question: { ...query.questions![0]!, name: "other.example.org" },
      answers: [a(HOST, "198.51.100.1")],
    })],
  },
  {
    what: "another type in the question",
    lie: (query) => [responseBytes(query, {
      question: { ...query.questions![0]!, type: "TXT" },
      answers: [a(HOST, "198.51.100.1")],
    })],
  },
  {
    what: "a query instead of a response",
    lie(query) {
      const bytes = responseBytes(query, { answers: [a(HOST, "198.51.100.1")] });
      bytes[2]! &= 0x7f;
      return [bytes];
    },
  },
  { what: "noise", lie: (query) => [new Uint8Array(40).fill(query.id!), new Uint8Array(0)] },
  {
    what: "a message that ends early",
    lie: (query) => [responseBytes(query, { answers: [a(HOST, "198.51.100.1")] }).slice(0, 40)],
  },
];

for (const { what, lie } of LIES) {
  Deno.test(`upstream name: ${what} is ignored as a reply`, async () => {
    const truth = zone(() => [a(HOST, "192.0.2.1", 0)]);
    await withResolver(async ({ servers, changes, warnings }) => {
      await until(() => changes() === 1);
      assert.deepEqual(servers(), ["192.0.2.1:1053"]);
      assert.deepEqual(warnings(), []);
    }, (query, transport) => [...lie(query, transport), ...truth(query, transport)]);
  });
}

const ANSWERS: { what: string; records: Answer[]; servers: string[] }[] = [
  {
    what: "a chain of CNAME in any order and case",
    records: [
      a("c.example.net", "192.0.2.5", 0),
      cname("B.example.net", "C.Example.NET"),
      cname(HOST.toUpperCase(), "b.example.net"),
    ],
    servers: ["192.0.2.5:1053"],
  },
  {
    what: "records of other names and classes, and impossible addresses",
    records: [
      a("other.example.org", "198.51.100.1", 0),
      a(HOST, "0.0.0.0", 0),
      a(HOST, "224.0.0.1", 0),
      a(HOST, "255.255.255.255", 0),
      aaaa(HOST, "::"),
      aaaa(HOST, "ff02::1"),
      { ...a(HOST, "198.51.100.2", 0), class: "CH" } as Answer,
      a(HOST, "192.0.2.5", 0),
      a(HOST, "192.0.2.5", 0),
    ],
    servers: ["192.0.2.5:1053"],
  },
  {
    what: "more addresses than are kept",
    records: Array.from({ length: 40 }, (_, i) => a(HOST, `192.0.2.${i + 1}`, 0)),
    servers: Array.from({ length: 32 }, (_, i) => `192.0.2.${i + 1}:1053`),
  },
];

for (const { what, records, servers: expected } of ANSWERS) {
  Deno.test(`upstream name: ${what}`, async () => {
    await withResolver(async ({ servers, changes }) => {
      await until(() => changes() === 1);
      assert.deepEqual(servers(), expected);
    }, zone(() => records));
  });
}

Deno.test("upstream name: a loop of CNAME records ends", async () => {
  await withResolver(async ({ changes, warnings }) => {
    await until(() => warnings().length === 1);
    assert.match(warnings()[0]!, /it has no address/);
    assert.equal(changes(), 0);
  }, zone(() => [cname(HOST, "b.example.net"), cname("b.example.net", HOST)]));
});

Deno.test("upstream name: a truncated reply is fetched again over TCP", async () => {
  const whole = zone(() => [a(HOST, "192.0.2.1", 0), a(HOST, "192.0.2.2", 0)]);
  await withResolver(
    async ({ servers, changes }) => {
      await until(() => changes() === 1);
      assert.deepEqual(servers(), ["192.0.2.1:1053", "192.0.2.2:1053"]);
    },
    (query, transport) =>
      transport === "tcp"
        ? whole(query, transport)
        : zone(() => [a(HOST, "198.51.100.1", 0)], { truncated: true })(query, transport),
  );
});

Deno.test("upstream name: the next lookup is after the TTL, within bounds", async () => {
  let ttl = 0;
  await withResolver(async ({ script }) => {
    await rounds(script, 2);
    ttl = 2 ** 31 - 1;
    await rounds(script, 3);
  }, zone(() => [a(HOST, "192.0.2.1", ttl)]));
});

Deno.test("upstream name: names, servers and files are combined; a silent resolver is replaced by the next", async () => {
  const [silent, good] = await Promise.all([
    ScriptedServer.start(() => []),
    ScriptedServer.start((bytes) => {
      const query = decode(bytes);
      return zone(() => [a(query.questions![0]!.name, "192.0.2.1", 0)])(query, "udp");
    }),
  ]);
  const path = Deno.makeTempFileSync();
  Deno.writeTextFileSync(path, "nameserver 192.0.2.7\n");
  const corefile = `. {\n forward . 192.0.2.9 tls://one.example ${path} two.example:1053 {\n` +
    ` resolver 127.0.0.1:${silent.port} 127.0.0.1:${good.port}\n }\n}\n`;
  const surroundings = { hostTiming: { ...TIMING, timeoutMs: 300 } };
  await following(corefile, surroundings, async ({ deliveries }) => {
    await until(() => deliveries.at(-1)?.servers.length === 4);
    assert.deepEqual(deliveries.at(-1)!.update.upstreams, [
      { address: "192.0.2.9", port: 53, transport: "dns", serverName: "" },
      { address: "192.0.2.1", port: 853, transport: "tls", serverName: "one.example" },
      { address: "192.0.2.7", port: 53, transport: "dns", serverName: "" },
      { address: "192.0.2.1", port: 1053, transport: "dns", serverName: "" },
    ]);
  });
  Deno.removeSync(path);
  await Promise.all([silent.stop(), good.stop()]);
});

const BOOTSTRAPS = [
  {
    what: "no server",
    resolvConf: "search example.org\n",
    why: /names no server to ask \(name one/,
  },
  {
    what: "nodens itself",
    resolvConf: "nameserver 127.0.0.1\n",
    why:
      /127\.0\.0\.1:53 is nodens itself, which cannot resolve names before it forwards \(name another/,
  },
];

for (const { what, resolvConf, why } of BOOTSTRAPS) {
  Deno.test(`upstream name: with ${what} in resolv.conf, the lookup fails with a reason`, async () => {
    const path = Deno.makeTempFileSync();
    Deno.writeTextFileSync(path, resolvConf);
    const surroundings = {
      // Port 53 of this machine may have a server: the test does not wait for it.
      hostTiming: { ...TIMING, timeoutMs: 1 },
      resolvConfPath: path,
    };
    await following(`. {\n forward . invalid\n}\n`, surroundings, async ({ deliveries, logs }) => {
      await until(() => logs.length === 1);
      assert.match(logs[0]!, /^warning: plugin\/forward: Cannot resolve "invalid": /);
      assert.match(logs[0]!, why);
      assert.equal(deliveries.length, 0);
    });
    Deno.removeSync(path);
  });
}

Deno.test("upstream name: stopping ends a lookup in flight, its sockets and timers", async () => {
  const asked = Promise.withResolvers<void>();
  const resolver = await ScriptedServer.start(() => {
    asked.resolve();
    return [];
  });
  const corefile = `. {\n forward . ${HOST} {\n resolver 127.0.0.1:${resolver.port}\n }\n}\n`;
  await following(corefile, {}, () => asked.promise);
  await resolver.stop();
});
