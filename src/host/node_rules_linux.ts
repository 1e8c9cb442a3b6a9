import { askMarked } from "../control/marked_probe.ts";
import { KernelFile } from "../sys/kernel_file.ts";
import { openLibc } from "../sys/libc.ts";
import { runCommand } from "./command.ts";
import { Heartbeat } from "./heartbeat.ts";
import { NodeRules, type NodeRulesOptions } from "./node_rules.ts";
import { OWN_MARK } from "./rules.ts";

/** Time for an answer: the next beat comes after half a second. */
const ASK_LIMIT_MS = 450;

/** Keeps the rules of this machine. Throws where there is no glibc or FFI is not allowed. */
export function linuxNodeRules(options: Omit<NodeRulesOptions, "run" | "heartbeat">): NodeRules {
  const libc = openLibc();
  const heartbeat = new Heartbeat({
    ask: (target) => askMarked(libc, target, { mark: OWN_MARK, timeoutMs: ASK_LIMIT_MS }),
    open: (list) => new KernelFile(`/proc/net/xt_recent/${list}`),
    onChange: ({ target: { address } }, alive) => {
      if (alive) options.log("info", `fail-open: ${address} answers, and takes its queries`);
      else {
        const line =
          `fail-open: ${address} does not answer; its queries go elsewhere until it does`;
        options.log("warning", line);
      }
    },
    onFault: () => rules.ensureSoon(),
  });
  const rules = new NodeRules({ ...options, run: runCommand, heartbeat });
  return rules;
}
