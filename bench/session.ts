import { type LoadOptions, type LoadResult, runLoad } from "./load.ts";
import { cpuSeconds, processMemory } from "./measure.ts";
import type { NameFiles } from "./names.ts";
import { note } from "./output.ts";
import type { RunningServer } from "./process.ts";

/** Measurements of one server in one round, if applicable. */
export type Figures = Partial<Record<FigureName, number>>;

/** A row of the table. */
export type FigureName =
  | "hitCpu"
  | "hitRate"
  | "hitLost"
  | "hitSteadyCpu"
  | "tcpHitCpu"
  | "tcpHitRate"
  | "tcpHitSteadyCpu"
  | "missCpu"
  | "missRate"
  | "latency1k"
  | "latency1kCpu"
  | "latency10k"
  | "latency10kCpu"
  | "residentHot"
  | "residentHotSettled"
  | "anonymousHot"
  | "residentAfterHits"
  | "residentFull"
  | "anonymousFull"
  | "bytesPerEntry"
  | "residentPeak"
  | "answerBytes"
  | "residentAtRest"
  | "startMs"
  | "startOneCoreMs";

/** Options of a session. */
export interface SessionOptions {
  port: number;
  /** Process of the server's upstream. */
  upstreamPid: number;
  names: NameFiles;
  seconds: number;
  /** Idle time after which a process has returned the memory of a burst. */
  restSeconds: number;
  /** The server caches, so misses and memory are measured too. */
  caches: boolean;
}

/**
 * Rate for comparing CPU. At full rate a slower server finds more queries per wake-up and pays less
 * for each; at one rate all wake up alike.
 */
const STEADY_RATE = 50_000;
/** Above this, the upstream answered queries that should have been hits. */
const MAX_UPSTREAM_CPU_MICROSECONDS = 0.2;

/** Idle time before the second memory reading. */
const SETTLE_SECONDS = 3;

/** Measures every figure except the start, in a fixed order. */
export async function measureServer(
  server: RunningServer,
  options: SessionOptions,
): Promise<Figures> {
  const { port, names, seconds, restSeconds } = options;
  const figures: Figures = {};

  async function load(what: Omit<LoadOptions, "port">): Promise<LoadResult & { cpu: number }> {
    const before = cpuSeconds(server.pid);
    const result = await runLoad({ port, ...what });
    const cpu = (cpuSeconds(server.pid) - before) * 1e6 / result.completed;
    if (result.failed > 0) note(`  ${result.failed} answers were not NOERROR`);
    return { ...result, cpu };
  }

  async function memoryAfter(idleSeconds: number) {
    await new Promise((wake) => setTimeout(wake, 1000 * idleSeconds));
    return processMemory(server.pid);
  }

  // The second pass covers lost queries.
  await load({ dataFile: names.hot });
  await load({ dataFile: names.hot });
  const hot = processMemory(server.pid);
  figures.residentHot = hot.resident;
  figures.anonymousHot = hot.anonymous;
  figures.residentHotSettled = (await memoryAfter(SETTLE_SECONDS)).resident;

  const upstreamBefore = cpuSeconds(options.upstreamPid);
  const hit = await load({ dataFile: names.hot, seconds });
  const upstreamCpu = (cpuSeconds(options.upstreamPid) - upstreamBefore) * 1e6 / hit.completed;
  if (upstreamCpu > MAX_UPSTREAM_CPU_MICROSECONDS) {
    note(`  the upstream was busy in the hit row (${upstreamCpu.toFixed(1)} µs a query): no hits`);
  }
  figures.hitCpu = hit.cpu;
  figures.hitRate = hit.queriesPerSecond;
  figures.hitLost = hit.lost;
  figures.answerBytes = hit.answerBytes;
  figures.residentAfterHits = processMemory(server.pid).resident;

  figures.hitSteadyCpu = (await load({ dataFile: names.hot, seconds, rate: STEADY_RATE })).cpu;

  const slow = await load({ dataFile: names.hot, seconds, rate: 1_000 });
  figures.latency1k = slow.latencyMicroseconds;
  figures.latency1kCpu = slow.cpu;
  const brisk = await load({ dataFile: names.hot, seconds, rate: 10_000 });
  figures.latency10k = brisk.latencyMicroseconds;
  figures.latency10kCpu = brisk.cpu;

  const tcp = await load({ dataFile: names.hot, seconds, transport: "tcp" });
  figures.tcpHitCpu = tcp.cpu;
  figures.tcpHitRate = tcp.queriesPerSecond;
  figures.tcpHitSteadyCpu =
    (await load({ dataFile: names.hot, seconds, rate: STEADY_RATE, transport: "tcp" })).cpu;

  if (options.caches && names.coldCount > 0) {
    const before = await memoryAfter(restSeconds);
    const miss = await load({ dataFile: names.cold, seconds, once: true });
    figures.missCpu = miss.cpu;
    figures.missRate = miss.queriesPerSecond;
    // Gives all servers equal entries.
    await load({ dataFile: names.cold });
    await load({ dataFile: names.cold });
    const full = processMemory(server.pid);
    figures.residentFull = full.resident;
    figures.anonymousFull = full.anonymous;
    // Program text varies; only private memory counts.
    const growth = (await memoryAfter(restSeconds)).anonymous - before.anonymous;
    figures.bytesPerEntry = growth * 1e6 / names.coldCount;
  }
  figures.residentPeak = processMemory(server.pid).peak;
  return figures;
}
