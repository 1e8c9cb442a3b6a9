/**
 * Measures hits in the kernel: CPU of the whole machine a query, and latencies, of a pod that asks
 * its node over a veth pair. As root.
 *
 *   deno run --lock=dev.lock -A bench/kernel.ts [--only "nodens,nodens, kernel hits"]
 *     [--seconds 5] [--rounds 3] [--rates 1000,10000,50000,0] [--nodens "COMMAND"]
 *
 * The load has core 1, servers have core 0. Rate 0: as fast as it is answered.
 */
import { parseArgs } from "node:util";
import { type Contender, contenders, METRICS_PORT, UPSTREAM_COMMAND } from "./kernel/contenders.ts";
import { PodAndNode, SERVED } from "./kernel/network.ts";
import { runMicroseconds, softirqThreads } from "./kernel/run_time.ts";
import { type Figures, formatFigures, judgeTargets } from "./kernel/table.ts";
import { buildNative, LOAD_PROGRAM } from "./native.ts";
import { note, print } from "./output.ts";
import { canPin, installed } from "./process.ts";

const NAMES = 10_000;
const CORES = { server: canPin ? "0" : null, load: canPin ? "1" : null };
const READY_MS = 15_000;
const POLL_MS = 50;
const STOP_MS = 5_000;
/** Of the measured queries; with less, userland was measured. */
const LEAST_SHARE = 0.99;
/** Longer than the metrics are served from a copy. */
const COPY_MS = 1_200;
const ANSWERS = "nodens_kernel_answers_total";
const INTERFACES = "nodens_kernel_interfaces";

interface LoadReport extends Omit<Figures, "lost"> {
  sent: number;
  answered: number;
  failed: number;
}

const { values: flags } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    seconds: { type: "string", default: "5" },
    rounds: { type: "string", default: "3" },
    rates: { type: "string", default: "1000,10000,50000,0" },
    nodens: { type: "string" },
  },
});
const [seconds, rounds] = [Number(flags.seconds), Number(flags.rounds)];
const rates = flags.rates.split(",").map(Number);
const chosen = contenders(flags.nodens).filter(({ name, binary }) => {
  if (flags.only !== undefined && !flags.only.includes(name)) return false;
  if (installed(binary) || binary.endsWith("/answer")) return true;
  note(`SKIPPED: ${name}: ${binary} is not installed`);
  return false;
});
note("SKIPPED: node-cache: no package has it");

if (Deno.uid() !== 0) note("SKIPPED: network namespaces need root");
else if (buildNative() && buildNative(LOAD_PROGRAM)) await run();

async function run(): Promise<void> {
  const directory = Deno.makeTempDirSync({ prefix: "nodens_bench_" });
  const network = new PodAndNode();
  const results = new Map(
    chosen.map(({ name }) => [name, new Map(rates.map((rate) => [rate, [] as Figures[]]))]),
  );
  try {
    const upstream = start(network, UPSTREAM_COMMAND, CORES.load);
    try {
      for (let round = 1; round <= rounds; round++) {
        for (const contender of chosen) {
          note(`round ${round} of ${rounds}: ${contender.name}`);
          await measure(network, contender, {
            directory: Deno.makeTempDirSync({ dir: directory }),
            add: (rate, figures) => void results.get(contender.name)!.get(rate)!.push(figures),
          });
        }
      }
    } finally {
      await upstream.stop();
    }
  } finally {
    network.remove();
    Deno.removeSync(directory, { recursive: true });
  }
  print(
    `A pod asks its node over a veth pair: ${NAMES.toLocaleString("en-US")} names, all cached. ` +
      `Medians of ${rounds} rounds of ${seconds} s; CPU of generator, server and softirqs; in ` +
      `brackets the ratio to nodens without kernel hits. Linux ${Deno.osRelease()}, ` +
      `${Deno.build.arch}, ${navigator.hardwareConcurrency} cores, Deno ${Deno.version.deno}.\n`,
  );
  print(formatFigures(results));
  print("\nTargets:");
  for (const line of judgeTargets(results)) print(line);
}

async function measure(
  network: PodAndNode,
  contender: Contender,
  { directory, add }: { directory: string; add(rate: number, figures: Figures): void },
): Promise<void> {
  const server = start(network, contender.prepare(directory), CORES.server);
  const softirqs = softirqThreads();
  try {
    await untilReady(network, contender, server);
    // Published at the second hit: each name is asked several times.
    if (contender.readyText === undefined) {
      for (let i = 0; i < 2; i++) await load(network, 0, 2);
    }
    const before = await metric(network, contender, ANSWERS);
    let answered = 0;
    for (const rate of rates) {
      const runBefore = runMicroseconds([server.pid, ...softirqs]);
      const report = await load(network, rate, seconds);
      const others = runMicroseconds([server.pid, ...softirqs]) - runBefore;
      answered += report.answered;
      // A reflected query has the rcode 0, too.
      if (report.failed > 0) note(`  ${report.failed} answers were not NOERROR`);
      add(rate, {
        ...report,
        cpuMicroseconds: (report.cpuMicroseconds + others) / report.answered,
        lost: report.sent - report.answered,
      });
    }
    if (!contender.kernelHits) return;
    const share = (await metric(network, contender, ANSWERS) - before) / answered;
    note(`  ${(100 * share).toFixed(2)} % were answered by the kernel`);
    if (share < LEAST_SHARE) throw new Error(`Cannot measure kernel hits: ${server.text()}`);
  } finally {
    await server.stop();
  }
}

async function load(network: PodAndNode, rate: number, seconds: number): Promise<LoadReport> {
  const words = [LOAD_PROGRAM, SERVED, "53", String(rate), String(seconds), String(NAMES)];
  return JSON.parse(await output(network.command("pod", words, CORES.load)));
}

/** Sum of a metric's series; 0 for servers without kernel hits. */
async function metric(network: PodAndNode, contender: Contender, name: string): Promise<number> {
  if (!contender.kernelHits) return 0;
  await new Promise((wake) => setTimeout(wake, COPY_MS));
  const url = `http://127.0.0.1:${METRICS_PORT}/metrics`;
  const text = await output(network.command("node", ["curl", "-sS", url], CORES.load));
  const lines = text.split("\n").filter((line) => line.startsWith(name));
  return lines.reduce((total, line) => total + Number(line.slice(line.lastIndexOf(" "))), 0);
}

async function output(words: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(words[0]!, { args: words.slice(1) })
    .output();
  const decoder = new TextDecoder();
  if (success) return decoder.decode(stdout);
  throw new Error(`Cannot run "${words.join(" ")}": ${decoder.decode(stderr).trim()}`);
}

interface Started {
  readonly pid: number;
  text(): string;
  gone(): boolean;
  stop(): Promise<void>;
}

/** Starts a program in the node. */
function start(network: PodAndNode, words: readonly string[], core: string | null): Started {
  const [command, ...args] = network.command("node", words, core);
  const child = new Deno.Command(command!, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let text = "";
  const reading = [child.stdout, child.stderr].map((stream) =>
    stream.pipeThrough(new TextDecoderStream()).pipeTo(
      new WritableStream({ write: (more) => void (text.length < 8_000 && (text += more)) }),
    )
  );
  let gone = false;
  const ended = child.status.then(() => gone = true);
  return {
    pid: child.pid,
    text: () => text,
    gone: () => gone,
    async stop() {
      await child.stdin.close().catch(() => {});
      if (!gone) child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
      await ended;
      clearTimeout(timer);
      await Promise.all(reading);
    },
  };
}

async function untilReady(
  network: PodAndNode,
  contender: Contender,
  server: Started,
): Promise<void> {
  const { name, readyText, kernelHits } = contender;
  const limitMs = performance.now() + READY_MS;
  const answers = async () => {
    const words = [LOAD_PROGRAM, SERVED, "53", "20", "0.1", "1"];
    const report: LoadReport = JSON.parse(await output(network.command("pod", words, CORES.load)));
    return report.answered > 0;
  };
  for (;;) {
    if (server.gone() || performance.now() > limitMs) {
      throw new Error(`Cannot start ${name}: ${server.text()}`);
    }
    const ready = readyText === undefined ? await answers() : server.text().includes(readyText);
    if (ready && !(kernelHits && await metric(network, contender, INTERFACES) === 0)) return;
    await new Promise((wake) => setTimeout(wake, POLL_MS));
  }
}
