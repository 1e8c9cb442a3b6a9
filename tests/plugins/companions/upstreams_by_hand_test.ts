import assert from "node:assert/strict";
import type { Config } from "../../../src/config/types.ts";
import { denoHost } from "../../../src/control/host_deno.ts";
import { loadConfig } from "../../../src/loading/load.ts";
import { MetricRegistry } from "../../../src/metrics/registry.ts";
import { SeriesBook } from "../../../src/metrics/series.ts";
import type { Follower, Plane } from "../../../src/plugins/companion.ts";
import { createForwardCompanion } from "../../../src/plugins/forward/companion.ts";
import type { UpstreamSet, UpstreamsReport } from "../../../src/plugins/forward/companion/verbs.ts";
import { VerbError } from "../../../src/plugins/verbs.ts";
import { Simulation } from "../../support/simulation/simulation.ts";
import { ask, deliver } from "../../support/simulation/forwarding.ts";
import { answering, silent } from "../../support/simulation/upstream_kinds.ts";

const [A, B, C] = ["10.0.0.1:53", "10.0.0.2:53", "10.0.0.3:53"] as const;

/** A companion with two data planes in virtual time. */
class World {
  readonly logs: string[] = [];
  readonly registry = new MetricRegistry();
  readonly simulations: Simulation[];
  planes: Plane[];
  #config!: Config;
  #companion;
  #follower: Follower | null = null;

  constructor(corefile: string) {
    this.simulations = [1, 2].map((seed) => new Simulation(corefile, { seed }));
    this.planes = this.simulations.map((simulation) => ({
      restarts: 0,
      ask: ({ block, position, request }) =>
        Promise.resolve(simulation.engine.blocks.ask(block, position, request)),
    }));
    const ask: Plane["ask"] = (target, ms) => this.planes[0]!.ask(target, ms);
    const second: Plane["ask"] = (target, ms) => this.planes[1]!.ask(target, ms);
    this.#companion = createForwardCompanion({
      planes: [{ restarts: 0, ask }, { restarts: 0, ask: second }],
      log: (level, line) => void this.logs.push(`${level}: ${line}`),
      registry: this.registry,
      shared: false,
      interfaces: () => [],
    });
    this.#config = read(corefile);
    this.#follower = this.#follow(null);
    this.#follower.start();
  }

  #follow(previous: Follower | null): Follower {
    const deliver = (block: number, position: number, data: unknown) =>
      this.simulations.forEach(({ engine }) => engine.blocks.deliver(block, position, data));
    return this.#companion.follow!(this.#config, { deliver, previous: previous as never });
  }

  /** As a server does, with something in between. */
  async reload(corefile: string, meanwhile = async () => {}): Promise<void> {
    const before = this.#follower!;
    const serving = this.#config;
    this.#config = read(corefile);
    const next = this.#follow(before);
    const deliveries = await next.prepare();
    const config = this.#config;
    this.#config = serving;
    await meanwhile();
    this.#config = config;
    for (const simulation of this.simulations) {
      simulation.reload(corefile);
      for (const { block, position, data } of deliveries) {
        simulation.engine.blocks.deliver(block, position, data);
      }
    }
    this.#follower = next;
    const stopped = before.stop();
    next.start();
    await stopped;
  }

  async end(): Promise<void> {
    await this.#follower!.stop();
  }

  async #verb(name: string, parameters: Record<string, string>): Promise<object> {
    const verb = this.#companion.verbs!.find((verb) => verb.name === name)!;
    const call = {
      parameters: new Map(Object.entries(parameters)),
      config: this.#config,
      gone: new AbortController().signal,
    };
    return await verb.run(call);
  }

  async list(): Promise<UpstreamsReport> {
    return await this.#verb("upstreams", {}) as UpstreamsReport;
  }

  async set(state: string, to: string, force = false): Promise<UpstreamSet> {
    const more: Record<string, string> = force ? { force: "true" } : {};
    return await this.#verb("upstreams/set", { state, to, ...more }) as UpstreamSet;
  }

  /** Labels and states of what the data planes have, by `forward`. */
  async states(): Promise<string[]> {
    const { forwards } = await this.list();
    return forwards.flatMap(({ servers }) =>
      servers.map(({ to, state, forced }) =>
        `${to} ${state}${forced === null ? "" : ` ${forced.state}${forced.used ? " used" : ""}`}`
      )
    );
  }

  get gauges(): string[] {
    const book = new SeriesBook();
    this.registry.collect(book);
    return book.of("nodens_upstream_forced").map(({ labels }) => `${labels.to} ${labels.state}`);
  }
}

function read(text: string): Config {
  return loadConfig({ file: "Corefile", text, defaultPort: 53 }, denoHost).config;
}

const block = (...to: string[]) => `. {\nforward . ${to.join(" ")} {\npolicy sequential\n}\n}`;

async function inWorld(corefile: string, use: (world: World) => Promise<void>): Promise<void> {
  const world = new World(corefile);
  try {
    await use(world);
  } finally {
    await world.end();
  }
}

function refusal(status: number, message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof VerbError, String(error));
    assert.match(error.message, message);
    return error.status === status;
  };
}

Deno.test("upstreams: one is taken out, vouched for and given back in all data planes", async () => {
  await inWorld(block("10.0.0.1", "10.0.0.2"), async (world) => {
    assert.deepEqual(await world.set("down", "10.0.0.1"), {
      to: A,
      state: "down",
      forwards: ["Corefile:2"],
    });
    assert.deepEqual(await world.states(), [`${A} up down`, `${B} up`]);
    assert.match(world.logs.at(-1)!, /^warning: plugin\/forward: 10\.0\.0\.1:53 is out of service/);
    assert.deepEqual(world.gauges, [`${A} down`]);
    await world.set("up", A);
    assert.deepEqual(await world.states(), [`${A} up up`, `${B} up`]);
    await world.set("auto", A);
    assert.deepEqual(await world.states(), [`${A} up`, `${B} up`]);
    assert.deepEqual(world.gauges, []);
  });
});

Deno.test("upstreams: what is set by hand survives reloads", async () => {
  await inWorld(block("10.0.0.1", "10.0.0.2"), async (world) => {
    await world.set("down", A);
    await world.reload(block("10.0.0.1", "10.0.0.2"));
    assert.deepEqual(await world.states(), [`${A} up down`, `${B} up`]);
    await world.reload(block("10.0.0.1", "10.0.0.2", "10.0.0.3"));
    assert.deepEqual(await world.states(), [`${A} up down`, `${B} up`, `${C} up`]);
    await world.reload(block("10.0.0.2", "10.0.0.3"));
    const { unused } = await world.list();
    assert.deepEqual(unused.map(({ to, state }) => [to, state]), [[A, "down"]]);
    await world.reload(block("10.0.0.1", "10.0.0.2"), async () => void await world.set("auto", A));
    assert.deepEqual(await world.states(), [`${A} up`, `${B} up`]);
    await world.reload(block("10.0.0.1", "10.0.0.3"), async () => void await world.set("down", A));
    assert.deepEqual(await world.states(), [`${A} up down`, `${C} up`]);
  });
});

Deno.test("upstreams: the last one stays in service, except by force", async () => {
  await inWorld(block("10.0.0.1", "10.0.0.2"), async (world) => {
    await world.set("down", A);
    await assert.rejects(
      world.set("down", B),
      refusal(409, /^10\.0\.0\.2:53 is the last upstream in service of forward \. \(Corefile:2\):/),
    );
    assert.deepEqual(await world.states(), [`${A} up down`, `${B} up`]);
    await world.set("down", B, true);
    assert.deepEqual(await world.states(), [`${A} up down`, `${B} up down`]);
  });
});

Deno.test("upstreams: one stays in service if the others do not answer", async () => {
  await inWorld(block("10.0.0.1", "10.0.0.2"), async (world) => {
    const [simulation] = world.simulations as [Simulation];
    simulation.upstream(A, silent);
    simulation.upstream(B, answering());
    for (let i = 0; i < 20; i++) ask(simulation, { name: `n${i}.example.org`, forMs: 200 });
    assert.deepEqual(await world.states(), [`${A} down`, `${B} up`]);
    const others = /^no other upstream \(10\.0\.0\.1:53\) answers of forward/;
    await assert.rejects(world.set("down", B), refusal(409, others));
    await world.set("up", A);
    await world.set("down", B);
  });
});

Deno.test("upstreams: a forward that loses its other servers asks those that are out", async () => {
  await inWorld(block("10.0.0.1", "10.0.0.2"), async (world) => {
    await world.set("down", A);
    await world.reload(block("10.0.0.1"));
    assert.deepEqual(await world.states(), [`${A} up down used`]);
    assert.match(world.logs.at(-1)!, /10\.0\.0\.1:53 is out of service by hand and asked all the/);
    await world.set("down", A, true);
    assert.deepEqual(await world.states(), [`${A} up down`]);
    await world.reload(block("10.0.0.1", "10.0.0.2"));
    assert.deepEqual(await world.states(), [`${A} up down`, `${B} up`]);
  });
});

const MATCHES: [text: string, found: string | RegExp][] = [
  ["10.0.0.1:53", "10.0.0.1:53"],
  ["10.0.0.2", /^"10\.0\.0\.2" may be 10\.0\.0\.2:53, 10\.0\.0\.2:5353: write one of them$/],
  ["10.0.0.2:5353", "10.0.0.2:5353"],
  ["2001:db8:0::1", "[2001:db8::1]:53"],
  ["[2001:db8::1]", "[2001:db8::1]:53"],
  ["[2001:DB8::1]:53", "[2001:db8::1]:53"],
  ["10.0.0.9", /^"10\.0\.0\.9" is not an upstream; there is 10\.0\.0\.1:53, /],
  ["10.0.0.1:54", /is not an upstream/],
  ["", /^"" is not an upstream/],
  ["%", /is not an upstream/],
  ["tls://10.0.0.1", /is not an upstream/],
  ["dns://10.0.0.1", "10.0.0.1:53"],
  ["\u001b[31m", /^"\\u001b\[31m" is not an upstream/],
  ["x".repeat(9000), /^"x{100}" is not an upstream/],
];

Deno.test("upstreams: an address is found if it is the only one", async () => {
  const corefile = block("10.0.0.1", "10.0.0.2", "10.0.0.2:5353", "2001:db8::1");
  await inWorld(corefile, async (world) => {
    for (const [text, found] of MATCHES) {
      if (typeof found === "string") {
        assert.equal((await world.set("auto", text)).to, found, text);
      } else await assert.rejects(world.set("auto", text), { message: found }, text);
    }
    await assert.rejects(world.set("auto", "10.0.0.9"), refusal(404, /is not an upstream/));
    await assert.rejects(world.set("off", A), refusal(400, /^state is "off"; write down, up or/));
  });
});

Deno.test("upstreams: servers over TLS are found by address, port or scheme", async () => {
  const corefile = ". {\nforward . tls://9.9.9.9 tls://9.9.9.10 {\ntls_servername d.example\n}\n}";
  await inWorld(corefile, async (world) => {
    for (const text of ["9.9.9.9", "9.9.9.9:853", "tls://9.9.9.9", "tls://9.9.9.9%d.example"]) {
      assert.equal((await world.set("auto", text)).to, "tls://9.9.9.9%d.example:853", text);
    }
  });
});

Deno.test("upstreams: a data plane that does not answer is left out; without any, it is an error", async () => {
  await inWorld(block("10.0.0.1", "10.0.0.2"), async (world) => {
    const dead: Plane = { restarts: 0, ask: () => Promise.reject(new Error("late")) };
    world.planes = [world.planes[0]!, dead];
    assert.deepEqual(await world.states(), [`${A} up`, `${B} up`]);
    world.planes = [dead, dead];
    await assert.rejects(world.list(), refusal(503, /^no data plane answers$/));
  });
});

Deno.test("upstreams: times, counts and failures of data planes are merged", async () => {
  await inWorld(block("10.0.0.1", "10.0.0.2"), async (world) => {
    world.simulations.forEach((simulation, i) => {
      simulation.upstream(A, i === 0 ? answering(4) : silent);
      simulation.upstream(B, answering(20));
      for (let n = 0; n < 20; n++) ask(simulation, { name: `n${n}.example.org`, forMs: 200 });
    });
    const [{ servers: [first, second] }] = (await world.list()).forwards as [
      UpstreamsReport["forwards"][0],
    ];
    assert.equal(first!.state, "down");
    assert.ok(first!.timeouts > 0);
    assert.equal(first!.replies, 20);
    assert.match(first!.lastFailure!.why, /i\/o timeout$/);
    assert.ok(first!.latencyMs!.p50 > 4 && first!.latencyMs!.p50 < 8, `${first!.latencyMs!.p50}`);
    assert.equal(second!.state, "up");
    assert.equal(second!.learnt.edns, "options");
  });
});

Deno.test("upstreams: all of a long list are shown, each once", async () => {
  await inWorld(block("10.0.0.1"), async (world) => {
    const servers = Array.from({ length: 64 * 2 + 3 }, (_, i) => `10.1.0.${i + 1}`);
    world.simulations.forEach((simulation) => deliver(simulation, servers, { position: 0 }));
    const { forwards: [only] } = await world.list();
    assert.deepEqual(only!.servers.map(({ to }) => to), servers.map((address) => `${address}:53`));
  });
});

Deno.test("upstreams: two operators at once do not take out all servers", () =>
  inWorld(block(A, B), async (world) => {
    const outcomes = await Promise.allSettled([world.set("down", A), world.set("down", B)]);
    assert.deepEqual(outcomes.map(({ status }) => status), ["fulfilled", "rejected"]);
    assert.deepEqual(await world.states(), [`${A} up down`, `${B} up`]);
  }));
