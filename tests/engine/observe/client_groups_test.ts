import assert from "node:assert/strict";
import { RCODE } from "../../../src/dns/constants.ts";
import { buildClientTable } from "../../../src/engine/observe/client_table.ts";
import { MAX_GROUPS, nameClients } from "../../../src/engine/observe/client_groups.ts";
import type { EngineServices, Handler } from "../../../src/engine/handler.ts";
import { NEXT } from "../../../src/engine/handler.ts";
import { HashKey } from "../../../src/engine/question/keyed_hash.ts";
import { HANDLERS } from "../../support/engine/all_plugins.ts";
import { a, queryBytes, responseBytes } from "../../support/messages/messages.ts";
import { frame, Simulation } from "../../support/simulation/simulation.ts";

const KEY = new HashKey(1, 2);
const COREFILE = `. {
  acl {
    drop type MX net *
  }
  cache
  forward . 10.0.0.1
}`;

function tableOf(names: Record<string, string>): ArrayBuffer {
  return buildClientTable(
    Object.entries(names).map(([address, name]) => ({ address, name })),
    KEY,
  );
}

function start(corefile = COREFILE): Simulation {
  const simulation = new Simulation(corefile);
  simulation.upstream("10.0.0.1:53", (query) => {
    const { name } = query.questions![0]!;
    if (name.startsWith("absent")) {
      return [{ bytes: responseBytes(query, { rcode: RCODE.NXDOMAIN }) }];
    }
    if (name.startsWith("broken")) {
      return [{ bytes: responseBytes(query, { rcode: RCODE.SERVFAIL }) }];
    }
    return [{ bytes: responseBytes(query, { answers: [a(name, "192.0.2.7", 300)] }), delayMs: 5 }];
  });
  return simulation;
}

function counts(simulation: Simulation): Record<string, string> {
  const rows: Record<string, string> = {};
  for (const kind of ["queries", "failures", "nxdomain"]) {
    for (const { name, labels, index } of simulation.counters.places) {
      const value = simulation.counters.values[index]!;
      if (name !== `nodens_client_${kind}_total` || value === 0) continue;
      const namespace = labels["client_namespace"]!;
      rows[namespace] = `${rows[namespace] ?? ""} ${kind} ${value}`.trim();
    }
  }
  return rows;
}

Deno.test("client groups: each query counts once for its client's namespace, however answered", () => {
  const simulation = start();
  nameClients(
    simulation.engine,
    tableOf({
      "10.1.0.1": "shop/cart",
      "10.1.0.2": "shop/till",
      "fd00::1": "web/front",
      "192.0.2.1": "(host)",
      "10.1.0.4": "printer",
    }),
  );
  const ask = (client: string, name: string, type = "A") => {
    simulation.ask(queryBytes({ name, type }), 0, client);
    simulation.run(20);
  };
  ask("10.1.0.1", "www.example.org");
  ask("10.1.0.2", "www.example.org");
  ask("fd00::1", "absent.example.org");
  ask("fd00::1", "absent.example.org");
  ask("192.0.2.1", "broken.example.org");
  ask("10.1.0.4", "www.example.org");
  ask("10.1.0.4", "www.example.org", "MX");
  ask("10.1.0.9", "www.example.org");
  // Refused before any plugin.
  simulation.ask(queryBytes({ name: "www.example.org", flags: 0x2800 }), 0, "10.1.0.1");
  const stream = simulation.openStream(0, { client: "10.1.0.1" });
  stream.send(frame(queryBytes({ name: "www.example.org" })));
  stream.send(frame(queryBytes({ name: "new.example.org" })));
  simulation.run(20);
  assert.deepEqual(counts(simulation), {
    shop: "queries 5",
    web: "queries 2 nxdomain 2",
    "(host)": "queries 1 failures 1",
    "(none)": "queries 2 failures 1",
    "(unknown)": "queries 1",
  });
});

Deno.test("client groups: a query of a connection that has gone has no client", () => {
  const simulation = start();
  nameClients(simulation.engine, tableOf({ "10.1.0.1": "shop/cart" }));
  const stream = simulation.openStream(0, { client: "10.1.0.1" });
  stream.send(frame(queryBytes({ name: "www.example.org" })));
  stream.reset();
  simulation.run(20);
  assert.deepEqual(counts(simulation), { "(unknown)": "queries 1 failures 1" });
});

Deno.test("client groups: without names nothing is counted, and no client has a name", () => {
  const simulation = start();
  simulation.ask(queryBytes({ name: "www.example.org" }));
  simulation.run(20);
  assert.ok(simulation.counters.places.every(({ name }) => !name.startsWith("nodens_client_")));
});

Deno.test("client groups: new names replace all, and counts continue", () => {
  const simulation = start();
  const first = tableOf({ "10.1.0.1": "shop/cart", "10.1.0.2": "web/front" });
  assert.equal(nameClients(simulation.engine, first), null);
  const ask = (client: string) => simulation.ask(queryBytes({ name: "a.example.org" }), 0, client);
  ask("10.1.0.1");
  simulation.run(20);
  assert.equal(nameClients(simulation.engine, tableOf({ "10.1.0.2": "shop/cart-1" })), first);
  ask("10.1.0.1");
  ask("10.1.0.2");
  assert.deepEqual(counts(simulation), { shop: "queries 2", "(unknown)": "queries 1" });
});

Deno.test("client groups: beyond the bound namespaces share a counter, whatever comes and goes", () => {
  const simulation = start();
  const namespaces = (from: number) =>
    tableOf(Object.fromEntries(
      Array.from({ length: MAX_GROUPS }, (_, i) => [`10.1.${i >> 8}.${i & 255}`, `n${from + i}/p`]),
    ));
  for (const from of [0, 1000, 2000]) nameClients(simulation.engine, namespaces(from));
  const series = simulation.counters.places.filter(({ name }) =>
    name === "nodens_client_queries_total"
  );
  assert.equal(series.length, MAX_GROUPS + 2);
  simulation.ask(queryBytes({ name: "a.example.org" }), 0, "10.1.0.1");
  simulation.run(20);
  nameClients(simulation.engine, namespaces(0));
  simulation.ask(queryBytes({ name: "a.example.org" }), 0, "10.1.0.1");
  assert.deepEqual(counts(simulation), { "(other)": "queries 1", n1: "queries 1" });
});

Deno.test("client groups: the log has names of clients, and - for others", () => {
  const simulation = start('. {\n log . "{/nodens/client} asks {name}"\n whoami\n}');
  const ask = (client: string) => simulation.ask(queryBytes({ name: "a.example.org" }), 0, client);
  ask("10.1.0.1");
  nameClients(simulation.engine, tableOf({ "10.1.0.1": "shop/cart" }));
  ask("10.1.0.1");
  ask("10.1.0.2");
  assert.deepEqual(simulation.logs, [
    "info: - asks a.example.org.",
    "info: shop/cart asks a.example.org.",
    "info: - asks a.example.org.",
  ]);
});

Deno.test("client groups: handlers get the name of a query's client", () => {
  const names: string[] = [];
  const create = (_: unknown, { engine }: { engine: EngineServices }): Handler => ({
    name: "whoami",
    query: () => NEXT,
    sent: (exchange) => void names.push(engine.clientName(exchange)),
  });
  const handlers = new Map(HANDLERS).set("whoami", create);
  const simulation = new Simulation(". {\n whoami\n}", { handlers });
  const ask = (client: string) => simulation.ask(queryBytes({ name: "a.example.org" }), 0, client);
  ask("10.1.0.1");
  nameClients(simulation.engine, tableOf({ "10.1.0.1": "shop/cart" }));
  ask("10.1.0.1");
  ask("10.1.0.2");
  assert.deepEqual(names, ["", "shop/cart", ""]);
});
