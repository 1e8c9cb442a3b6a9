import { systemClock } from "../../base/clock.ts";
import { doneWithin } from "../../base/deadline.ts";
import { CorefileErrors } from "../../corefile/error.ts";
import type { LoadedConfig } from "../../loading/load.ts";
import type { Logger } from "../../control/log/logger.ts";
import type { NodeRole } from "../../node/node_role.ts";
import { inheritSockets } from "../../control/service/inherited_sockets.ts";
import { surviveErrors } from "../../control/exceptions.ts";
import { releaseAtRest } from "../../control/rest_watch.ts";
import type { ControlOptions } from "../../control/operator/open.ts";
import type { ControlSocket } from "../../control/operator/socket.ts";
import { Reloader } from "../../control/reloader.ts";
import { Server } from "../../control/server.ts";
import { neighboursText, SharedAddresses } from "../../control/plane/shared_addresses.ts";
import { ServiceManager } from "../../control/service/service_manager.ts";
import { MetricRegistry } from "../../metrics/registry.ts";
import { CHAIN } from "../../plugins/chain.ts";
import type { DriverKind } from "../../control/plane/messages.ts";
import type { Call, CommandIo } from "../command.ts";
import { glibcFault } from "../glibc.ts";
import { controlPaths } from "../control_path.ts";
import { announce, printState, servingText } from "./announce.ts";
import { type CorefileOrigin, openCorefile } from "./corefile.ts";
import type { ClientNames } from "../../control/clients/client_names.ts";
import type { ClientSource } from "../../control/clients/open.ts";
import { readClientSource } from "./client_flags.ts";
import { openKernelHits } from "./kernel.ts";
import { readServeOptions, type ServeValues } from "./flags.ts";
import { removePidFile, writePidFile } from "./pid_file.ts";
import { freeMetricsAddresses, makeNodeRole, type NodeContext, ownMarks } from "./node.ts";
import { NodeMetrics } from "./node_metrics.ts";
import { ServeOutput } from "./output.ts";
import type { Signals } from "../signals.ts";
import { VERSION, versionText } from "../version.ts";

/** `nodens`: serves until a signal. */
export async function run(
  call: Call<ServeValues>,
  { output: { out }, commands, signals, exit }: CommandIo,
): Promise<number> {
  const options = readServeOptions(call);
  const { values } = options;
  if (values.h) {
    const { mainHelp } = await import("../shell/help.ts");
    out(mainHelp(await commands()));
    return 0;
  }
  if (values.version) {
    out(`${versionText()}\n`);
    return 0;
  }
  if (values.plugins) {
    const names = CHAIN.filter(({ supported }) => supported).map(({ name }) => `dns.${name}`);
    out(`${names.join("\n")}\n`);
    return 0;
  }
  const clients = readClientSource(values, (name) => Deno.env.get(name));
  if (signals === null) throw new Error("Cannot serve: signals have no handlers");
  const output = await ServeOutput.open(
    { format: values["log-format"], time: values["log-time"] },
    exit,
  );
  const registry = new MetricRegistry();
  const context = {
    options,
    logger: output.logger,
    metrics: new NodeMetrics(registry),
  };
  const corefile = await openCorefile(context, output);
  if (corefile === null) return 1;
  let loaded: LoadedConfig;
  try {
    loaded = await corefile.source.read();
  } catch (error) {
    if (error instanceof CorefileErrors) error.warnings.forEach((warning) => output.warn(warning));
    output.fail((error as Error).message);
    return 1;
  }
  for (const warning of loaded.warnings) output.warn(warning);
  if (values.takeover !== "") {
    output.warn("-takeover does nothing any more: a second nodens process shares the addresses");
  }
  return await serve(loaded, { context, output, corefile, registry, signals, clients });
}

function chooseDriver(wanted: DriverKind | "auto", output: ServeOutput): DriverKind | null {
  if (wanted === "portable") return "portable";
  const why = glibcFault();
  if (why === null) return "linux";
  if (wanted === "linux") {
    output.fail(`Cannot use the linux driver: ${why} (use -io portable)`);
    return null;
  }
  output.logger.log("warning", `using the portable driver, at about four times the CPU: ${why}`);
  return "portable";
}

/** For operators' requests in flight; slower ones go on during the stop. */
const ANSWERS_MS = 2000;

interface ServeParts {
  context: NodeContext;
  output: ServeOutput;
  corefile: CorefileOrigin;
  registry: MetricRegistry;
  signals: Signals;
  clients: ClientSource | null;
}

async function serve(
  loaded: LoadedConfig,
  { context, output, corefile, registry, signals, clients }: ServeParts,
): Promise<number> {
  const { options, logger } = context;
  const { values, node } = options;
  const driver = chooseDriver(values.io, output);
  if (driver === null) return 1;
  let { workers } = values;
  if (driver === "portable" && workers > 1) {
    logger.log("warning", "-workers needs the linux driver; running one");
    workers = 1;
  }
  const inherited = inheritSockets(loaded.config, { driver, workers, log: logger.log });
  const manager = new ServiceManager({ log: logger.log });
  const looped = Promise.withResolvers<number>();
  let server: Server;
  const corefileText = () => ({ file: loaded.config.file, text: corefile.source.text });
  let served = corefileText();
  const role = await makeNodeRole(context, () => server.checks);
  const addresses = driver === "linux"
    ? SharedAddresses.wanted(loaded.config.listeners, logger.log)
    : null;
  addresses?.disregard(inherited.sockets?.descriptors ?? []);
  const neighbours = () => addresses?.neighbours() ?? [];
  const isBeside = () => neighbours().length > 0;
  const predecessors = neighbours();
  const where = neighboursText(predecessors);
  if (where !== "") logger.log("info", `another process is bound to ${where}; starting beside it`);
  try {
    role?.prepare();
    server = new Server(loaded.config, {
      driver,
      workers: inherited.workers,
      inherited: inherited.sockets,
      isBeside,
      marks: ownMarks(context),
      registry,
      logger,
      clock: systemClock,
      logsFields: values["log-format"] === "json",
      observes: values.top === "on",
      kernelHits: options.kernelHits !== null && driver === "linux" && inherited.workers === 1,
      metricsAddresses: await freeMetricsAddresses(options.metricsAddresses, {
        logger,
        isBeside,
        optional: node.localIps.length > 0,
      }),
      ...values.page !== "off" && {
        page: { audience: values.page, corefile: () => served },
      },
      build: { version: VERSION, deno: Deno.version.deno },
      onDead: (why) => output.die(`${why}; ending the process so that it is restarted`, 3),
      onHarm: (why) => {
        if (!values["loop-exit"]) return;
        void output.fatal(`${why}; ending because of -loop-exit`);
        looped.resolve(1);
      },
    });
    await server.start();
  } catch (error) {
    output.fail((error as Error).message);
    await role?.abandon({ shared: isBeside() });
    return 1;
  }
  surviveErrors({ registry, log: logger.log });
  const reloader = new Reloader({
    source: corefile.source,
    async apply(next) {
      await server.change(next);
      served = corefileText();
    },
    log: logger.log,
    registry,
    onStart: () => manager.reloading(),
    onDone: (status) => {
      server.status.reload = status;
      const refused = `reload refused, the previous Corefile is served: ${
        status.faults.join("; ")
      }`;
      manager.ready(status.ok ? servingText(server.config) : refused);
    },
  });
  reloader.start(loaded);
  corefile.listener.onChange = (summary) => void reloader.reload(summary);
  role?.engage();
  server.clients = await nameClients(clients, { server, registry, log: logger.log });
  const kernelHits = await openKernelHits(options.kernelHits, {
    ...{ server, registry, driver, log: logger.log },
    redirects: options.rules.redirect !== null,
  });
  const { pidfile, quiet } = values;
  if (pidfile !== "") writePidFile(pidfile, logger);
  if (!quiet) announce(loaded.config, logger);
  const stopReleasing = driver === "linux" ? releaseAtRest() : () => {};
  const reload = async (why: string) => {
    await corefile.base?.refresh();
    await reloader.reload(why);
  };
  const { ended, hurried } = signals.watch({
    reload: (why) => void reload(why),
    report: () => printState(server.status, logger),
    log: logger.log,
  });
  const asked = Promise.withResolvers<number>();
  const control = await openControl(values, {
    server,
    log: logger.log,
    ffi: driver === "linux",
    succeeds: where !== "",
    process: {
      status: () => server.status.collect(),
      reload,
      lastReload: () => server.status.reload,
      setDebug: (debug) => server.planes.forEach((plane) => plane.setDebug(debug)),
      stop: () => asked.resolve(0),
    },
  });
  // Scripts may now send commands.
  manager.ready(servingText(server.config));
  const watchdog = manager.watchdog();
  // The heartbeat watch detects a hung data plane.
  if (watchdog !== null) server.checks.watch(watchdog).catch(() => {});
  const code = await Promise.race([ended.then(() => 0), looped.promise, asked.promise]);
  manager.stopping();
  kernelHits?.retire();
  await Promise.race([server.clients?.stop(), hurried]);
  await Promise.race([control && doneWithin(control.close(), ANSWERS_MS), hurried]);
  stopReleasing();
  await Promise.race([Promise.all([reloader.stop(), corefile.base?.stop()]), hurried]);
  await stopServing(server, role, { hurried, logger });
  kernelHits?.stop();
  if (pidfile !== "") removePidFile(pidfile);
  return code;
}

/** Stops; interface and rules stay for another process. */
async function stopServing(
  server: Server,
  role: NodeRole | null,
  { hurried, logger }: { hurried: Promise<void>; logger: Logger },
): Promise<void> {
  const succeeded = server.hasNeighbours();
  if (succeeded) {
    logger.log("info", "another process accepts queries at the same addresses: it goes on");
  } else {
    await role?.turnAway();
  }
  await server.stop(hurried, { succeeded });
  if (server.hasNeighbours()) return await role?.leave();
  if (succeeded) await role?.turnAway();
  await role?.release();
}

async function nameClients(
  source: ClientSource | null,
  { server, ...options }: { server: Server; registry: MetricRegistry; log: Logger["log"] },
): Promise<ClientNames | null> {
  if (source === null) return null;
  const { openClientNames } = await import("../../control/clients/open.ts");
  return await openClientNames(source, { ...options, planes: server.planes });
}

async function openControl(
  { control, pidfile }: ServeValues,
  options: Omit<ControlOptions, "paths" | "wanted">,
): Promise<ControlSocket | null> {
  if (control === "off") return null;
  const paths = control === "auto" ? controlPaths(pidfile) : [control];
  if (paths.length === 0) return null;
  const { openControl } = await import("../../control/operator/open.ts");
  return await openControl({ ...options, paths, wanted: control !== "auto" });
}
