import type { Clock } from "../../base/clock.ts";
import type { HostView } from "../../config/host.ts";
import type { RuleRequest } from "../../node/rule_plan.ts";
import type { RunCommand } from "../../node/rules/command.ts";
import type { NodeOptions } from "../../node/options.ts";
import type { Selection } from "../../kernel/selection.ts";
import type { KernelTree } from "../../sys/kernel_file.ts";
import type { HttpAddress } from "../../plugins/http_address.ts";
import type { Answer } from "../judge/queries.ts";

/** Options of an examination. */
export interface DoctorOptions {
  readonly node: NodeOptions;
  readonly rules: RuleRequest;
  readonly corefile: string;
  readonly metricsAddresses: readonly HttpAddress[];
  readonly clusterName: string | null;
  readonly outsideName: string;
  readonly timeoutMs: number;
  readonly pod: boolean;
  /** A file with ConfigMaps of the cluster DNS; "" for none. */
  readonly inherit: string;
  readonly domain: string;
  /** Null for `-kernel-hits off`. */
  readonly kernelHits: Selection | null;
  readonly driver: string;
  readonly workers: number;
}

/** A query. */
export interface Question {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly transport: "UDP" | "TCP";
  readonly timeoutMs: number;
  /** UDP only; default: the kernel's choice. */
  readonly source?: string | undefined;
}

/** Access to the machine; read-only, except `run` with `--pod`. */
export interface Surroundings {
  readonly host: HostView;
  readonly tree: Pick<KernelTree, "read" | "list" | "readLink"> | null;
  readonly libcMissing: string | null;
  readonly run: RunCommand;
  readonly ask: (question: Question) => Promise<Answer>;
  readonly self: readonly string[];
  readonly clock?: Clock;
}
