import type { Verb } from "../../plugins/verbs.ts";
import type { ExplainServices } from "./explain.ts";

const PARAMETERS = ["name", "type", "class", "from", "listener", "tcp", "dnssec", "cd"];

/** Verbs about one query; only `ask` has effects. */
export function explainVerbs(services: ExplainServices): Verb[] {
  const asking = { count: 0 };
  const load = () => import("./explain.ts");
  return [
    {
      name: "explain",
      parameters: PARAMETERS,
      run: async ({ parameters }) => (await load()).explain(services, parameters),
    },
    {
      name: "ask",
      changes: true,
      parameters: PARAMETERS,
      run: async ({ parameters }) => (await load()).ask(services, parameters, asking),
    },
  ];
}
