/**
 * One attack from start to end: the first process of its own namespaces (network, mounts,
 * processes), so that nothing outlives it.
 *
 * Arguments: the attack's name, its duration and that of the idle measurement, the memory group's
 * entrance ("" for none), a folder.
 * Prints its outcome as JSON, without the memory group's figures.
 */
import { attackNamed } from "../attacks.ts";
import type { Another, Attack, Facts, Outcome, Setting, Stage } from "./attack.ts";
import { Child, sleep } from "./child.ts";
import { reportOn, type Sample } from "./client_report.ts";
import { counters, risen } from "./counters.ts";
import { EVIL_ZONES, GOOD_ZONES, PLACES, SERVER } from "./places.ts";
import { type Shipped, shippedCommand } from "./shipped.ts";
import { POLL, poll, Socket } from "./sockets.ts";
import type { UpstreamReport } from "./upstream.ts";
import { say } from "./say.ts";
import { makeCertificates } from "./tls.ts";
import { query } from "./wire.ts";

export type StageOutcome = Omit<Outcome, "memory" | "outOfMemory"> & { readonly peakMiB: number };

const START_MS = 10_000;
const TAIL_MS = 200;
/** Time after which an attacker that does not end is killed. */
const ATTACKER_GRACE_MS = 10_000;
/** Kubernetes's default, since the manifest sets no grace time. */
const STOP_MS = 30_000;
const LOG_LENGTH = 1_500;
/**
 * Priorities of parts beside nodens: the client is first, since its own delays would count as
 * nodens's; the attacker gets the rest, because it would run on another machine.
 */
const SCHEDULE = {
  client: ["nice", "-n", "-15"],
  upstream: ["nice", "-n", "-5"],
  attacker: ["chrt", "--idle", "0"],
} as const;

async function perform(attack: Attack): Promise<StageOutcome> {
  const setting = attack.setting ?? {};
  prepareNetwork(setting);
  if (setting.tls === true) makeCertificates(folder);
  const corefile = setting.corefile?.(shipped.corefile) ?? shipped.corefile;
  const file = `${folder}/Corefile`;
  Deno.writeTextFileSync(file, corefile);
  const addresses = [
    PLACES.clusterUpstream,
    setting.unbound === true ? PLACES.authority : PLACES.upstream,
  ];
  const upstream = part("upstream", [attack.name, ...addresses]);
  const attacker = attack.attack === undefined
    ? null
    : part("attacker", [attack.name, String(seconds)], setting);
  const unbound = setting.unbound === true ? startUnbound() : null;
  await upstream.ready();
  await unbound?.until(() => unbound.output.includes("start of service"), START_MS);
  const nodens = new Child(
    shippedCommand({
      corefile: file,
      capabilities: shipped.capabilities,
      files: setting.files ?? openFiles(),
      entrance,
    }),
  );
  await untilServing(nodens);
  const client = part("client", []);
  await client.ready();
  await attacker?.ready();

  const idleFrom = Date.now();
  await sleep(idleSeconds * 1000);
  const before = await counters();
  const from = Date.now();
  let stop: Promise<{ code: number; seconds: number }> | null = null;
  const terminate = () => stop ??= terminated(nodens);
  let until = Infinity;
  const stage = stageFor(nodens, {
    file,
    corefile,
    terminate: () => {
      until = Date.now();
      return terminate();
    },
  });
  await attacker?.tell("go");
  const found = await Promise.all([
    attacker?.result<Facts>(seconds * 1000 + ATTACKER_GRACE_MS) ?? {},
    attack.beside?.(stage) ?? {},
  ]);
  await sleep(TAIL_MS);
  until = Math.min(until, Date.now());
  await client.hangUp();
  const samples = await client.result<Sample[]>(START_MS);
  const alive = nodens.code === null || (stop !== null && nodens.code === 0);
  const after = nodens.code === null ? await counters() : before;
  const peakMiB = peakOf(nodens.pid);
  const stopped = await terminate();
  await upstream.hangUp();
  const { hitsAskedAgain } = await upstream.result<UpstreamReport>(START_MS);
  return {
    alive,
    code: stopped.code,
    stopSeconds: stopped.seconds,
    idle: reportOn(samples, idleFrom, from),
    attacked: reportOn(samples, from, until),
    peakMiB,
    counted: risen(before, after),
    hitsAskedAgain,
    facts: Object.assign({}, ...found),
    log: nodens.output.slice(-LOG_LENGTH),
  };
}

/** Routes 10.0.0.0/8 and the address of nodens to this machine. */
function prepareNetwork({ ports }: Setting): void {
  run("ip", "link", "set", "lo", "up");
  run("ip", "route", "add", "local", "10.0.0.0/8", "dev", "lo");
  run("ip", "route", "add", "local", `${PLACES.dns}/32`, "dev", "lo");
  if (ports === undefined) return;
  Deno.writeTextFileSync("/proc/sys/net/ipv4/ip_local_port_range", ports.join(" "));
}

function part(name: keyof typeof SCHEDULE, args: string[], setting: Setting = {}): Child {
  const path = new URL(`./${name}.ts`, import.meta.url).pathname;
  const bare = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"];
  return new Child([
    ...SCHEDULE[name],
    ...(setting.withoutCapabilities === true ? bare : []),
    ...[Deno.execPath(), "run", "--quiet", "--cached-only", "-A", path, ...args],
  ], { input: true });
}

/** An honest resolver that queries the zones' servers. */
function startUnbound(): Child {
  const zones = [EVIL_ZONES.udp, GOOD_ZONES[0]];
  const stubs = zones.map((zone) =>
    `stub-zone:\n  name: "${zone}"\n  stub-addr: ${PLACES.authority}\n`
  );
  Deno.writeTextFileSync(
    `${folder}/unbound.conf`,
    `server:
  interface: ${PLACES.upstream}
  access-control: 0.0.0.0/0 allow
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "${folder}"
  pidfile: ""
  use-syslog: no
  module-config: "iterator"
  verbosity: 1
  do-ip6: no
  local-zone: "test." nodefault
remote-control:
  control-enable: no
${stubs.join("")}`,
  );
  return new Child([
    ...SCHEDULE.upstream,
    ...["unbound", "-d", "-c", `${folder}/unbound.conf`],
  ]);
}

async function untilServing(nodens: Child): Promise<void> {
  const socket = Socket.udp({ address: PLACES.node, port: 20_001 }, SERVER);
  const end = performance.now() + START_MS;
  while (performance.now() < end && nodens.code === null) {
    socket.send(query("h0.good.test"));
    await sleep(20);
    const [events] = poll([{ fd: socket.fd, events: POLL.IN }], 100);
    if (events === POLL.IN && socket.receive() !== null) {
      socket.close();
      return;
    }
    socket.receive(); // reads the error of a port without a server
  }
  throw new Error(`Cannot start nodens\n${nodens.output}`);
}

async function terminated(nodens: Child): Promise<{ code: number; seconds: number }> {
  const began = performance.now();
  nodens.signal("SIGTERM");
  const code = await nodens.end(STOP_MS);
  return { code, seconds: (performance.now() - began) / 1000 };
}

function stageFor(
  nodens: Child,
  options: {
    file: string;
    corefile: string;
    terminate: () => Promise<{ code: number; seconds: number }>;
  },
): Stage {
  const { file, corefile, terminate } = options;
  return {
    seconds,
    folder,
    pid: nodens.pid,
    corefile,
    terminate,
    log: () => nodens.output,
    signal: (number) => run("kill", `-${number}`, String(nodens.pid)),
    rewrite(text) {
      Deno.writeTextFileSync(`${file}.new`, text);
      Deno.renameSync(`${file}.new`, file);
    },
    another: (text) => startAnother(text),
  };
}

let others = 0;

function startAnother(text: string): Another {
  const file = `${folder}/Corefile.${++others}`;
  Deno.writeTextFileSync(file, text);
  const command = shippedCommand({
    corefile: file,
    capabilities: shipped.capabilities,
    files: openFiles(),
    entrance: null,
  });
  const child = new Child([...SCHEDULE.attacker, ...command]);
  return {
    pid: child.pid,
    log: () => child.output,
    code: () => child.code,
    until: (done, ms) => child.until(done, ms),
    async kill() {
      child.signal("SIGKILL");
      await child.end(START_MS);
    },
  };
}

/** The highest file limit that this process may set. */
function openFiles(): number {
  const line = /^Max open files +\d+ +(\d+)/m.exec(Deno.readTextFileSync("/proc/self/limits"));
  return Number(line?.[1] ?? 1024);
}

/** Peak of a process's memory in MiB; 0 if it has ended. */
function peakOf(pid: number): number {
  try {
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    return Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

function run(program: string, ...args: string[]): boolean {
  return new Deno.Command(program, { args, stdin: "null", stderr: "null" }).outputSync().success;
}

const [name = "", secondsText = "3", idleText = "3", entranceText = "", folder = "."] = Deno.args;
const [seconds, idleSeconds] = [Number(secondsText), Number(idleText)];
const shipped: Shipped = JSON.parse(Deno.readTextFileSync(`${folder}/shipped.json`));
const entrance = entranceText === "" ? null : entranceText;
try {
  say(JSON.stringify(await perform(attackNamed(name))));
  Deno.exit(0);
} catch (error) {
  const text = error instanceof Error ? error.message : String(error);
  Deno.stderr.writeSync(new TextEncoder().encode(`${text}\n`));
  Deno.exit(1);
}
