import type { NodeOptions } from "../../node/template/options.ts";
import type { NodeRulesOptions } from "../../node/node_rules.ts";

/** What `nodens doctor` examines. */
export interface DoctorOptions {
  readonly node: NodeOptions;
  readonly rules: Pick<NodeRulesOptions, "rules" | "failOpen" | "redirect">;
  /** Corefile that is served without a template (`-conf`). */
  readonly corefile: string;
  /** Port of server blocks that name none (`-dns.port`). */
  readonly defaultPort: number;
  /** Where metrics are served besides what the Corefile says, as HOST:PORT. */
  readonly metricsAddresses: readonly string[];
  /** Name of the cluster to ask for; null if there is no cluster. */
  readonly clusterName: string | null;
  /** Name outside of the cluster to ask for. */
  readonly outsideName: string;
  /** Time for one answer. */
  readonly timeoutMs: number;
  /** Ask from a network namespace made for it, which changes the host for that time. */
  readonly pod: boolean;
}

/** Whether anything is to be done with iptables. */
export function wantsRules({ node, rules }: DoctorOptions): boolean {
  return node.setupIptables || rules.redirect !== null;
}
