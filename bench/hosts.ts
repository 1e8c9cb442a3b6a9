/**
 * Cost of block lists in hosts files, compared with dnsmasq if installed: memory, time until
 * served, and lookups.
 *
 *   deno run -A bench/hosts.ts [--names 10000,150000,500000,1000000] [--reloads 10]
 *     [--nodens "COMMAND"]
 */
import { Buffer } from "node:buffer";
import { createSocket } from "node:dgram";
import { parseArgs } from "node:util";
import { cpuSeconds, processMemory } from "./measure.ts";
import { print } from "./output.ts";
import { buildQuery } from "./persist_probe.ts";
import { installed, pinSelf, type RunningServer, startServer } from "./process.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const PORT = 15_311;
const QUERIES = 20_000;
const WINDOW = 32;
/** nodens returns memory used for reading after 10 s. */
const REST_MS = 12_000;
const LIMIT_MS = 60_000;

const { values: flags } = parseArgs({
  options: {
    names: { type: "string", default: "10000,150000,500000,1000000" },
    reloads: { type: "string", default: "10" },
    nodens: { type: "string" },
  },
});
const sizes = flags.names.split(",").map(Number);
if (!sizes.every((size) => Number.isInteger(size) && size > 0)) {
  throw new RangeError(`--names: "${flags.names}" are not whole numbers above 0`);
}
const reloads = Number(flags.reloads);
if (!Number.isInteger(reloads) || reloads < 0) {
  throw new RangeError(`--reloads: "${flags.reloads}" is not a whole number`);
}

interface Contender {
  readonly name: string;
  readonly command: (folder: string, list: string) => string[];
  /** Triggers a reload, if the server does not poll. */
  readonly reload: (pid: number) => void;
}

const CONTENDERS: readonly Contender[] = [
  {
    name: "nodens",
    command(folder, list) {
      const file = `${folder}/Corefile`;
      Deno.writeTextFileSync(
        file,
        `.:${PORT} {\n bind 127.0.0.1\n errors\n hosts ${list} {\n reload 1s\n }\n}\n`,
      );
      const words = flags.nodens?.split(/\s+/).filter((word) => word !== "") ??
        [Deno.execPath(), "run", "-A", `${ROOT}main.ts`];
      return [...words, "-conf", file];
    },
    reload: () => {},
  },
  {
    name: "dnsmasq",
    command: (_, list) => [
      ...["dnsmasq", "--keep-in-foreground", `--port=${PORT}`, "--listen-address=127.0.0.1"],
      ...["--bind-interfaces", "--no-resolv", "--no-hosts", "--no-poll", "--conf-file=/dev/null"],
      ...["--pid-file", "--user=root", `--addn-hosts=${list}`],
    ],
    reload: (pid) => Deno.kill(pid, "SIGHUP"),
  },
];

/** Typical for block lists: 28 octets on average. */
function nameOf(i: number): string {
  const mixed = Math.imul(i + 1, 2654435761) >>> 0;
  const kind = ["track", "metrics", "cdn", "click", "pixel"][mixed % 5]!;
  return `ads${mixed.toString(36)}.${kind}${mixed % 9973}.example`;
}

/** Writes a list ending with `startServer`'s name. */
function writeList(path: string, names: number): void {
  const encoder = new TextEncoder();
  using file = Deno.openSync(path, { write: true, create: true, truncate: true });
  for (let from = 0; from < names; from += 10_000) {
    const length = Math.min(10_000, names - from);
    const lines = Array.from({ length }, (_, i) => `0.0.0.0 ${nameOf(from + i)}\n`);
    file.writeSync(encoder.encode(lines.join("")));
  }
  file.writeSync(encoder.encode("192.0.2.1 probe.example.org\n"));
}

/** Returns how many names had an address. */
function askAll(name: (i: number) => string, count: number): Promise<number> {
  const socket = createSocket("udp4");
  const done = Promise.withResolvers<number>();
  let sent = 0;
  let answered = 0;
  let found = 0;
  const next = () => {
    if (sent < count) socket.send(buildQuery(name(sent), sent++ & 0xffff), PORT, "127.0.0.1");
  };
  socket.on("message", (bytes: Buffer) => {
    if (bytes.readUInt16BE(6) > 0) found++;
    if (++answered === count) done.resolve(found);
    else next();
  });
  const timer = setTimeout(() => done.resolve(found), LIMIT_MS);
  for (let i = 0; i < WINDOW; i++) next();
  return done.promise.finally(() => {
    clearTimeout(timer);
    socket.close();
  });
}

async function untilServed(name: string): Promise<void> {
  for (const end = performance.now() + LIMIT_MS; performance.now() < end;) {
    if (await askAll(() => name, 1) === 1) return;
    await new Promise((wake) => setTimeout(wake, 20));
  }
  throw new Error(`"${name}" was not served within ${LIMIT_MS / 1000} s`);
}

async function measure(
  { reload }: Contender,
  server: RunningServer,
  { list, names }: { list: string; names: number },
): Promise<string[]> {
  const megabytes = (bytes: number) => bytes.toFixed(0);
  const lookup = async (name: (i: number) => string) => {
    const before = cpuSeconds(server.pid);
    await askAll(name, QUERIES);
    return ((cpuSeconds(server.pid) - before) * 1e6 / QUERIES).toFixed(1);
  };
  const hit = await lookup((i) => nameOf((i * 7919) % names));
  const other = await lookup((i) => `other${i}.example`);
  await new Promise((wake) => setTimeout(wake, REST_MS));
  const loaded = processMemory(server.pid);
  for (let i = 0; i < reloads; i++) {
    Deno.writeTextFileSync(list, `192.0.2.1 again${i}.example.org\n`, { append: true });
    reload(server.pid);
    await untilServed(`again${i}.example.org`);
  }
  await new Promise((wake) => setTimeout(wake, REST_MS));
  const reloaded = processMemory(server.pid);
  return [
    server.firstAnswerMs.toFixed(0),
    ...[loaded.resident, reloaded.resident, reloaded.peak].map(megabytes),
    hit,
    other,
  ];
}

pinSelf();
print(`Deno ${Deno.version.deno}; memory in MB, after ${reloads} reloads where it says so\n`);
print(
  "| names | server | first answer, ms | RSS | RSS, reloaded | peak | listed, CPU µs | other, CPU µs |",
);
print("| ----: | ------ | ---: | --: | --: | --: | --: | --: |");
for (const names of sizes) {
  for (const contender of CONTENDERS) {
    const folder = Deno.makeTempDirSync({ prefix: "nodens_hosts_" });
    try {
      const list = `${folder}/list`;
      writeList(list, names);
      const command = contender.command(folder, list);
      if (!installed(command[0]!)) {
        print(`${contender.name} is not installed`);
        continue;
      }
      const server = await startServer(command, { port: PORT, core: "server" });
      try {
        const figures = await measure(contender, server, { list, names });
        print(`| ${[names.toLocaleString("en"), contender.name, ...figures].join(" | ")} |`);
      } finally {
        await server.stop();
      }
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  }
}
