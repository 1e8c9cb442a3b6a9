/**
 * Compares nodens with its peers and a floor in C, on loopback, in one table.
 *
 *   deno task bench [--only nodens,floor] [--seconds 5] [--rounds 3] [--starts 5] [--rest 6]
 *                   [--entries 200000] [--nodens "COMMAND"]
 *
 * nodens runs `prometheus`; `--only nodens,nodens-bare` shows its cost.
 */
import { parseArgs } from "node:util";
import { judgeBudgets } from "./budgets.ts";
import { processMemory } from "./measure.ts";
import { writeNames } from "./names.ts";
import { ANSWER_PROGRAM, buildNative, TTL_SECONDS } from "./native.ts";
import { note, print } from "./output.ts";
import { canPin, installed, pinSelf, startServer } from "./process.ts";
import { type Column, formatTable } from "./report.ts";
import { dnsmasq } from "./servers/dnsmasq.ts";
import { floor } from "./servers/floor.ts";
import { leastDeno } from "./servers/least_deno.ts";
import { nodens } from "./servers/nodens.ts";
import { pdns } from "./servers/pdns.ts";
import type { ServerKind } from "./servers/server.ts";
import { unbound } from "./servers/unbound.ts";
import { type Figures, measureServer } from "./session.ts";

const HOT_NAMES = 10_000;
const UPSTREAM_PORT = 15_301;
const FIRST_PORT = 15_310;
/** Extra room in every cache, to prevent eviction. */
const CAPACITY_MARGIN = 100_000;

const { values: flags } = parseArgs({
  options: {
    only: { type: "string" },
    seconds: { type: "string", default: "5" },
    rounds: { type: "string", default: "3" },
    starts: { type: "string", default: "5" },
    rest: { type: "string", default: "6" },
    entries: { type: "string", default: "200000" },
    nodens: { type: "string" },
  },
});
const seconds = wholeNumber("seconds", flags.seconds);
const rounds = wholeNumber("rounds", flags.rounds);
const starts = wholeNumber("starts", flags.starts);
const restSeconds = wholeNumber("rest", flags.rest);
const entries = wholeNumber("entries", flags.entries);
const DEFAULT = [nodens(flags.nodens), floor, unbound, dnsmasq, pdns, leastDeno];
const bare = nodens(flags.nodens, [], true);
const servers = chooseServers(DEFAULT, flags.only);

if (!installed("dnsperf")) {
  note("SKIPPED: dnsperf is not installed, so there is nothing to measure with");
} else if (buildNative()) {
  await run();
}

async function run(): Promise<void> {
  const directory = Deno.makeTempDirSync({ prefix: "nodens_bench_" });
  try {
    const names = writeNames(directory, { hot: HOT_NAMES, entries });
    const present = servers.filter((server) => {
      if (installed(server.binary)) return true;
      note(`SKIPPED: ${server.name}: ${server.binary} is not installed`);
      return false;
    });
    pinSelf();
    if (!canPin) note("Processes are not held on cores of their own: the figures will scatter");
    const upstream = await startServer(
      [ANSWER_PROGRAM, String(UPSTREAM_PORT), String(TTL_SECONDS)],
      { port: UPSTREAM_PORT, core: "load" },
    );
    try {
      const columns = present.map((server): Column => ({
        name: server.name,
        peer: server.peer,
        rounds: [],
      }));
      await measureStarts(present, columns, directory);
      for (let round = 1; round <= rounds; round++) {
        for (const [i, server] of present.entries()) {
          if (server.startOnly) continue;
          note(`round ${round} of ${rounds}: ${server.name}`);
          const port = FIRST_PORT + i;
          const running = await startServer(prepare(server, directory, port), {
            port,
            core: "server",
          });
          try {
            columns[i]!.rounds.push(
              await measureServer(running, {
                port,
                upstreamPid: upstream.pid,
                names,
                seconds,
                restSeconds,
                caches: server.caches,
              }),
            );
          } finally {
            await running.stop();
          }
        }
      }
      printReport(columns);
    } finally {
      await upstream.stop();
    }
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

async function measureStarts(
  present: readonly ServerKind[],
  columns: readonly Column[],
  directory: string,
): Promise<void> {
  for (let start = 1; start <= starts; start++) {
    for (const [i, server] of present.entries()) {
      const port = FIRST_PORT + i;
      const command = prepare(server, directory, port);
      const alone = await startServer(command, { port, core: "server" });
      await alone.stop();
      const running = await startServer(command, { port, core: "all" });
      const figures: Figures = {
        startMs: running.firstAnswerMs,
        startOneCoreMs: alone.firstAnswerMs,
      };
      if (start === starts) {
        await new Promise((wake) => setTimeout(wake, 1000 * restSeconds));
        figures.residentAtRest = processMemory(running.pid).resident;
      }
      columns[i]!.rounds.push(figures);
      await running.stop();
    }
  }
}

function prepare(server: ServerKind, parent: string, port: number): string[] {
  const directory = Deno.makeTempDirSync({ dir: parent, prefix: `${server.name}_` });
  const capacity = entries + CAPACITY_MARGIN;
  const upstreams = [{ address: "127.0.0.1", port: UPSTREAM_PORT }];
  return server.prepare({ port, upstreams, directory, capacity });
}

function printReport(columns: readonly Column[]): void {
  print(
    `Medians of ${rounds} rounds of ${seconds} s a row (start: of ${starts}); in brackets the ` +
      `ratio to the floor. ${Deno.build.os} ${Deno.osRelease()}, ${Deno.build.arch}, ` +
      `${navigator.hardwareConcurrency} cores, Deno ${Deno.version.deno}.\n`,
  );
  print(formatTable(columns, { hot: HOT_NAMES, entries }));
  print("\nBudgets:");
  for (const line of judgeBudgets(columns)) print(line);
}

function chooseServers(all: readonly ServerKind[], only: string | undefined): ServerKind[] {
  if (only === undefined) return [...all];
  const known = [...all, bare].map(({ name }) => name);
  const chosen = only.split(",");
  const unknown = chosen.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new RangeError(`--only: unknown server "${unknown}" (known: ${known.join(", ")})`);
  }
  return [...all, bare].filter(({ name }) => chosen.includes(name));
}

function wholeNumber(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new RangeError(`--${flag}: "${text}" is not a whole number above 0`);
  }
  return value;
}
