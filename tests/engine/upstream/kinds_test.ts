import assert from "node:assert/strict";
import {
  answered,
  ask,
  askMany,
  askUntil,
  bySpeed,
  mixed,
  startKinds,
} from "../../support/simulation/forwarding.ts";
import { decode, queryBytes } from "../../support/messages/messages.ts";
import type { Behaviour } from "../../support/simulation/simulation.ts";
import * as kinds from "../../support/simulation/upstream_kinds.ts";

const { answering, failing, serial, silent, refusing } = kinds;

Deno.test("forty slow names at once are answered by servers of every kind over TCP", async (t) => {
  const table: [name: string, behaviour: Behaviour, most: number][] = [
    ["answers in order", serial(answering(100)), 110],
    ["in any order", answering(100), 110],
    ["takes twenty connections", kinds.atMost(20, serial(answering(100))), 1500],
    ["takes one", kinds.atMost(1, serial(answering(20))), 3000],
    ["answers the first message of a connection", kinds.firstOnly(answering(100)), 110],
    ["closes behind each answer", kinds.closing(serial(answering(100))), 110],
  ];
  for (const [name, behaviour, most] of table) {
    await t.step(name, () => {
      const simulation = startKinds(behaviour, "force_tcp");
      const asked = askMany(simulation, 40);
      simulation.run(6000);
      const times = answered(asked);
      assert.equal(times.length, 40);
      assert.ok(Math.max(...times) <= most, `${Math.max(...times)} ms`);
    });
  }
});

Deno.test("a slow name does not delay other names", async (t) => {
  const table: [name: string, behaviour: Behaviour, options?: string][] = [
    ["in order over TCP", serial(bySpeed), "force_tcp"],
    ["in any order over TCP", bySpeed, "force_tcp"],
    ["in order over TCP on few", serial(bySpeed), "force_tcp\nmax_conns 4"],
    ["over UDP", bySpeed],
  ];
  for (const [name, behaviour, options = ""] of table) {
    await t.step(name, () => {
      const simulation = startKinds(behaviour, options);
      const { fast, slow } = mixed(simulation, 1000);
      const times = answered(fast);
      assert.equal(times.length, fast.length);
      assert.ok(Math.max(...times) <= 10, `${Math.max(...times)} ms`);
      assert.equal(answered(slow).length, slow.length);
    });
  }
});

Deno.test("an unanswered name fails no other name on a server that answers in order", () => {
  const simulation = startKinds(
    serial((query, transport, arrival) =>
      query.questions![0]!.name.startsWith("slow") ? [] : answering(2)(query, transport, arrival)
    ),
    "force_tcp\nmax_conns 2",
  );
  const { fast } = mixed(simulation, 1000);
  const times = answered(fast);
  assert.equal(times.length, fast.length);
  assert.ok(Math.max(...times) <= 1000, `${Math.max(...times)} ms`);
});

Deno.test("sixty names are answered by a server that answers one query a connection", () => {
  const simulation = startKinds(kinds.firstOnly(answering(5)), "force_tcp");
  const asked = askMany(simulation, 60, { forMs: 50 });
  simulation.run(6000);
  const times = answered(asked);
  assert.equal(times.length, 60);
  assert.ok(times.filter((ms) => ms > 50).length <= 12, `${times}`);
});

Deno.test("health checks use a separate connection, so slow names do not keep a server suspect", () => {
  const simulation = startKinds(serial(bySpeed), "force_tcp\nmax_conns 1");
  mixed(simulation, 1000);
  assert.equal(simulation.count("coredns_proxy_healthcheck_failures_total"), 0);
  assert.equal(simulation.count("coredns_forward_healthcheck_broken_total"), 0);
});

Deno.test("however a server treats EDNS, all kinds of clients are answered", async (t) => {
  const plain = kinds.withoutEdns();
  const table: [name: string, behaviour: Behaviour][] = [
    ["drops queries with an option", kinds.toEdns(silent, answering(), { options: true })],
    ["drops queries with OPT", kinds.toEdns(silent, plain)],
    ["leaves OPT out", plain],
    ["BADVERS to OPT", kinds.toEdns(failing(16, "with-opt"), plain)],
    ["a new firewall drops OPT", kinds.changing(3000, answering(), kinds.toEdns(silent, plain))],
    [
      "a firewall that dropped OPT disappears",
      kinds.changing(3000, kinds.toEdns(silent, plain), answering()),
    ],
  ];
  for (const form of ["whole", "with-opt", "bare", "bare-with-opt", "opt-echoed"] as const) {
    const complaint = failing(1, form);
    table.push([`FORMERR to OPT, ${form}`, kinds.toEdns(complaint, plain)]);
    const toOptions = kinds.toEdns(complaint, answering(), { options: true });
    table.push([`FORMERR to options, ${form}`, toOptions]);
  }
  for (const rcode of [2, 4, 5]) {
    for (const form of ["whole", "with-opt", "bare"] as const) {
      table.push([`rcode ${rcode} to OPT, ${form}`, kinds.toEdns(failing(rcode, form), plain)]);
    }
  }
  const clients = {
    plain: {},
    EDNS: { edns: 1232 },
    DO: { edns: 1232, dnssecOk: true },
  };
  for (const [name, behaviour] of table) {
    for (const [client, options] of Object.entries(clients)) {
      for (const transport of ["", "force_tcp"]) {
        await t.step(`${name}, ${client} client ${transport}`, () => {
          const simulation = startKinds(behaviour, transport);
          const asked = askMany(simulation, 30, { ...options, forMs: 200 });
          simulation.run(6000);
          const times = answered(asked);
          // Detected soon. Over TCP, silence first looks like a slow answer, and after 1.9 s an
          // answer is too late for a client over UDP.
          const least = transport === "" ? 30 : 26;
          assert.ok(times.length >= least, `${30 - times.length} of 30 got no answer`);
          const late = times.filter((ms) => ms > 100).length;
          assert.ok(late <= 6, `${late} of 30 were late: ${times}`);
        });
      }
    }
  }
});

Deno.test("a server that mistreats EDNS is usable again after an outage", async (t) => {
  const table = {
    "drops queries with OPT": kinds.toEdns(silent, kinds.withoutEdns()),
    "drops queries with an option": kinds.toEdns(silent, answering(), { options: true }),
    "answers everything": answering(),
  };
  for (const [name, behaviour] of Object.entries(table)) {
    for (const options of ["", "force_tcp"]) {
      await t.step(`${name} ${options}`, () => {
        const simulation = startKinds(kinds.changing(10_000, silent, behaviour), options);
        const asked = askUntil(simulation, 40_000, 1000);
        simulation.run(6000);
        const back = asked.filter(({ atMs }) => atMs > 15_000);
        const times = answered(back);
        assert.equal(times.length, back.length);
        assert.ok(Math.max(...times.slice(5)) <= 10, `${times}`);
        assert.equal(answered(asked.filter(({ atMs }) => atMs < 5000)).length, 0);
      });
    }
  }
});

Deno.test("an unanswered name does not cost other names their DNSSEC records", () => {
  const forms: string[] = [];
  const simulation = startKinds((query, transport, arrival) => {
    const { name } = query.questions![0]!;
    if (name.startsWith("never")) return [];
    if (name.startsWith("n")) forms.push(kinds.formOf(query));
    return answering()(query, transport, arrival);
  });
  for (let i = 0; i < 20; i++) {
    const options = { edns: 1232, dnssecOk: true };
    simulation.ask(queryBytes({ name: `n${i}.example.org`, ...options }));
    simulation.run(100);
    simulation.ask(queryBytes({ name: `never${i}.example.org`, ...options }));
    simulation.run(50 * (i + 1));
  }
  assert.deepEqual(forms, Array.from({ length: 20 }, () => "options, DO"));
});

Deno.test("a truncated answer is passed on if TCP brings nothing better", async (t) => {
  const table: [name: string, tcp: Behaviour, withinMs: number, bare?: boolean][] = [
    ["TCP refused", refusing, 100],
    ["TCP silent", silent, 1100],
    ["TCP closes", () => "refuse", 100],
    ["TCP truncates", kinds.truncating(silent), 100],
    ["header alone, TCP refused", refusing, 100, true],
  ];
  for (const [name, tcp, withinMs, bare = false] of table) {
    await t.step(name, () => {
      const truncated = kinds.truncating(tcp, { bare });
      const behaviour: Behaviour = (query, transport, arrival) =>
        truncated(query, name === "TCP truncates" ? "udp" : transport, arrival);
      const simulation = startKinds(behaviour);
      const asked = ask(simulation);
      simulation.run(6000);
      const [answer] = asked.answers;
      const message = decode(answer!.bytes);
      assert.equal(message.flag_tc, true);
      assert.equal(message.rcode, "NOERROR");
      assert.equal(message.answers!.length, bare ? 0 : 1);
      assert.ok(answer!.atMs - asked.atMs <= withinMs, `${answer!.atMs - asked.atMs} ms`);
    });
  }
  await t.step("header alone, TCP answers", () => {
    const simulation = startKinds(kinds.truncating(answering(), { bare: true }));
    const asked = [ask(simulation)];
    simulation.run(100);
    assert.equal(answered(asked).length, 1);
    assert.equal(decode(asked[0]!.answers[0]!.bytes).flag_tc, false);
  });
});

Deno.test("if a server refuses or is lame, the next is asked", async (t) => {
  const table: [name: string, behaviour: Behaviour, alone: string][] = [
    ["REFUSED", failing(5, "with-opt"), "REFUSED"],
    ["NOTIMP", failing(4, "with-opt"), "NOTIMP"],
    ["upward referral", kinds.lame("referral"), "NOERROR"],
    ["empty without RA", kinds.lame("empty"), "NOERROR"],
  ];
  for (const [name, behaviour, alone] of table) {
    await t.step(name, () => {
      const two = startKinds([behaviour, answering()]);
      const asked = [ask(two)];
      two.run(1000);
      assert.equal(answered(asked).length, 1);
      const one = startKinds(behaviour);
      const passedOn = ask(one);
      one.run(6000);
      assert.equal(decode(passedOn.answers[0]!.bytes).rcode, alone);
    });
  }
});

Deno.test("x20 is disabled for a server that folds case, once TCP has confirmed it", () => {
  const simulation = startKinds(kinds.folding(answering()), "x20");
  const asked = askMany(simulation, 1);
  simulation.run(2000);
  assert.equal(answered(asked).length, 1);
  assert.match(simulation.logs.join("\n"), /changes the case of names/);
  simulation.seen.length = 0;
  simulation.ask(queryBytes({ name: "later.example.org" }));
  simulation.run(1000);
  assert.deepEqual(simulation.seen.map((line) => line.split(" ")[0]), ["udp"]);
});
