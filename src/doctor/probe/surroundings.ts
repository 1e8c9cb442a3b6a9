import type { HostView } from "../../config/host.ts";
import type { RunCommand } from "../../node/rules/command.ts";
import type { KernelTree } from "../../sys/kernel_tree.ts";
import type { Answer } from "../judge/queries.ts";

/** One question to one server. */
export interface Question {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly transport: "UDP" | "TCP";
  readonly timeoutMs: number;
  /** Address of this machine to ask from (UDP only); without, the kernel chooses. */
  readonly source?: string;
}

/** The probes' access to the machine. It changes nothing, but for `run` with `--pod`. */
export interface Surroundings {
  readonly host: HostView;
  /** Files of the kernel's; null if the C library cannot be used. */
  readonly tree: Pick<KernelTree, "read" | "list" | "readLink"> | null;
  /** Why not, or null. */
  readonly libcMissing: string | null;
  readonly run: RunCommand;
  /** Asks; never rejects. */
  readonly ask: (question: Question) => Promise<Answer>;
  /** The words that run nodens itself, without a command. */
  readonly self: readonly string[];
}
