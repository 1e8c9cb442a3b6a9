import { readConfig } from "../../loading/read.ts";
import { askUdp } from "../../follow/dns_client.ts";
import { denoHost } from "../../control/host_deno.ts";
import type { Logger } from "../../control/log/logger.ts";
import { askMarked } from "../../control/plane/marked_probe.ts";
import type { SelfChecks } from "../../control/plane/self_checks.ts";
import { answersProbe, probeQuery } from "../../engine/question/probe.ts";
import type { BaseCorefile } from "../../node/template/base_corefile.ts";
import { type NodeRole, SETUP_ERRORS, type SetupError } from "../../node/node_role.ts";
import type { TemplateOptions } from "../../node/template/options.ts";
import type { NodeRulesOptions } from "../../node/node_rules.ts";
import { type FailOpenLevel, OWN_MARK } from "../../node/rules/rules.ts";
import type { MetricRegistry } from "../../metrics/registry.ts";
import type { HttpAddress } from "../../plugins/http_address.ts";
import { readKernelFile } from "../../sys/kernel_file.ts";
import { openLibc } from "../../sys/libc.ts";
import { requireMarks } from "../../sys/mark.ts";
import type { ServeOptions } from "./flags.ts";

const ASK_LIMIT_MS = 500;

/** What the parts of the node role have in common. */
export interface NodeContext {
  options: ServeOptions;
  logger: Logger;
  /** Counts node-cache's set-up errors. */
  count: (error: SetupError) => void;
  /** Shows the level of fail-open that the rules of a family have. */
  onLevel: NonNullable<NodeRulesOptions["onLevel"]>;
}

/** Counts set-up errors under node-cache's name, all of them from the start. */
export function setupErrorCounter(registry: MetricRegistry): (error: SetupError) => void {
  const name = "coredns_nodecache_setup_errors_total";
  const counters = new Map(
    SETUP_ERRORS.map((errortype) => [errortype, registry.counter(name, { errortype })]),
  );
  return (error) => counters.get(error)!.add();
}

/** What the levels of fail-open are in `nodens_failopen_level`. */
const LEVEL_VALUES: Record<FailOpenLevel, number> = { none: 0, heartbeat: 1, socket: 2 };

/** Shows the levels of fail-open; a family has no series before its rules were first looked at. */
export function failOpenGauge(registry: MetricRegistry): NodeContext["onLevel"] {
  return (family, level) =>
    registry.gauge("nodens_failopen_level", { family: `${family}` }).set(LEVEL_VALUES[level]);
}

/** Whether nodens does anything to the host. */
export function hasNodeRole({ node, rules }: ServeOptions): boolean {
  return node.setupInterface || rules.rules.addresses.length > 0 || rules.redirect !== null;
}

/**
 * Marks of what nodens sends itself, so that rules can tell it from what others send: to upstreams
 * where queries are redirected, to its own listeners where rules wait for a heartbeat. Zero for none.
 */
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

/**
 * The part of nodens that changes the host; null if it is to change nothing.
 *
 * @param checks - called once nodens serves
 */
export async function makeNodeRole(
  context: NodeContext,
  checks: () => SelfChecks,
): Promise<NodeRole | null> {
  const { options, logger: { log }, count, onLevel } = context;
  if (!hasNodeRole(options)) return null;
  const { node, rules } = options;
  // Loaded only here: most of the code is of no use elsewhere.
  const [{ NodeRole }, { NodeInterface }, { linuxNodeRules }, { conntrackCheck }] = await Promise
    .all([
      import("../../node/node_role.ts"),
      import("../../node/interface/interface.ts"),
      import("../../node/node_rules.ts"),
      import("../../node/conntrack.ts"),
    ]);
  const withRules = rules.rules.addresses.length > 0 || rules.redirect !== null;
  return new NodeRole({
    makeInterface: node.setupInterface
      ? () => new NodeInterface({ name: node.interfaceName, addresses: node.localIps, log })
      : null,
    makeRules: withRules ? () => linuxNodeRules(checks(), { ...rules, log, count, onLevel }) : null,
    answers: () => anyAnswers(node.localIps, node.dnsPort),
    syncIntervalMs: node.syncIntervalMs,
    skipTeardown: node.skipTeardown,
    log,
    count,
    checkHost: conntrackCheck({ read: readKernelFile, log }),
  });
}

/** Whether one of the addresses answers; with none, whatever answers on this host will do. */
async function anyAnswers(addresses: readonly string[], port: number): Promise<boolean> {
  const targets = addresses.length > 0 ? addresses : ["127.0.0.1", "::1"];
  const asked = await Promise.all(targets.map((address) => answers({ address, port })));
  return asked.includes(true);
}

async function answers(target: { address: string; port: number }): Promise<boolean> {
  try {
    return await askMarked(openLibc(), target, { mark: OWN_MARK, timeoutMs: ASK_LIMIT_MS });
  } catch {
    // Without the right to mark, a query like everybody's.
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

/** The Corefile that is made of a template; `null` text where there is none to serve. */
export async function openTemplate(
  template: TemplateOptions,
  { logger, count }: NodeContext,
  onChange: (summary: string) => void,
): Promise<{ base: BaseCorefile; text: string | null }> {
  const { BaseCorefile } = await import("../../node/template/base_corefile.ts");
  const base = new BaseCorefile(template, {
    env: (name) => Deno.env.get(name),
    async check(text) {
      try {
        const { target: file, dnsPort: defaultPort } = template;
        await readConfig({ file, text, defaultPort }, denoHost);
        return null;
      } catch (error) {
        return (error as Error).message;
      }
    },
    onChange: (_text, summary) => onChange(summary),
    onFault(message) {
      count("configmap");
      for (const line of message.split("\n")) logger.log("error", line);
    },
  });
  return { base, text: await base.start() };
}

/**
 * Addresses for metrics that are free. In node-cache a port in use is not a reason to fail the start.
 *
 * @param shared - the one before may have them still
 */
export function freeMetricsAddresses(
  addresses: readonly HttpAddress[],
  { logger, shared, optional }: { logger: Logger; shared: boolean; optional: boolean },
): HttpAddress[] {
  if (!optional) return [...addresses];
  return addresses.filter(({ host, port }) => {
    try {
      const hostname = host === "" ? "0.0.0.0" : host;
      Deno.listen({ hostname, port, reusePort: shared }).close();
      return true;
    } catch (error) {
      const why = (error as Error).message.replace(/ \(os error \d+\)$/, "");
      logger.log("error", `no metrics on ${host}:${port}: ${why} (-metrics-listen-address)`);
      return false;
    }
  });
}
