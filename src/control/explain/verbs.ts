import type { Verb } from "../../plugins/verbs.ts";
import type { DataPlane } from "../plane/data_plane.ts";

const PARAMETERS = ["name", "type", "class", "from", "listener", "tcp", "dnssec", "cd"];

/** Verbs that tell what nodens does with a query; only `ask` has effects. */
export function explainVerbs(planes: readonly Pick<DataPlane, "explain" | "query">[]): Verb[] {
  const asking = { count: 0 };
  const load = () => import("./explain.ts");
  return [
    {
      name: "explain",
      parameters: PARAMETERS,
      run: async ({ parameters }) => (await load()).explain(planes, parameters),
    },
    {
      name: "ask",
      changes: true,
      parameters: PARAMETERS,
      run: async ({ parameters }) => (await load()).ask(planes, parameters, asking),
    },
  ];
}
