import type { LoadedConfig } from "../config/load.ts";
import { readConfig } from "../config/read.ts";
import type { Config } from "../config/types.ts";
import { CorefileErrors } from "../corefile/error.ts";
import { DataPlane } from "../control/data_plane.ts";
import { denoHost } from "../control/host_deno.ts";
import type { Endpoints } from "../control/endpoints.ts";
import { HostsFiles } from "../control/hosts_files.ts";
import type { LogFormat } from "../control/log_line.ts";
import type { Logger } from "../control/logger.ts";
import type { DriverKind } from "../control/messages.ts";
import { Persistence } from "../control/persistence.ts";
import { StatusSource } from "../control/status_source.ts";
import { Upstreams } from "../control/upstreams.ts";
import { MetricRegistry } from "../metrics/registry.ts";
import { CHAIN } from "../plugins/chain.ts";
import { type HttpAddress, parseHttpAddress } from "../plugins/http_address.ts";
import { releaseMemory } from "../sys/memory.ts";
import { type Flag, FlagError, type FlagValues, helpText, parseFlags } from "./flags.ts";
import { processOutput } from "./output.ts";
import { ServeOutput } from "./serve_output.ts";
import { VERSION, versionText } from "./version.ts";

const FLAGS: readonly Flag[] = [
  { name: "conf", kind: "text", default: "", help: "Corefile to serve; else ./Corefile" },
  { name: "dns.port", kind: "number", alias: "p", default: 53, help: "default port" },
  { name: "quiet", kind: "boolean", default: false, help: "say nothing at start" },
  { name: "log-format", kind: "text", default: "text", help: "text or json (an object a line)" },
  { name: "pidfile", kind: "text", default: "", help: "write the process id to this file" },
  { name: "plugins", kind: "boolean", default: false, help: "list the plugins and exit" },
  { name: "version", kind: "boolean", default: false, help: "print the version and exit" },
  { name: "workers", kind: "number", default: 1, help: "data planes that share the ports" },
  { name: "io", kind: "text", default: "auto", help: "auto, linux (epoll) or portable" },
  {
    name: "prometheus-listen-address",
    kind: "text",
    default: "",
    help: "serve metrics at this address, besides what the Corefile says",
  },
  {
    name: "metrics-listen-address",
    kind: "text",
    default: "",
    help: "the same, as node-cache has it",
  },
  { name: "h", kind: "boolean", alias: "help", default: false, help: "print this and exit" },
];

const USAGE = `Usage: nodens [FLAGS]                     serve a Corefile
       nodens check [--json] FILE         look for faults in a Corefile
       nodens query NAME [TYPE] [@SERVER] ask a server
       nodens status [--json] [ADDRESS]   how a running nodens is
       nodens healthcheck [URL|ADDRESS]   exit 0 where /health says OK, else 1

`;

/** CoreDNS's own configuration where there is no Corefile. */
const BUILT_IN = ".:PORT {\n    whoami\n    log\n}\n";
const MAX_WORKERS = 64;
const METRICS_FLAGS = ["prometheus-listen-address", "metrics-listen-address"] as const;
/** Time that queries in flight are given at stop. */
const STOP_MS = 2000;
/** When memory is given back: after the start, and after the hot code has been compiled. */
const RELEASE_AT_MS = [0, 300, 2000, 10_000, 60_000];

/** `nodens`: serves until a signal ends it. Returns the exit code. */
export async function runServe(args: readonly string[]): Promise<number> {
  let values: FlagValues;
  try {
    values = readFlags(args);
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    processOutput.err(`nodens: ${error.message}\nRun "nodens -h" for all flags.\n`);
    return 2;
  }
  if (values["h"] === true) {
    processOutput.out(`${USAGE}Flags:\n${helpText(FLAGS)}\n`);
    return 0;
  }
  if (values["version"] === true) {
    processOutput.out(`${versionText()}\n`);
    return 0;
  }
  if (values["plugins"] === true) {
    const names = CHAIN.filter(({ supported }) => supported).map(({ name }) => `dns.${name}`);
    processOutput.out(`${names.join("\n")}\n`);
    return 0;
  }
  const output = await ServeOutput.open(values["log-format"] as LogFormat);
  let loaded: LoadedConfig;
  try {
    loaded = await load(values, output);
  } catch (error) {
    if (!(error instanceof CorefileErrors) && !(error instanceof FlagError)) throw error;
    output.fail(error.message);
    return 1;
  }
  for (const warning of loaded.warnings) output.warn(warning);
  return await serve(loaded.config, values, output);
}

function readFlags(args: readonly string[]): FlagValues {
  const { values, rest } = parseFlags(args, FLAGS);
  if (rest.length > 0) throw new FlagError(`unknown argument "${rest[0]}" (flags begin with -)`);
  const { io, workers } = values;
  if (io !== "auto" && io !== "linux" && io !== "portable") {
    throw new FlagError(`flag -io: "${io}" is unknown (auto, linux or portable)`);
  }
  const { "log-format": format } = values;
  if (format !== "text" && format !== "json") {
    throw new FlagError(`flag -log-format: "${format}" is unknown (text or json)`);
  }
  if (Number(workers) < 1 || Number(workers) > MAX_WORKERS) {
    throw new FlagError(`flag -workers: ${workers} is out of range (1 to ${MAX_WORKERS})`);
  }
  if (Number(values["dns.port"]) < 1 || Number(values["dns.port"]) > 65535) {
    throw new FlagError(`flag -dns.port: ${values["dns.port"]} is no port (1 to 65535)`);
  }
  metricsAddresses(values);
  return values;
}

/** Addresses that the flags name. Throws `FlagError` for what is none. */
function metricsAddresses(values: FlagValues): HttpAddress[] {
  return METRICS_FLAGS.flatMap((name) => {
    const text = String(values[name]);
    if (text === "") return [];
    const address = parseHttpAddress(text);
    if (address !== null) return [address];
    throw new FlagError(`flag -${name}: "${text}" is no address (HOST:PORT, [IPV6]:PORT or :PORT)`);
  });
}

async function load(values: FlagValues, output: ServeOutput): Promise<LoadedConfig> {
  const defaultPort = Number(values["dns.port"]);
  const named = String(values["conf"]);
  const file = named === "" ? "Corefile" : named;
  let text: string;
  if (named === "" && denoHost.kindOf(file) !== "file") {
    output.warn("No Corefile here and no -conf FILE: serving the built-in one (whoami, log)");
    text = BUILT_IN.replace("PORT", String(defaultPort));
  } else {
    try {
      text = denoHost.readTextFile(file);
    } catch (error) {
      throw new FlagError(`Cannot read "${file}": ${(error as Error).message}`);
    }
  }
  return await readConfig({ file, text, defaultPort }, denoHost);
}

async function serve(
  config: Config,
  values: FlagValues,
  output: ServeOutput,
): Promise<number> {
  const { logger } = output;
  const ended = Promise.withResolvers<number>();
  const driver = chooseDriver(String(values["io"]), output);
  let workers = Number(values["workers"]);
  if (driver === "portable" && workers > 1) {
    logger.log("warning", "-workers needs the linux driver; running one");
    workers = 1;
  }
  const planes: DataPlane[] = [];
  for (let i = 0; i < workers; i++) {
    planes.push(
      new DataPlane(config, {
        driver,
        shared: workers > 1,
        log: logger.log,
        logsFields: output.format === "json",
        onDead: (why) => {
          output.die(`${why}; ending the process so that it is started afresh`, 3);
        },
      }),
    );
  }
  const registry = new MetricRegistry();
  registry.onScrape((book) => book.add("nodens_log_lines_dropped_total", {}, logger.droppedLines));
  let endpoints: Endpoints;
  try {
    planes.forEach((plane, others) => plane.bind(others));
    const starting = Promise.all(planes.map((plane) => plane.start()));
    // Loaded while the data planes start, which do not wait for it.
    const module = import("../control/endpoints.ts");
    await starting;
    const { Endpoints } = await module;
    endpoints = new Endpoints({
      planes,
      registry,
      log: logger.log,
      build: { version: VERSION, deno: Deno.version.deno },
      metricsAddresses: metricsAddresses(values),
      status: new StatusSource(config, { version: VERSION, driver, planes, logger }),
    });
    endpoints.apply(config);
  } catch (error) {
    output.fail((error as Error).message);
    // Threads that did start hold the process otherwise.
    Deno.exit(1);
  }
  const hosts = new HostsFiles(planes, logger.log, registry);
  hosts.start(config);
  const upstreams = new Upstreams(planes, logger.log);
  upstreams.start(config);
  const persistence = new Persistence(planes, logger.log);
  persistence.start(config);
  const { pidfile, quiet } = values;
  if (pidfile !== "") Deno.writeTextFileSync(String(pidfile), `${Deno.pid}\n`);
  if (quiet !== true) announce(config, logger);
  watchSignals(ended);
  const release = RELEASE_AT_MS.map((ms) =>
    setTimeout(() => driver === "linux" && releaseMemory(), ms)
  );
  const code = await ended.promise;
  await endpoints.lameduck();
  release.forEach(clearTimeout);
  hosts.stop();
  await upstreams.stop();
  // Before the data planes stop: they hold what is to be written.
  await persistence.stop(STOP_MS);
  await Promise.all([...planes, endpoints].map((part) => part.stop(STOP_MS)));
  await logger.flush(STOP_MS);
  if (pidfile !== "") removeQuietly(String(pidfile));
  return code;
}

function chooseDriver(wanted: string, output: ServeOutput): DriverKind {
  if (wanted === "portable") return "portable";
  const why = linuxDriverMissing();
  if (why === null) return "linux";
  if (wanted === "linux") {
    output.fail(`Cannot use the linux driver: ${why} (use -io portable)`);
    Deno.exit(1);
  }
  output.logger.log("warning", `using the portable driver, at about four times the CPU: ${why}`);
  return "portable";
}

function linuxDriverMissing(): string | null {
  if (Deno.build.os !== "linux") return `this is ${Deno.build.os}`;
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    return "FFI is not allowed (--allow-ffi)";
  }
  try {
    Deno.dlopen("libc.so.6", {}).close();
    return null;
  } catch (error) {
    return `glibc cannot be opened: ${(error as Error).message}`;
  }
}

/** Prints listeners as CoreDNS does, what runs, and a command that gets an answer. */
function announce(config: Config, logger: Logger): void {
  const zones = config.listeners.flatMap(({ address, port, zones }) =>
    zones.map(({ zone }) => {
      const host = address === ""
        ? ""
        : address.includes(":")
        ? ` on [${address}]`
        : ` on ${address}`;
      return `${zone}:${port}${host}`;
    })
  );
  const first = config.listeners[0];
  const hint: string[] = [];
  if (first !== undefined) {
    const host = first.address === "" ? "127.0.0.1" : first.address;
    const zone = first.zones.find(({ block }) =>
      config.blocks[block]!.plugins.some(({ name }) =>
        name === "whoami"
      )
    )?.zone ?? "example.org.";
    hint.push(`Try: dig @${host} -p ${first.port} ${zone}`);
  }
  const run = `nodens ${VERSION}, deno ${Deno.version.deno}, ${Deno.build.os}/${Deno.build.arch}`;
  const listeners = [...new Set(zones)];
  logger.print([...listeners, run, ...hint], run, { version: VERSION, listeners });
}

function watchSignals(ended: PromiseWithResolvers<number>): void {
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGTERM", "SIGINT"];
  let count = 0;
  for (const signal of signals) {
    Deno.addSignalListener(signal, () => {
      if (++count > 1) Deno.exit(1);
      ended.resolve(0);
    });
  }
}

function removeQuietly(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // Somebody else has removed it.
  }
}
