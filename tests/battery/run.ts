import { Crowd, type CrowdAnswer, served } from "../support/servers/crowd.ts";
import { type Nodens, startNodens } from "../support/processes/nodens.ts";
import { type Kind, SLOW_LABEL, type Started } from "./kinds.ts";

export const CLIENTS = {
  "plain": { transport: "udp", query: {} },
  "EDNS 1232": { transport: "udp", query: { edns: 1232 } },
  "DO": { transport: "udp", query: { edns: 1232, dnssecOk: true } },
  "TCP": { transport: "tcp", query: {} },
} as const;

export type Client = keyof typeof CLIENTS;

/** Concurrent names in the last column. */
export const BURST = 40;
/** Limit of a timely answer. */
const AT_ONCE_MS = 250;
/** Pause between the two questions; longer than `kinds.ts` takes to change a server. */
const BETWEEN_MS = 1100;
/** Concurrent cells and bursts; more would delay each other. */
const AT_ONCE = { cells: 24, bursts: 6 } as const;

export interface Cell {
  /** "1 record", "TC", "TC, 1 record", "SERVFAIL" or "no answer". */
  readonly outcomes: readonly [first: string, second: string];
  readonly tookMs: readonly [first: number, second: number];
}

export interface Row {
  readonly title: string;
  readonly cells: Readonly<Record<Client, Cell>>;
  /** Answers to forty concurrent names that take 100 ms each, over TCP. */
  readonly burst: number;
}

/** Queries nodens with each kind of upstream, as each kind of client. */
export async function runBattery(kinds: readonly Kind[]): Promise<Row[]> {
  const clients = Object.keys(CLIENTS) as Client[];
  const started: Started[] = [];
  let nodens: Nodens | null = null;
  try {
    const blocks: { zone: string; to: string; options: string }[] = [];
    for (const [row, kind] of kinds.entries()) {
      let server: Started | null = null;
      for (const [column, tcp] of [...clients, "burst"].entries()) {
        if (server === null || !kind.shared) {
          server = await kind.start();
          started.push(server);
        }
        const options = tcp === "burst" ? `${kind.options}\n    force_tcp` : kind.options;
        blocks.push({ zone: zoneOf(row, column), to: server.to.join(" "), options });
      }
    }
    nodens = await startNodens({ corefile: (port) => corefile(port, blocks) });
    const { port } = nodens;
    const places = kinds.flatMap((_, row) =>
      clients.map((client, column) => ({ row, client, column }))
    );
    const cells = await eachOf(
      places,
      AT_ONCE.cells,
      ({ row, client, column }) => askTwice(port, client, zoneOf(row, column)),
    );
    const rows = kinds.map((_, row) => row);
    const bursts = await eachOf(
      rows,
      AT_ONCE.bursts,
      (row) => askBurst(port, zoneOf(row, clients.length)),
    );
    return kinds.map(({ title }, row) => ({
      title,
      burst: bursts[row]!,
      cells: Object.fromEntries(
        clients.map((client, column) => [client, cells[row * clients.length + column]!]),
      ) as Row["cells"],
    }));
  } finally {
    await nodens?.stop();
    for (const server of started) await server.stop();
  }
}

/** Processes this many items at a time; keeps their order. */
async function eachOf<T, R>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (next < items.length) {
      const place = next++;
      results[place] = await work(items[place]!);
    }
  }));
  return results;
}

function zoneOf(row: number, column: number): string {
  return `c${column}.r${row}.example.org`;
}

/** Late answers count: the machine may be busy. */
function corefile(
  port: number,
  blocks: readonly { zone: string; to: string; options: string }[],
): string {
  return blocks.map(({ zone, to, options }) =>
    `${zone}:${port} {
  bind 127.0.0.1
  timeouts {
    discard 0
  }
  forward . ${to} {
    ${options}
  }
}
`
  ).join("");
}

async function askTwice(port: number, client: Client, zone: string): Promise<Cell> {
  const { transport, query } = CLIENTS[client];
  const outcomes: string[] = [];
  const tookMs: number[] = [];
  for (const label of ["first", "second"]) {
    if (outcomes.length > 0) await new Promise((resolve) => setTimeout(resolve, BETWEEN_MS));
    const crowd = new Crowd(port, transport);
    const startMs = performance.now();
    const one = crowd.ask(`${label}.${zone}`, query);
    await crowd.finish();
    tookMs.push(performance.now() - startMs);
    outcomes.push(outcomeOf(one));
  }
  return { outcomes: [outcomes[0]!, outcomes[1]!], tookMs: [tookMs[0]!, tookMs[1]!] };
}

async function askBurst(port: number, zone: string): Promise<number> {
  const crowd = new Crowd(port);
  for (let i = 0; i < BURST; i++) crowd.ask(`${SLOW_LABEL}.b${i}.${zone}`);
  return served(await crowd.finish()).length;
}

function outcomeOf({ message }: CrowdAnswer): string {
  if (message === null) return "no answer";
  const { rcode, flag_tc, answers } = message;
  if (rcode !== "NOERROR") return rcode;
  const count = answers!.length;
  const records = count === 0 ? "no record" : count === 1 ? "1 record" : `${count} records`;
  if (!flag_tc) return records;
  return count === 0 ? "TC" : `TC, ${records}`;
}

/** An answer's time, coarse enough to be reproducible. */
export function timeText(tookMs: number): string {
  if (tookMs < AT_ONCE_MS) return "at once";
  return `after ${Math.max(0.5, Math.round(2 * tookMs / 1000) / 2)} s`;
}
