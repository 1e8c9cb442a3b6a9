import { startBeside } from "../../control/plane/start_beside.ts";
import { askUdp } from "../../follow/dns_client.ts";
import type { Logger } from "../../control/log/logger.ts";
import { askMarked } from "../../control/plane/marked_probe.ts";
import type { SelfChecks } from "../../control/plane/self_checks.ts";
import { answersProbe, probeQuery } from "../../engine/question/probe.ts";
import type { NodeRole } from "../../node/node_role.ts";
import { OWN_MARK } from "../../node/rules/facts.ts";
import { type HttpAddress, httpAddressText } from "../../plugins/http_address.ts";
import { readKernelFile } from "../../sys/kernel_file.ts";
import { openLibc } from "../../sys/libc.ts";
import { requireMarks } from "../../sys/socket_options.ts";
import type { ServeOptions } from "./flags.ts";
import type { NodeMetrics } from "./node_metrics.ts";

const ASK_LIMIT_MS = 500;

/** Dependencies of the node role. */
export interface NodeContext {
  options: ServeOptions;
  logger: Logger;
  metrics: NodeMetrics;
}

function hasNodeRole({ node, rules }: ServeOptions): boolean {
  return node.setupInterface || rules.rules.addresses.length > 0 || rules.redirect !== null;
}

/** Marks of nodens' own queries; 0: none. */
export function ownMarks({ options, logger }: NodeContext): { upstream: number; probe: number } {
  const { redirect, failOpen } = options.rules;
  if (!hasNodeRole(options) || (redirect === null && !failOpen)) return { upstream: 0, probe: 0 };
  try {
    requireMarks(openLibc(), OWN_MARK);
  } catch (error) {
    logger.log("error", (error as Error).message);
    return { upstream: 0, probe: 0 };
  }
  return { upstream: redirect === null ? 0 : OWN_MARK, probe: failOpen ? OWN_MARK : 0 };
}

/** Creates the node role, or null; `checks` is called later. */
export async function makeNodeRole(
  context: NodeContext,
  checks: () => SelfChecks,
): Promise<NodeRole | null> {
  const { options, logger: { log }, metrics } = context;
  if (!hasNodeRole(options)) return null;
  const { node, rules } = options;
  const [
    { NodeRole },
    { NodeInterface },
    { linuxNodeRules },
    { conntrackCheck },
    { ruleFamilies },
  ] = await Promise.all([
    import("../../node/node_role.ts"),
    import("../../node/interface/interface.ts"),
    import("../../node/node_rules.ts"),
    import("../../node/conntrack.ts"),
    import("../../node/rule_plan.ts"),
  ]);
  const { count, onLevel, onRules } = metrics;
  const families = ruleFamilies(rules);
  for (const family of families) onRules({ family, problem: "not yet installed" });
  metrics.watchFailOpen(checks);
  return new NodeRole({
    makeInterface: node.setupInterface
      ? () => new NodeInterface({ name: node.interfaceName, addresses: node.localIps, log })
      : null,
    makeRules: families.length === 0
      ? null
      : () => linuxNodeRules(checks(), { ...rules, log, count, onLevel, onRules }),
    answers: () => anyAnswers(node.localIps, node.dnsPort),
    syncIntervalMs: node.syncIntervalMs,
    skipTeardown: node.skipTeardown,
    log,
    count,
    checkHost: conntrackCheck({ read: readKernelFile, log }),
  });
}

async function anyAnswers(addresses: readonly string[], port: number): Promise<boolean> {
  const targets = addresses.length > 0 ? addresses : ["127.0.0.1", "::1"];
  const asked = await Promise.all(targets.map((address) => answers({ address, port })));
  return asked.includes(true);
}

async function answers(target: { address: string; port: number }): Promise<boolean> {
  try {
    return await askMarked(openLibc(), target, { mark: OWN_MARK, timeoutMs: ASK_LIMIT_MS });
  } catch {
    // An unmarked query follows.
  }
  try {
    const query = probeQuery(crypto.getRandomValues(new Uint16Array(1))[0]!);
    const accept = (reply: Uint8Array) => answersProbe(reply, query);
    await askUdp(target, query, { timeoutMs: ASK_LIMIT_MS, accept });
    return true;
  } catch {
    return false;
  }
}

/** Free metrics addresses; as in node-cache, optional ones may be in use. */
export async function freeMetricsAddresses(
  addresses: readonly HttpAddress[],
  { logger, isBeside, optional }: { logger: Logger; isBeside: () => boolean; optional: boolean },
): Promise<HttpAddress[]> {
  if (!optional) return [...addresses];
  const free: HttpAddress[] = [];
  for (const address of addresses) {
    const { host, port } = address;
    const hostname = host === "" ? "0.0.0.0" : host;
    try {
      await startBeside((reusePort) => Deno.listen({ hostname, port, reusePort }).close(), {
        isBeside,
      });
      free.push(address);
    } catch (error) {
      const why = (error as Error).message.replace(/ \(os error \d+\)$/, "");
      logger.log(
        "error",
        `no metrics on ${httpAddressText(address)}: ${why} (-metrics-listen-address)`,
      );
    }
  }
  return free;
}
