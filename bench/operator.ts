/**
 * Latency of hits while operators read and flush a large cache. Any lost query is an error.
 *
 *   deno run -A bench/operator.ts [--entries 200000] [--rate 20000] [--seconds 5]
 *
 * Half of the entries are below flushed.example.org, and the queries ask for names of the others.
 */
import { parseArgs } from "node:util";
import { ANSWER_PROGRAM, buildNative, TTL_SECONDS } from "./native.ts";
import { runLoad } from "./load.ts";
import { note, print } from "./output.ts";
import { installed, pinSelf, startServer } from "./process.ts";
import { nodens } from "./servers/nodens.ts";

const UPSTREAM_PORT = 15_306;
const PORT = 15_307;
const HOT_NAMES = 10_000;

const { values: flags } = parseArgs({
  options: {
    entries: { type: "string", default: "200000" },
    rate: { type: "string", default: "20000" },
    seconds: { type: "string", default: "5" },
  },
});
const [entries, rate, seconds] = [flags.entries, flags.rate, flags.seconds].map((text) => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new RangeError(`"${text}" is not a whole number above 0`);
  }
  return value;
}) as [number, number, number];

/** What is done while queries run; a line that says how it went. */
type Work = (ask: Ask, until: AbortSignal) => Promise<string>;
type Ask = (target: string, method?: string) => Promise<Response>;

const WORKS: Readonly<Record<string, Work>> = {
  "nothing": () => Promise.resolve(""),
  "dump, again and again": async (ask, until) => {
    let lines = 0;
    while (!until.aborted) lines += (await (await ask("dump")).text()).split("\n").length - 1;
    return `${lines} entries`;
  },
  "top, every 100 ms": async (ask, until) => {
    let count = 0;
    for (; !until.aborted; count++) {
      await (await ask("top")).body?.cancel();
      await new Promise((wake) => setTimeout(wake, 100));
    }
    return `${count} answers`;
  },
  "flush of the zone": async (ask) =>
    (await (await ask("flush?zone=flushed.example.org", "POST")).text()).trim(),
};

if (!installed("dnsperf")) note("SKIPPED: dnsperf is not installed");
else if (buildNative()) Deno.exitCode = await measure() ? 0 : 1;

async function measure(): Promise<boolean> {
  const directory = Deno.makeTempDirSync({ prefix: "nodens_operator_" });
  const socket = `${directory}/control.sock`;
  const command = nodens(undefined).prepare({
    port: PORT,
    upstreams: [{ address: "127.0.0.1", port: UPSTREAM_PORT }],
    directory,
    capacity: 2 * entries,
  });
  const hot = writeNames(`${directory}/hot`, "hot.example.org", HOT_NAMES);
  const rest = writeNames(`${directory}/rest`, "rest.example.org", entries / 2 - HOT_NAMES);
  const flushed = writeNames(`${directory}/flushed`, "flushed.example.org", entries / 2);
  pinSelf();
  const upstream = await startServer([ANSWER_PROGRAM, String(UPSTREAM_PORT), String(TTL_SECONDS)], {
    port: UPSTREAM_PORT,
    core: "load",
  });
  const client = Deno.createHttpClient({ proxy: { transport: "unix", path: socket } });
  try {
    const server = await startServer([...command, "-control", socket], {
      port: PORT,
      core: "server",
    });
    try {
      for (const dataFile of [hot, rest, flushed]) await runLoad({ port: PORT, dataFile });
      const ask: Ask = async (target, method = "GET") => {
        const response = await fetch(`http://nodens/v1/${target}`, { client, method });
        if (!response.ok) throw new Error(`${target}: ${await response.text()}`);
        return response;
      };
      print(`${entries} entries, ${rate} queries a second\n`);
      print("| meanwhile | answered | lost | p50, µs | p99, µs | longest, µs | |");
      print("| --- | ---: | ---: | ---: | ---: | ---: | --- |");
      let whole = true;
      for (const [name, work] of Object.entries(WORKS)) {
        whole = await row(name, hot, (until) => work(ask, until)) && whole;
      }
      return whole;
    } finally {
      await server.stop();
    }
  } finally {
    client.close();
    await upstream.stop();
    Deno.removeSync(directory, { recursive: true });
  }
}

async function row(
  name: string,
  dataFile: string,
  work: (until: AbortSignal) => Promise<string>,
): Promise<boolean> {
  const loadArgs = ["-s", "127.0.0.1", "-p", String(PORT), "-d", dataFile, "-l", String(seconds)];
  const dnsperf = new Deno.Command("dnsperf", {
    args: [...loadArgs, "-Q", String(rate), "-c", "8", "-T", "1", "-v"],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const ended = new AbortController();
  const reading = new Response(dnsperf.stdout).text().finally(() => ended.abort());
  const said = await work(ended.signal);
  const text = await reading;
  // "> NOERROR NAME TYPE SECONDS"
  const latencies = Float64Array.from(
    text.matchAll(/^> \S+ \S+ \S+ ([\d.]+)$/gm),
    ([, s]) => 1e6 * Number(s),
  ).sort();
  const lost = Number(/Queries lost:\s+(\d+)/.exec(text)?.[1] ?? NaN);
  const at = (share: number) =>
    Math.round(latencies[Math.min(latencies.length - 1, Math.floor(share * latencies.length))]!);
  const cells = [name, latencies.length, lost, at(0.5), at(0.99), at(1), said];
  print(`| ${cells.join(" | ")} |`);
  return latencies.length > 0 && lost === 0;
}

/** Names like `a0.ZONE A`, one a line. */
function writeNames(file: string, zone: string, count: number): string {
  const lines = Array.from({ length: count }, (_, i) => `a${i}.${zone} A\n`);
  Deno.writeTextFileSync(file, lines.join(""));
  return file;
}
