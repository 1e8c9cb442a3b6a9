import { type Command, command } from "../command.ts";
import { boolean } from "../flags.ts";
import { OPERATOR_EXITS, OPERATOR_FLAGS } from "./flags.ts";

/** `nodens upstreams`. */
export const UPSTREAMS: Command = command({
  name: "upstreams",
  summary: "show upstreams and what was learnt of them, or take one out of service",
  forms: [
    { args: "[-json]", summary: "show all" },
    { args: "[-force] down ADDRESS", summary: "send no query to it; checks go on" },
    { args: "up ADDRESS", summary: "use it whatever its checks say" },
    { args: "auto ADDRESS", summary: "use it as its checks say" },
  ],
  description: [
    "ADDRESS is as in the list, or less of it: 10.0.0.10. Reloads change nothing, a restart does.",
    "An upstream stays in service if a forward would have no other one that answers.",
  ],
  flags: {
    ...OPERATOR_FLAGS,
    force: boolean("take out even the last one: its queries get SERVFAIL"),
  },
  operands: [{ name: "[STATE]", values: ["down", "up", "auto"] }, { name: "[ADDRESS]" }],
  exitCodes: OPERATOR_EXITS,
  load: async () => ({ run: (await import("./upstreams.ts")).upstreams }),
});
