import type { Answer, Asked, PodFacts } from "../judge/queries.ts";
import type { Name, Target } from "../judge/targets.ts";
import type { LinkFacts } from "./links.ts";
import type { Surroundings } from "./options.ts";

/** Slower answers need no second measurement. */
const ASK_AGAIN_BELOW_MS = 250;
/** Link-local addresses of a veth pair; no cloud uses them. */
const CABLE = { host: "169.254.77.1", pod: "169.254.77.2" } as const;
const NAMESPACE = "nodens-doctor";
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const COMMAND_LIMIT_MS = 10_000;
const START_MS = 10_000;

interface AskOptions extends Pick<Surroundings, "ask"> {
  readonly timeoutMs: number;
  readonly source?: string;
}

/** Queries all servers concurrently, then those that answered one by one for accurate times. */
export async function askTargets(
  targets: readonly Pick<Target, "address" | "port" | "transports" | "names">[],
  { ask, timeoutMs, source }: AskOptions,
): Promise<Asked[][]> {
  const questions = targets.map(({ address, port, names, transports }) =>
    names.flatMap(({ what, name }) =>
      transports.map((transport) => async (): Promise<Asked> => ({
        ...{ what, name, transport },
        answer: await ask({ name, address, port, transport, timeoutMs, source }),
      }))
    )
  );
  const results = await Promise.all(
    questions.map((list) => Promise.all(list.map((question) => question()))),
  );
  for (const [i, list] of results.entries()) {
    for (const [j, { answer }] of list.entries()) {
      const again = "rcode" in answer && answer.ms < ASK_AGAIN_BELOW_MS;
      if (again) list[j] = await questions[i]![j]!();
    }
  }
  return results;
}

/** Names to query. */
export function namesOf(
  { clusterName, outsideName }: { clusterName: string | null; outsideName: string },
): Name[] {
  const outside: Name = { what: "outside", name: outsideName };
  return clusterName === null ? [outside] : [{ what: "cluster", name: clusterName }, outside];
}

/** Queries from a pod-facing address. */
export async function askFromGateway(
  target: Target | undefined,
  { links, ask, timeoutMs, own }: AskOptions & { links: LinkFacts; own: readonly string[] },
): Promise<PodFacts> {
  if (target === undefined) return { how: "none", why: "no listening address that pods can reach" };
  const isIPv6 = target.address.includes(":");
  const candidates = links.addresses.filter(({ address, kind, link }) =>
    (kind === "bridge" || kind === "veth") && !links.uplinks.includes(link) &&
    address.includes(":") === isIPv6 && !own.includes(address) && !/^fe80:/i.test(address)
  );
  const gateway = candidates.find(({ kind }) => kind === "bridge") ?? candidates[0];
  if (gateway === undefined) {
    return {
      how: "none",
      why: "no bridge or veth of the host has an address to ask from; --pod asks from a temporary" +
        " namespace, and changes the host briefly",
    };
  }
  const { address: source, link } = gateway;
  const options = { ask, timeoutMs, source };
  const [asked = []] = await askTargets([{ ...target, transports: ["UDP"] }], options);
  return {
    how: "gateway",
    from: `${source} (${link})`,
    asked,
    server: `${target.address}:${target.port}`,
  };
}

/** Queries from a temporary network namespace, through PREROUTING and INPUT. */
export async function askFromNamespace(
  target: Target | undefined,
  { run, self, tree, timeoutMs }: Pick<Surroundings, "run" | "self" | "tree"> & {
    timeoutMs: number;
  },
): Promise<PodFacts> {
  if (target === undefined || target.address.includes(":")) {
    return { how: "none", why: "no listening IPv4 address that pods can reach" };
  }
  const { address, port, names, transports } = target;
  const name = `${NAMESPACE}-${Deno.pid}`;
  const cable = `nodoc${Deno.pid % 1_000_000}`;
  const ip = async (...args: string[]): Promise<string | null> => {
    const result = await run("ip", { args, timeoutMs: COMMAND_LIMIT_MS });
    if (result === null) return "there is no command ip";
    const said = result.stderr.trim().split("\n")[0];
    return result.code === 0 ? null : `ip ${args.join(" ")}: ${said}`;
  };
  const seconds = Math.max(1, Math.ceil(timeoutMs / 1000));
  const query = async (qname: string, transport: "UDP" | "TCP"): Promise<Answer> => {
    const args = [
      ...["netns", "exec", name, ...self, "query", qname, "A", `@${address}`, "-p", `${port}`],
      ...["+tries=1", `+time=${seconds}`, ...(transport === "TCP" ? ["+tcp"] : [])],
    ];
    const result = await run("ip", { args, timeoutMs: START_MS + 1000 * seconds });
    return answerOf(result?.stdout ?? "");
  };
  const steps = [
    ["netns", "add", name],
    ["link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name],
    ["addr", "add", `${CABLE.host}/30`, "dev", cable],
    ["link", "set", cable, "up"],
    ["-n", name, "addr", "add", `${CABLE.pod}/30`, "dev", "eth0"],
    ["-n", name, "link", "set", "eth0", "up"],
    ["-n", name, "route", "add", "default", "via", CABLE.host],
  ];
  let made = false;
  let stopped = false;
  const onSignal = () => stopped = true;
  for (const signal of SIGNALS) Deno.addSignalListener(signal, onSignal);
  try {
    await removeStale({ run, tree });
    for (const step of steps) {
      const why = await ip(...step);
      if (why !== null) return { how: "failed", why: `cannot make a namespace: ${why}` };
      made = true;
    }
    const asked: Asked[] = [];
    for (const { what, name: qname } of names) {
      for (const transport of transports) {
        if (stopped) return { how: "failed", why: "it was interrupted" };
        asked.push({ what, name: qname, transport, answer: await query(qname, transport) });
      }
    }
    return {
      how: "namespace",
      from: "a namespace beside the node",
      asked,
      server: `${address}:${port}`,
    };
  } finally {
    if (made) {
      await ip("link", "delete", cable);
      await ip("netns", "delete", name);
    }
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, onSignal);
  }
}

/** Also removes their veth pairs. */
async function removeStale({ run, tree }: Pick<Surroundings, "run" | "tree">): Promise<void> {
  const list = await run("ip", { args: ["netns", "list"], timeoutMs: COMMAND_LIMIT_MS });
  if (list === null || tree === null) return;
  const processes = new Set(tree.list("/proc"));
  for (const [name, pid] of list.stdout.matchAll(/^nodens-doctor-([0-9]+)\b/gm)) {
    if (processes.has(pid!)) continue;
    await run("ip", { args: ["netns", "delete", name], timeoutMs: COMMAND_LIMIT_MS });
  }
}

/** Parses the output of `nodens query`. */
export function answerOf(text: string): Answer {
  const rcode = / status: ([A-Z0-9]+)/.exec(text)?.[1];
  const ms = Number(/Query time: (\d+) msec/.exec(text)?.[1]);
  return rcode === undefined ? { failure: "no answer" } : { rcode, ms };
}
