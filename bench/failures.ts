/**
 * Shows clients' view of nodens and its peers when one or both upstreams fail, in separate network
 * namespaces. Requires root.
 *
 *   deno run -A bench/failures.ts [--only killed,slow] [--servers nodens,unbound] [--seconds 6]
 *                                 [--rate 500] [--nodens "COMMAND"] [--forward "policy fastest"]
 *                                 [--check]
 */
import { parseArgs } from "node:util";
import { Network } from "./failures/network.ts";
import { type Outcome } from "./failures/outcome.ts";
import { Processes } from "./failures/processes.ts";
import { formatRuns, judgeRun, type Run } from "./failures/report.ts";
import { type Scenario, SCENARIOS } from "./failures/scenarios.ts";
import { startUpstream } from "./failures/upstreams.ts";
import { note, print } from "./output.ts";
import { installed } from "./process.ts";
import { dnsmasq } from "./servers/dnsmasq.ts";
import { nodens } from "./servers/nodens.ts";
import type { ServerKind } from "./servers/server.ts";
import { unbound } from "./servers/unbound.ts";

const CLIENT = new URL("./failures/client.ts", import.meta.url).pathname;
/** Of the server under test, in a separate namespace. */
const PORT = 1053;
const HEALTHY_SHARE = 1 / 3;

const { values: flags } = parseArgs({
  options: {
    only: { type: "string" },
    servers: { type: "string" },
    seconds: { type: "string", default: "6" },
    rate: { type: "string", default: "500" },
    nodens: { type: "string" },
    forward: { type: "string", default: "" },
    check: { type: "boolean", default: false },
  },
});
const seconds = wholeNumber("seconds", { text: flags.seconds, min: 3, max: 100 });
// Ids are unique within a run.
const rate = wholeNumber("rate", { text: flags.rate, min: 1, max: Math.floor(65535 / seconds) });
const scenarios = choose("only", { all: SCENARIOS, names: flags.only });
const servers = choose("servers", {
  all: [nodens(flags.nodens, flags.forward.split(",")), unbound, dnsmasq],
  names: flags.servers,
});

/** Removed at every kind of exit. */
const processes = new Processes();
let network: Network | null = null;
let directory = "";

function cleanUp(): void {
  processes.kill();
  network?.remove();
  network = null;
  if (directory !== "") Deno.removeSync(directory, { recursive: true });
  directory = "";
}

const missing = ["ip", "iptables", "named"].filter((binary) => !installed(binary));
if (Deno.uid() !== 0) {
  note("SKIPPED: network namespaces need root");
} else if (missing.length > 0) {
  note(`SKIPPED: ${missing.join(", ")} not installed`);
} else {
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
    Deno.addSignalListener(signal, () => {
      cleanUp();
      Deno.exit(code);
    });
  }
  try {
    Deno.exitCode = await measure() ? 0 : 1;
  } finally {
    await processes.end();
    cleanUp();
  }
}

/** Returns false if a query failed that must not. */
async function measure(): Promise<boolean> {
  directory = Deno.makeTempDirSync({ prefix: "nodens_failures_" });
  // named drops its privileges, but must still find its files.
  Deno.chmodSync(directory, 0o755);
  const runs: Run[] = [];
  for (const failing of [1, 2] as const) {
    for (const scenario of scenarios) {
      for (const server of servers) {
        if (!installed(server.binary)) {
          note(`SKIPPED: ${server.name}: ${server.binary} is not installed`);
          continue;
        }
        note(`${server.name}: ${failing === 1 ? "one" : "both"} ${scenario.name}`);
        runs.push(await runOnce(server, { scenario, failing }));
      }
    }
  }
  print(
    `${rate} queries a second for ${seconds} s, every one a miss; times in ms. ${Deno.build.os} ` +
      `${Deno.osRelease()}, ${navigator.hardwareConcurrency} cores, Deno ${Deno.version.deno}.\n`,
  );
  print(formatRuns(runs));
  print("");
  for (const { name, text } of scenarios) print(`- ${name}: ${text}`);
  const verdicts = runs.map(judgeRun).filter((verdict) => verdict !== null);
  if (verdicts.length > 0) print("\nExpected of nodens with one upstream left:\n");
  for (const { line } of verdicts) print(line);
  return !flags.check || !verdicts.some(({ failed }) => failed);
}

/** Runs one server while one or both fresh upstreams fail. */
async function runOnce(
  server: ServerKind,
  { scenario, failing }: { scenario: Scenario; failing: 1 | 2 },
): Promise<Run> {
  network = Network.create();
  try {
    const proxied = scenario.proxied === true;
    const upstreams = await Promise.all(
      network.sites.map((site) => startUpstream(site, { processes, directory, proxied })),
    );
    const command = server.prepare({
      port: PORT,
      upstreams: upstreams.map(({ site, port }) => ({ address: site.address, port })),
      directory: Deno.makeTempDirSync({ dir: directory, prefix: `${server.name}_` }),
      capacity: 2 * rate * seconds,
    });
    const running = await processes.start({ namespace: network.middle, command });
    const client = await processes.start({
      namespace: network.middle,
      command: [Deno.execPath(), "run", "-A", CLIENT, ...[PORT, rate, seconds].map(String)],
      ready: (written) => written.includes("started "),
    }).catch((cause: Error) => {
      const said = `${running.output}${running.complaints}`.trim();
      throw new Error(`Cannot measure ${server.name}: ${said || "it said nothing"}`, { cause });
    });
    const startedMs = Number(/^started ([\d.]+)$/m.exec(client.output)![1]);
    const failAtMs = startedMs + 1000 * seconds * HEALTHY_SHARE;
    const waitMs = failAtMs - performance.timeOrigin - performance.now();
    await new Promise((wake) => setTimeout(wake, waitMs));
    const failedAtMs = performance.timeOrigin + performance.now() - startedMs;
    await Promise.all(upstreams.slice(0, failing).map((upstream) => scenario.inject(upstream)));
    const { success } = await client.ended;
    if (!success) throw new Error(`Cannot run the client of ${server.name}: it failed`);
    const outcomes = JSON.parse(client.output.split("\n")[1]!) as Outcome[];
    return { server: server.name, scenario, failing, outcomes, failedAtMs };
  } finally {
    await processes.end();
    network?.remove();
    network = null;
  }
}

function choose<T extends { name: string }>(
  flag: string,
  { all, names }: { all: readonly T[]; names: string | undefined },
): T[] {
  if (names === undefined) return [...all];
  const chosen = names.split(",");
  const known = all.map(({ name }) => name);
  const unknown = chosen.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new RangeError(`--${flag}: unknown name "${unknown}" (known: ${known.join(", ")})`);
  }
  return all.filter(({ name }) => chosen.includes(name));
}

function wholeNumber(
  flag: string,
  { text, min, max }: { text: string; min: number; max: number },
): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`--${flag}: "${text}" is not a whole number from ${min} to ${max}`);
  }
  return value;
}
