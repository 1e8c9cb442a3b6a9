import assert from "node:assert/strict";
import { RCODE } from "../../src/dns/constants.ts";
import { rcodeText } from "../../src/dns/mnemonics.ts";
import { Timers } from "../../src/engine/timers.ts";
import { Budget } from "../../src/upstream/race/budget.ts";
import type { Inquiry } from "../../src/upstream/message/inquiry.ts";
import { ServerOrder } from "../../src/upstream/race/order.ts";
import type {
  AskHandler,
  AskOptions,
  ExtraEvent,
  Outcome,
  Ticket,
} from "../../src/upstream/outcome.ts";
import type {
  RaceFailure,
  RaceGroup,
  RaceServer,
  RaceSettings,
} from "../../src/upstream/race/types.ts";
import { Race } from "../../src/upstream/race/race.ts";
import type { Reply } from "../../src/upstream/message/reply.ts";

/**
 * Results of one ask: "10 answer", "5 REFUSED", "5 SERVFAIL", "5 failed", "silent", "cannot" (not
 * sent), or "100 suspected, 300 answer".
 */
export type Script = string;

/** Results of the first ask, the second, …; the last is repeated. */
export interface FakeServerOptions {
  label: string;
  scripts: readonly Script[];
  rank?: number;
  patienceMs?: number;
  usualMs?: number;
}

/** `only` is the label of the one server that may be asked. */
export interface RaceOptions {
  streamed?: boolean;
  sinceMs?: number;
  only?: string;
  intoLoops?: boolean;
}

/** Refusals that are about the server, not the question. */
const ELSEWHERE: readonly number[] = [RCODE.REFUSED, RCODE.NOTIMP];

/** Servers that answer by script, for one race at a time; `trace` records events. */
export class FakeServers implements RaceGroup {
  readonly trace: string[] = [];
  /** Servers that lost queries, and whether another answered. */
  readonly lost: string[] = [];
  readonly settings: RaceSettings;
  readonly servers: readonly FakeServer[];
  readonly order: ServerOrder;
  readonly hedges: Budget;
  readonly resends: Budget;
  readonly engine = { nowMs: 0, timers: new Timers(), random: () => 0 };
  readonly clientQueries = 1;
  open = 0;
  asks = 0;
  ends = 0;
  /** What the race told of itself at its end. */
  told = "";
  /** Servers asked after they had refused. */
  readonly askedInVain: string[] = [];
  readonly extras: string[] = [];
  readonly counts = { allDown: 0, hedge: 0, resend: 0 };

  constructor(
    servers: readonly FakeServerOptions[],
    options: Partial<RaceSettings> & { hedges?: number; resends?: number; random?: () => number },
  ) {
    const { hedges = 0, resends = 10, random, ...settings } = options;
    if (random !== undefined) this.engine.random = random;
    this.settings = {
      readTimeoutMs: 2000,
      policy: "sequential",
      maxConnectAttempts: null,
      hedgeMs: null,
      failover: [],
      failfastAllUnhealthyUpstreams: false,
      ...settings,
    };
    this.servers = servers.map((server) => new FakeServer(this, server));
    this.order = new ServerOrder(this.settings.policy, this.servers, this.engine.random);
    this.hedges = budgetOf(hedges);
    this.resends = budgetOf(resends);
  }

  race(options: RaceOptions = {}): void {
    const { streamed = false, sinceMs = 0, only, intoLoops = false } = options;
    const server = this.servers.find(({ label }) => label === only) ?? null;
    const race = new Race(this, this);
    race.start(sinceMs, streamed, { only: server, intoLoops });
    this.run(20_000);
    this.told = `${race.asks} asks${race.hedged ? ", hedged" : ""}`;
  }

  run(durationMs: number): void {
    const { engine } = this;
    const untilMs = engine.nowMs + durationMs;
    while (engine.timers.nextMs <= untilMs) {
      engine.nowMs = Math.max(engine.nowMs, engine.timers.nextMs);
      engine.timers.run(engine.nowMs);
    }
    engine.nowMs = untilMs;
  }

  note(text: string): void {
    this.trace.push(`${this.engine.nowMs} ${text}`);
  }

  answered(reply: Reply, server: RaceServer): void {
    this.ends++;
    const { label, rcode } = reply as unknown as FakeReply;
    assert.equal(server.label, label);
    this.note(`answer of ${label}${rcode === 0 ? "" : ` ${rcodeText(rcode)}`}`);
  }

  failed({ error, silent, rcode }: RaceFailure): void {
    this.ends++;
    const code = rcode < 0 ? "" : ` ${rcodeText(rcode)}`;
    this.note(`failed${silent ? " silent" : ""}${code}: ${error}`);
  }

  count(event: "allDown" | "hedge" | "resend"): void {
    this.counts[event]++;
  }
}

interface FakeReply {
  label: string;
  rcode: number;
}

class FakeServer implements RaceServer {
  readonly label: string;
  rank: number;
  readonly roundTrip: RaceServer["roundTrip"];
  readonly health = { share: 1, measure() {} };
  readonly #group: FakeServers;
  readonly #scripts: readonly Script[];
  refused = false;
  #asked = 0;

  constructor(group: FakeServers, options: FakeServerOptions) {
    const { label, scripts, rank = 0, patienceMs = 100, usualMs = 40 } = options;
    this.#group = group;
    this.#scripts = scripts;
    this.label = label;
    this.rank = rank;
    this.roundTrip = { meanMs: 10, sampledMs: 0, usualMs, patienceMs };
  }

  lost(queries: number, answered: boolean): void {
    if (queries > 0) this.#group.lost.push(`${this.label} ${answered ? "failed over" : "failed"}`);
  }

  count(event: ExtraEvent): void {
    this.#group.extras.push(`${event} ${this.label}`);
  }

  ask(
    _inquiry: Inquiry,
    { streamed, limitMs }: AskOptions,
    handler: AskHandler,
  ): Ticket | Outcome {
    const group = this.#group;
    const script = this.#scripts[this.#asked++] ?? this.#scripts.at(-1)!;
    group.note(`ask ${this.label}`);
    if (this.refused) group.askedInVain.push(this.label);
    group.asks++;
    if (script === "cannot") return { kind: "failed", why: "cannot send" };
    const sentMs = group.engine.nowMs;
    const dueMs = Math.min(sentMs + group.settings.readTimeoutMs, limitMs);
    const steps = script.split(", ").filter((step) => step !== "silent").map((step) => {
      const [afterMs, event] = step.split(" ");
      return { atMs: sentMs + Number(afterMs), event: event! };
    });
    group.open++;
    return new FakeTicket(group, { server: this, handler, steps, sentMs, dueMs, streamed });
  }
}

class FakeTicket implements Ticket {
  readonly sinceMs: number;
  readonly streamed: boolean;
  readonly sends = 1;
  dueMs: number;
  readonly #group: FakeServers;
  readonly #server: FakeServer;
  readonly #handler: AskHandler;
  readonly #steps: { atMs: number; event: string }[];
  readonly #timer;
  #over = false;

  constructor(
    group: FakeServers,
    options: {
      server: FakeServer;
      handler: AskHandler;
      steps: { atMs: number; event: string }[];
      sentMs: number;
      dueMs: number;
      streamed: boolean;
    },
  ) {
    this.#group = group;
    this.#server = options.server;
    this.#handler = options.handler;
    this.#steps = options.steps;
    this.sinceMs = options.sentMs;
    this.dueMs = options.dueMs;
    this.streamed = options.streamed;
    this.#timer = group.engine.timers.create(() => this.#step());
    this.#schedule();
  }

  limit(dueMs: number): void {
    if (dueMs >= this.dueMs) return;
    this.dueMs = dueMs;
    this.#schedule();
  }

  cancel(): void {
    this.#leave();
  }

  #schedule(): void {
    const atMs = Math.min(this.#steps[0]?.atMs ?? Infinity, this.dueMs);
    this.#group.engine.timers.set(this.#timer, atMs);
  }

  #step(): void {
    const { nowMs } = this.#group.engine;
    const [step] = this.#steps;
    if (step === undefined || step.atMs > nowMs) {
      this.#end({ kind: "silent" });
      return;
    }
    this.#steps.shift();
    const { event } = step;
    if (event === "suspected") {
      this.#server.rank = 1;
      this.#handler.suspected(this);
      if (!this.#over) this.#schedule();
    } else if (event === "failed") {
      this.#end({ kind: "failed", why: "connection refused" });
    } else {
      const rcode = event === "answer" ? RCODE.NOERROR : RCODE[event as "SERVFAIL" | "REFUSED"];
      const { label } = this.#server;
      const reply = { label, rcode, readError: () => -1 } as unknown as Reply;
      const elsewhere = ELSEWHERE.includes(rcode);
      if (elsewhere) this.#server.refused = true;
      this.#end(
        event === "answer"
          ? { kind: "answer", reply }
          : { kind: "refused", rcode, elsewhere, reply },
      );
    }
  }

  #end(outcome: Outcome): void {
    this.#leave();
    this.#handler.ended(this, outcome);
  }

  #leave(): void {
    if (this.#over) throw new Error(`An ask of ${this.#server.label} ended twice`);
    this.#over = true;
    this.#group.open--;
    this.#group.engine.timers.clear(this.#timer);
  }
}

function budgetOf(count: number): Budget {
  const budget = new Budget({ share: 1, perSecond: 0, most: count });
  for (let i = 0; i < count; i++) budget.earn();
  return budget;
}
