import type { LoadedConfig } from "../config/load.ts";
import type { Config } from "../config/types.ts";
import { ConfigSource } from "../control/config_source.ts";
import { denoHost } from "../control/host_deno.ts";
import { inheritSockets } from "../control/inherited_sockets.ts";
import type { LogFormat } from "../control/log_line.ts";
import type { Logger } from "../control/logger.ts";
import type { DriverKind } from "../control/messages.ts";
import { Reloader } from "../control/reloader.ts";
import { Server } from "../control/server.ts";
import { ServiceManager, SILENT_MS } from "../control/service_manager.ts";
import { CHAIN } from "../plugins/chain.ts";
import { releaseMemory } from "../sys/memory.ts";
import { FlagError, type FlagValues, helpText } from "./flags.ts";
import { beginTurns, joinTurns, type TakingTurns, type Turns } from "./serve_takeover.ts";
import { processOutput } from "./output.ts";
import { metricsAddresses, readServeFlags, SERVE_FLAGS, USAGE } from "./serve_flags.ts";
import { ServeOutput } from "./serve_output.ts";
import { VERSION, versionText } from "./version.ts";

/** CoreDNS's own configuration where there is no Corefile. */
const BUILT_IN = ".:PORT {\n    whoami\n    log\n}\n";
/** When memory is given back: after the start, and after the hot code has been compiled. */
const RELEASE_AT_MS = [0, 300, 2000, 10_000, 60_000];

/** `nodens`: serves until a signal ends it. Returns the exit code. */
export async function runServe(args: readonly string[]): Promise<number> {
  let values: FlagValues;
  try {
    values = readServeFlags(args);
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    processOutput.err(`nodens: ${error.message}\nRun "nodens -h" for all flags.\n`);
    return 2;
  }
  if (values["h"] === true) {
    processOutput.out(`${USAGE}Flags:\n${helpText(SERVE_FLAGS)}\n`);
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
  const source = configSource(values, output);
  let loaded: LoadedConfig;
  try {
    loaded = await source.read();
  } catch (error) {
    output.fail((error as Error).message);
    return 1;
  }
  for (const warning of loaded.warnings) output.warn(warning);
  return await serve(loaded, { values, output, source });
}

function configSource(values: FlagValues, output: ServeOutput): ConfigSource {
  const defaultPort = Number(values["dns.port"]);
  const named = String(values["conf"]);
  const file = named === "" ? "Corefile" : named;
  let builtIn: string | null = null;
  if (named === "" && denoHost.kindOf(file) !== "file") {
    output.warn("No Corefile here and no -conf FILE: serving the built-in one (whoami, log)");
    builtIn = BUILT_IN.replace("PORT", String(defaultPort));
  }
  return new ConfigSource({ file, builtIn, defaultPort, host: denoHost });
}

async function serve(
  loaded: LoadedConfig,
  { values, output, source }: { values: FlagValues; output: ServeOutput; source: ConfigSource },
): Promise<number> {
  const { logger } = output;
  const driver = chooseDriver(String(values["io"]), output);
  let workers = Number(values["workers"]);
  if (driver === "portable" && workers > 1) {
    logger.log("warning", "-workers needs the linux driver; running one");
    workers = 1;
  }
  const inherited = inheritSockets(loaded.config, { driver, workers, log: logger.log });
  let turns: TakingTurns | null = null;
  try {
    turns = await startTurns(values, { driver, workers: inherited.workers, logger });
  } catch (error) {
    output.fail((error as Error).message);
    return 1;
  }
  const manager = new ServiceManager({ log: logger.log });
  const looped = Promise.withResolvers<number>();
  const server = new Server(loaded.config, {
    driver,
    workers: inherited.workers,
    inherited: turns?.taken ?? inherited.sockets,
    takesOver: (turns?.taken ?? null) !== null,
    logger,
    logsFields: output.format === "json",
    metricsAddresses: metricsAddresses(values),
    build: { version: VERSION, deno: Deno.version.deno },
    onDead: (why) => output.die(`${why}; ending the process so that it is started afresh`, 3),
    onLoop: (why) => {
      if (values["loop-exit"] !== true) return;
      // In order, so that what nodens has set up on the node goes with it.
      void output.fatal(`${why}; ending because of -loop-exit`);
      looped.resolve(1);
    },
  });
  try {
    await server.start();
  } catch (error) {
    output.fail((error as Error).message);
    // Threads that did start hold the process otherwise.
    Deno.exit(1);
  }
  const reloader = new Reloader({
    source,
    apply: (next) => server.change(next),
    log: logger.log,
    registry: server.registry,
    onStart: () => manager.reloading(),
    onDone: (status) => {
      server.status.reload = status;
      const refused = `reload refused, what was before is served: ${status.faults.join("; ")}`;
      manager.ready(status.ok ? servingText(server.config) : refused);
    },
  });
  reloader.start(loaded);
  if (turns !== null) await joinTurns(turns, { server, reloader, turns: ALONE });
  const { pidfile, quiet } = values;
  if (pidfile !== "") Deno.writeTextFileSync(String(pidfile), `${Deno.pid}\n`);
  if (quiet !== true) announce(loaded.config, logger);
  const release = RELEASE_AT_MS.map((ms) =>
    setTimeout(() => driver === "linux" && releaseMemory(), ms)
  );
  const { ended, hurried } = watchSignals(reloader, server, logger);
  manager.ready(servingText(loaded.config));
  manager.watch(() => server.planes.every(({ heartbeatAgeMs }) => heartbeatAgeMs < SILENT_MS));
  const code = await Promise.race([ended.then(() => 0), looped.promise]);
  manager.stopping();
  release.forEach(clearTimeout);
  await Promise.race([reloader.stop(), hurried]);
  const standsBy = turns?.takeover.standsBy ?? false;
  const givenBack = !standsBy && (await turns?.takeover.giveBack() ?? false);
  const shared = standsBy ? "all" : givenBack ? "taken" : "none";
  await server.stop(hurried, { shared, saves: !standsBy });
  await turns?.takeover.stop();
  if (pidfile !== "") removeQuietly(String(pidfile));
  return code;
}

/** Nothing on the host changes hands with the sockets. */
const ALONE: Turns = { standDown: () => Promise.resolve(), takeBack: () => Promise.resolve() };

async function startTurns(
  values: FlagValues,
  { driver, workers, logger }: { driver: DriverKind; workers: number; logger: Logger },
): Promise<TakingTurns | null> {
  const name = String(values["takeover"]);
  if (name === "") return null;
  if (driver === "linux") return await beginTurns(name, { workers, logger });
  logger.log("warning", "-takeover needs the linux driver; nobody can take over");
  return null;
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

/** What is served where, as CoreDNS prints it. */
function listenerNames(config: Config): string[] {
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
  return [...new Set(zones)];
}

/** The state of a nodens that serves, for its service manager. */
function servingText(config: Config): string {
  return `serving ${listenerNames(config).join(", ")}`;
}

/** Prints listeners, what runs, and a command that gets an answer. */
function announce(config: Config, logger: Logger): void {
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
  const listeners = listenerNames(config);
  logger.print([...listeners, run, ...hint], run, { version: VERSION, listeners });
}

/**
 * `ended` with the first signal to stop, `hurried` with the second; a third ends the process. SIGQUIT
 * has the state printed before.
 */
function watchSignals(
  reloader: Reloader,
  server: Server,
  logger: Logger,
): { ended: Promise<void>; hurried: Promise<void> } {
  const ended = Promise.withResolvers<void>();
  const hurried = Promise.withResolvers<void>();
  const windows = Deno.build.os === "windows";
  let count = 0;
  const signals = ["SIGTERM", "SIGINT", "SIGQUIT"] as const;
  for (const signal of windows ? ["SIGINT"] as const : signals) {
    Deno.addSignalListener(signal, () => {
      count++;
      if (count === 1) logger.log("info", `${signal}: stopping (again: at once)`);
      if (count === 1 && signal === "SIGQUIT") {
        void reportState(server, logger).finally(ended.resolve);
      } else if (count === 1) ended.resolve();
      else if (count === 2) hurried.resolve();
      else Deno.exit(1);
    });
  }
  for (const signal of windows ? [] : ["SIGUSR1", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => void reloader.reload(signal));
  }
  return { ended: ended.promise, hurried: hurried.promise };
}

async function reportState(server: Server, logger: Logger): Promise<void> {
  const { printStateReport } = await import("./state_report.ts");
  await printStateReport(server.status, logger);
}

function removeQuietly(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // Somebody else has removed it.
  }
}
