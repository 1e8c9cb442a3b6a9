import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  type CacheEntry,
  describeEntry,
} from "../../../src/plugins/cache/companion/describe_entry.ts";
import { MAX_RECORDS_TEXT } from "../../../src/dns/record_text/data_text.ts";
import type { CacheOptions } from "../../../src/plugins/cache/options.ts";
import { usesOf } from "../../../src/plugins/companion.ts";
import { entryText } from "../../../src/cli/operator/entry_text.ts";
import { soa } from "../../support/messages/messages.ts";
import { CacheVerbs, type Parameters } from "../../support/simulation/cache_verbs.ts";
import {
  answering,
  askFrom,
  CacheWorld,
  denying,
  NAME,
  replying,
  replyOptions,
} from "../../support/simulation/cache_world.ts";
import { askMany } from "../../support/simulation/forwarding.ts";
import type { Behaviour } from "../../support/simulation/simulation.ts";
import { scoped } from "../../support/simulation/subnets.ts";

function start(
  options = "",
  behaviour: Behaviour = answering(),
  others: ConstructorParameters<typeof CacheWorld>[2] = {},
): { world: CacheWorld; verbs: CacheVerbs } {
  const world = new CacheWorld(behaviour, options, others);
  return { world, verbs: new CacheVerbs(world.simulation) };
}

const COMMON = {
  upstream: "10.0.0.1:53",
  ...{ block: ".", name: "www.example.org.", class: "IN", type: "A", kind: "answer" },
  ...{ rcode: "NOERROR", stale: false, uses: 0, dnssecOk: false, checkingDisabled: false },
};
const RECORD = {
  section: "answer",
  name: "www.example.org.",
  ttlSeconds: 290,
  class: "IN",
  type: "A",
  data: "192.0.2.7",
};

Deno.test("lookup shows records, time left and age of an answer", async () => {
  const { world, verbs } = start();
  world.ask();
  world.run(10_000);
  assert.deepEqual(await verbs.lookup({ name: "WWW.example.org" }), [{
    ...COMMON,
    ...{ ttlSeconds: 290, ageSeconds: 10, servedForSeconds: 290 },
    records: [RECORD],
  }]);
});

Deno.test("lookup shows how often an answer was used", async () => {
  const { world, verbs } = start("prefetch 100");
  world.ask();
  const used = async () => {
    const [{ hits, uses }] = await verbs.lookup({ name: NAME }) as [CacheEntry];
    return { hits, uses };
  };
  assert.deepEqual(await used(), { hits: 0, uses: 0 });
  for (let i = 0; i < 5; i++) world.ask();
  assert.deepEqual(await used(), { hits: 5, uses: 3 });
});

Deno.test("lookup shows a stale answer, how long it is served, and the pause after a failure", async () => {
  const { world, verbs } = start("serve_stale 1h immediate 30s 20s", answering({ ttl: 10 }));
  world.ask();
  world.run(15_000);
  world.behaviour = replying({ rcode: 2 });
  world.ask();
  const entries = await verbs.lookup({ name: NAME, type: "A" });
  const [{ pauseSeconds, ...entry }, failure] = entries as [CacheEntry, CacheEntry];
  assert.deepEqual(entry, {
    ...COMMON,
    ...{ stale: true, uses: 1, ttlSeconds: 0, ageSeconds: 15, servedForSeconds: 3595 },
    records: [{ ...RECORD, ttlSeconds: 0 }],
  });
  assert.ok(pauseSeconds! > 19 && pauseSeconds! <= 20);
  assert.deepEqual(
    { kind: failure.kind, rcode: failure.rcode, served: failure.servedForSeconds },
    { kind: "failure", rcode: "SERVFAIL", served: 1 },
  );
});

Deno.test("lookup shows a denial with its SOA record", async () => {
  const { world, verbs } = start("", denying(30));
  world.ask();
  const [{ records, ...entry }] = await verbs.lookup({ name: NAME }) as [CacheEntry];
  assert.deepEqual(entry, {
    ...COMMON,
    ...{ kind: "denial", rcode: "NXDOMAIN" },
    ...{ ttlSeconds: 30, ageSeconds: 0, servedForSeconds: 30 },
  });
  const { data } = soa("example.org", 30) as { data: { mname: string; serial: number } };
  assert.deepEqual(
    records.map(({ section, name, type }) => ({ section, name, type })),
    [{ section: "authority", name: "example.org.", type: "SOA" }],
  );
  assert.ok(records[0]!.data.startsWith(`${data.mname}. `), records[0]!.data);
});

Deno.test("lookup shows the reason of a failure", async () => {
  const text = new TextEncoder().encode("no route");
  const ede = { code: 15, data: Uint8Array.of(0, 22, ...text) };
  const { world, verbs } = start("", replying({ rcode: 2, edns: true, options: [ede] }));
  world.ask({ edns: 1232 });
  const [entry] = await verbs.lookup({ name: NAME }) as [CacheEntry];
  assert.equal(entry.kind, "failure");
  assert.deepEqual(entry.error, { code: 22, text: "no route" });
});

Deno.test("lookup shows the variants for DO and CD", async () => {
  const { world, verbs } = start();
  world.ask();
  world.ask({ edns: 1232, dnssecOk: true });
  world.ask({ flags: 0x0110 });
  const variants = (await verbs.lookup({ name: NAME }))
    .map(({ dnssecOk, checkingDisabled }) => [dnssecOk, checkingDisabled]);
  assert.deepEqual(variants, [[false, false], [true, false], [false, true]]);
});

Deno.test("lookup shows the clients of answers for subnets", async () => {
  let reply = scoped(24);
  const behaviour: Behaviour = (query, ...rest) =>
    replying({
      answers: [{ type: "A", name: NAME, ttl: 300, data: "192.0.2.7" }],
      options: replyOptions(query, reply),
    })(query, ...rest);
  const { world, verbs } = start("", behaviour, { forward: "ecs pass" });
  askFrom(world, "198.51.100.0/24");
  reply = scoped(16);
  askFrom(world, "2001:db8:0:0:0:0:0:0/32");
  reply = scoped(0);
  askFrom(world, "203.0.113.0/24");
  assert.deepEqual(
    (await verbs.lookup({ name: NAME })).map(({ subnet, scope }) => ({ subnet, scope })),
    [
      { subnet: "198.51.100.0/24", scope: 24 },
      { subnet: "2001::/16", scope: 16 },
      { subnet: "all", scope: 0 },
    ],
  );
});

Deno.test("records of names and texts are printed without raw octets", async () => {
  const text = Uint8Array.of(0x1b, 0x5b, 0x32, 0x4a, 0x22);
  const answers = [{ type: "TXT", name: NAME, ttl: 300, data: [Buffer.from(text)] }] as never;
  const { world, verbs } = start("", replying({ answers }));
  world.ask({ type: "TXT" });
  const [entry] = await verbs.lookup({ name: NAME }) as [CacheEntry];
  assert.equal(entry.records[0]!.data, '"\\027[2J\\""');
});

Deno.test("an answer that unpacks to megabytes of text is shown in part", () => {
  // Each record has the longest name twice, by pointers of two octets.
  const name = Uint8Array.from([...[63, 63, 63, 61].flatMap((n) => [n, ...Array(n).fill(7)]), 0]);
  const count = 4000;
  const head = [0, 0, 0x81, 0x80, 0, 1, count >> 8, count & 255, 0, 0, 0, 0];
  const record = [0xc0, 12, 0, 2, 0, 1, 0, 0, 1, 0, 0, 2, 0xc0, 12];
  const message = Uint8Array.from([
    ...[...head, ...name, 0, 2, 0, 1],
    ...Array.from({ length: count }, () => record).flat(),
  ]);
  const { world } = start();
  const { options } = usesOf<CacheOptions>(world.simulation.config, "cache")[0]!;
  const entry = describeEntry({
    ...{ kind: "answer", ttlSeconds: 300, ageTenths: 0, hits: 0, pauseTenths: 0 },
    ...{ error: -1, errorText: "", upstream: 0, state: 0, message, subnet: new Uint8Array() },
  }, { upstream: "", options });
  const { records, omittedRecords } = entry;
  const size = records.reduce((sum, { name, data }) => sum + name.length + data.length, 0);
  assert.ok(size >= MAX_RECORDS_TEXT && size < MAX_RECORDS_TEXT + 2100, `${size} characters`);
  assert.equal(records.length + omittedRecords!, count);
  const text = entryText({ ...entry, block: "." });
  assert.match(text, new RegExp(`\n; \\(${omittedRecords} more records are not shown\\)\n$`));
});

Deno.test("entries that are not served any more are not shown", async () => {
  const { world, verbs } = start("", answering({ ttl: 10 }));
  world.ask();
  world.run(11_000);
  assert.equal(world.count("coredns_cache_entries"), 1);
  assert.deepEqual(await verbs.lookup({ name: NAME }), []);
  assert.deepEqual(await verbs.dump(), []);
});

for (
  const [parameters, names] of [
    [{}, ["www.example.org.", "a.www.example.org.", "xwww.example.org.", "example.net."]],
    [{ zone: "." }, [
      "www.example.org.",
      "a.www.example.org.",
      "xwww.example.org.",
      "example.net.",
    ]],
    [{ zone: "WWW.example.org" }, ["www.example.org.", "a.www.example.org."]],
    [{ zone: "com" }, []],
  ] as [Parameters, string[]][]
) {
  Deno.test(`dump lists the entries of ${parameters.zone ?? "all names"}`, async () => {
    const { world, verbs } = start();
    for (const name of [NAME, `a.${NAME}`, `x${NAME}`, "example.net"]) world.ask({ name });
    assert.deepEqual((await verbs.dump(parameters)).map(({ name }) => name), names);
  });
}

const MANY = 12_000;

function fill(world: CacheWorld): void {
  for (let i = 0; i < MANY / 1500; i++) {
    askMany(world.simulation, 1500, { prefix: `p${i}n` });
    world.run(1000);
  }
  assert.equal(world.count("coredns_cache_entries"), MANY);
}

Deno.test("a dump lists each of many entries once, in slices", async () => {
  const { world, verbs } = start("success 20000");
  fill(world);
  const names = (await verbs.dump()).map(({ name }) => name);
  assert.equal(names.length, MANY);
  assert.equal(new Set(names).size, MANY);
  assert.ok(verbs.slices >= 12, `${verbs.slices} slices`);
});

Deno.test("a dump reads a slice only when the one before was taken", async () => {
  const { world, verbs } = start("success 20000");
  fill(world);
  const gone = new AbortController();
  const entries = verbs.list("dump", {}, gone.signal);
  verbs.before = () => gone.abort();
  assert.ok((await entries).length <= 1);
  assert.equal(verbs.slices, 1);
});

for (
  const { what, change } of [
    { what: "a flush of everything", change: (verbs: CacheVerbs) => verbs.flush({ all: "true" }) },
    { what: "a flush of a zone", change: (verbs: CacheVerbs) => verbs.flush({ zone: "org" }) },
  ]
) {
  Deno.test(`a dump ends well if ${what} comes between`, async () => {
    const { world, verbs } = start("success 20000");
    fill(world);
    const names: string[] = [];
    const flusher = new CacheVerbs(world.simulation);
    let flushed = false;
    for await (const { name } of verbs.stream("dump", {})) {
      names.push(name);
      if (flushed) continue;
      flushed = true;
      await change(flusher);
    }
    assert.ok(names.length > 0 && names.length <= 1000);
    assert.equal(new Set(names).size, names.length);
  });
}

Deno.test("entries that are replaced during a dump do not end it", async () => {
  const { world, verbs } = start("success 20000", answering({ ttl: 100 }));
  fill(world);
  const names = new Set<string>();
  let slices = 0;
  verbs.before = () => {
    // New entries take the rows of expired ones.
    if (slices++ % 3 === 0) askMany(world.simulation, 100, { prefix: `new${slices}n` });
    world.run(20);
  };
  for (const { name } of await verbs.dump()) names.add(name);
  for (let i = 0; i < MANY / 1500; i++) assert.ok(names.has(`p${i}n7.example.org.`), `p${i}`);
});

Deno.test("each data plane's entries are listed", async () => {
  const world = new CacheWorld(answering());
  world.ask();
  const entries = await new CacheVerbs(world.simulation, 2).lookup({ name: NAME });
  assert.deepEqual(entries.map(({ plane }) => plane), [0, 1]);
});

Deno.test("lookup refuses a call without a name, and a wrong one", async () => {
  const { verbs } = start();
  await assert.rejects(() => verbs.lookup({}), { status: 400, message: "lookup needs a name" });
  await assert.rejects(() => verbs.lookup({ name: "a..b" }), {
    status: 400,
    message: /empty label/,
  });
});
