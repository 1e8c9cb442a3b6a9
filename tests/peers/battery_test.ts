import assert from "node:assert/strict";
import { CLASS } from "../../src/dns/constants.ts";
import { classText } from "../../src/dns/mnemonics.ts";
import { BatteryClient } from "../support/battery/client.ts";
import { type Asked, askedBytes, tellOf } from "../support/battery/message.ts";
import { type BatteryServers, startBattery } from "../support/battery/servers.ts";
import { skipUnless } from "../support/run/require.ts";
import { ANSWER_ROWS } from "./battery_answers.ts";
import { DNSSEC_ROWS } from "./battery_dnssec.ts";
import { EDNS_ROWS } from "./battery_edns.ts";
import { HEADER_ROWS } from "./battery_headers.ts";
import { OPTION_ROWS } from "./battery_options.ts";
import { type Expected, type Row, USUAL } from "./battery_row.ts";

type Transport = "udp" | "tcp";
type Phase = "cold" | "warm";

/** Time between the passes: every TTL decreases by at least one. */
const AGE_MS = 1_200;
/** Rows are asked one by one in this order, pass by pass. */
const ROWS: readonly Row[] = [
  ...ANSWER_ROWS,
  ...DNSSEC_ROWS,
  ...HEADER_ROWS,
  ...EDNS_ROWS,
  ...OPTION_ROWS,
];
/** nodens itself answers REFUSED at once. */
const MARKER: Asked = { name: "marker.empty.example" };
const FIRST_ID = 0x4000;
const MARKER_ID = 0x3fff;

interface Occasion {
  phase: Phase;
  transport: Transport;
  nodens: "first" | "second";
  answer: Uint8Array | null;
  query: Uint8Array;
  /** Time since the entry may have been made, and since the battery began. */
  entryMs: number;
  batteryMs: number;
}

Deno.test({
  name: "the battery of questions to named is answered as RFCs and CoreDNS require",
  ...skipUnless("named", "dnssec-keygen", "dnssec-signzone"),
  fn: async (t) => {
    assertDistinct(ROWS);
    const servers = await startBattery();
    try {
      const battery = new Battery(servers);
      await battery.ask("cold");
      const coldQueries = battery.countQueries();
      await new Promise((wake) => setTimeout(wake, AGE_MS));
      await battery.ask("warm");
      const warmQueries = battery.countQueries();
      for (const [i, row] of ROWS.entries()) {
        const check = () => {
          for (const occasion of battery.occasions[i]!) assertAnswer(row, occasion);
          assertUpstream(row, coldQueries[i]!, warmQueries[i]!);
        };
        await t.step(row.title, check);
      }
    } finally {
      await servers.close();
    }
  },
});

class Battery {
  readonly occasions: Occasion[][] = ROWS.map(() => []);
  readonly #servers: BatteryServers;
  readonly #startMs = performance.now();
  readonly #entryMs: number[] = [];

  constructor(servers: BatteryServers) {
    this.#servers = servers;
  }

  /** Asks every row over UDP and TCP: each of an empty cache, or both of both caches. */
  async ask(phase: Phase): Promise<void> {
    const clients = {
      first: new BatteryClient(this.#servers.first.port),
      second: new BatteryClient(this.#servers.second.port),
    };
    try {
      for (const [i, row] of ROWS.entries()) {
        if (phase === "cold" || row.upstream === "always") this.#entryMs[i] = performance.now();
        for (const nodens of ["first", "second"] as const) {
          const own = nodens === "first" ? "udp" : "tcp";
          for (const transport of ["udp", "tcp"] as const) {
            if (phase === "cold" && transport !== own) continue;
            this.occasions[i]!.push(
              await this.#one(i, clients[nodens], { phase, transport, nodens }),
            );
          }
        }
      }
    } finally {
      clients.first.close();
      clients.second.close();
    }
  }

  countQueries(): number[] {
    const { named, validator, referring } = this.#servers;
    return ROWS.map(({ ask: { name, type, qclass }, upstream }) => {
      if (typeof name !== "string" || upstream === "unseen") return NaN;
      const logged = [name, type ?? "A", classText(qclass ?? CLASS.IN)] as const;
      return [named, validator, referring].reduce((sum, it) => sum + it.queries(...logged), 0);
    });
  }

  async #one(
    i: number,
    client: BatteryClient,
    where: Pick<Occasion, "phase" | "transport" | "nodens">,
  ): Promise<Occasion> {
    const row = ROWS[i]!;
    const asked = where.phase === "warm" && row.again !== undefined ? row.again : row.ask;
    const query = askedBytes(asked, FIRST_ID + i);
    const marker = row.cold === null ? askedBytes(MARKER, MARKER_ID) : null;
    const name = `${row.title}: ${where.phase} ${where.transport}`;
    const answer = await client.ask(where.transport, query, marker).catch((error: Error) => {
      throw new Error(`${name}: ${error.message}`, { cause: error });
    });
    const nowMs = performance.now();
    return {
      ...where,
      answer,
      query,
      entryMs: nowMs - this.#entryMs[i]!,
      batteryMs: nowMs - this.#startMs,
    };
  }
}

function expectedOf(row: Row, { phase, transport }: Occasion): Expected {
  return {
    ...USUAL,
    ...row.cold,
    ...(transport === "tcp" ? row.tcp : {}),
    ...(phase === "warm" ? row.warm : {}),
    ...(phase === "warm" && transport === "tcp" ? row.warmTcp : {}),
  };
}

function assertAnswer(row: Row, occasion: Occasion): void {
  const { phase, transport, nodens, answer, query } = occasion;
  const where = `${phase}, ${transport}, ${nodens} nodens`;
  if (row.cold === null) {
    assert.equal(answer, null, `${where}: an answer to what deserves none`);
    return;
  }
  assert.ok(answer !== null, `${where}: no answer`);
  const told = tellOf(answer, query);
  const { ttls, size, opt, ...others } = expectedOf(row, occasion);
  const { ttls: toldTtls, size: toldSize, opcode, ...rest } = told;
  const choice = typeof opt === "object" && opt !== null ? opt : [opt];
  const expected = { ...others, opt: choice.find((one) => one === told.opt) ?? choice[0]! };
  assert.deepEqual(rest, expected, where);
  if (size !== undefined) assert.equal(toldSize, size, `${where}: octets`);
  assert.deepEqual([...answer.subarray(0, 2)], [...query.subarray(0, 2)], `${where}: id`);
  assert.equal(opcode, row.ask.opcode ?? 0, `${where}: opcode`);
  assertTtls(row, occasion, { ttls, toldTtls, where });
}

/** TTLs are as expected, less the entry's age. */
function assertTtls(
  row: Row,
  occasion: Occasion,
  { ttls, toldTtls, where }: { ttls: number[]; toldTtls: number[]; where: string },
): void {
  const kept = (row.upstream ?? "once") === "once" && occasion.phase === "warm";
  const youngest = kept ? 1 : 0;
  // nodens counts tenths of a second, an upstream's cache whole ones.
  const oldest = row.aged === true
    ? Math.ceil(occasion.batteryMs / 1000)
    : Math.floor(occasion.entryMs / 1000 + 0.1);
  assert.equal(toldTtls.length, ttls.length, `${where}: TTLs ${toldTtls}, expected ${ttls}`);
  for (const [i, ttl] of ttls.entries()) {
    const age = ttl - toldTtls[i]!;
    assert.ok(
      age >= youngest && age <= oldest,
      `${where}: TTL ${toldTtls[i]} is not ${ttl} aged by ${youngest} to ${oldest} seconds`,
    );
  }
}

function assertUpstream(row: Row, cold: number, warm: number): void {
  const upstream = row.upstream ?? "once";
  if (upstream === "unseen" || Number.isNaN(cold)) return;
  if (upstream === "never") return assert.deepEqual({ cold, warm }, { cold: 0, warm: 0 });
  assert.ok(cold > 0, "the upstream was not asked");
  if (upstream === "once") assert.equal(warm, cold, "the upstream was asked again");
  else assert.ok(warm > cold, "the upstream was not asked again");
}

function assertDistinct(rows: readonly Row[]): void {
  const titles = new Set<string>();
  const keys = new Map<string, string>();
  for (const { title, ask, upstream } of rows) {
    assert.ok(!titles.has(title), `two rows are called "${title}"`);
    titles.add(title);
    if (upstream === "never" || upstream === "always") continue;
    const { name, type = "A", qclass = CLASS.IN, bits = "rd", edns } = ask;
    const text = typeof name === "string" ? name.toLowerCase() : name.toHex();
    const key = `${text} ${type} ${qclass} ${edns?.do === true} ${bits.includes("cd")}`;
    assert.equal(keys.get(key), undefined, `"${title}" asks what another row asks`);
    keys.set(key, title);
  }
}
