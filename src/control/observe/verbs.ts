import { type Clock, systemClock } from "../../base/clock.ts";
import type { Verb } from "../../plugins/verbs.ts";
import type { NameClient } from "./lists.ts";
import type { ObservedPlane } from "./plane.ts";
import type { TopSource } from "./top_source.ts";

/** The verbs `top` and `watch`, whose code is loaded for the first request. */
export function observeVerbs({ planes, top, nameClient = () => null, clock = systemClock }: {
  planes: readonly ObservedPlane[];
  top: () => Promise<TopSource>;
  nameClient?: NameClient;
  clock?: Clock;
}): Verb[] {
  return [
    {
      name: "top",
      parameters: ["by", "n", "span"],
      async run({ parameters }) {
        const { readTopQuery } = await import("./parameters.ts");
        const query = readTopQuery(parameters);
        return await (await top()).snapshot(query);
      },
    },
    {
      name: "watch",
      parameters: ["client", "name", "rcode", "slow", "sample"],
      async run({ parameters, gone }) {
        const { readFilter } = await import("./parameters.ts");
        const { watch } = await import("./watch.ts");
        return await watch(readFilter(parameters), { planes, clock, gone, nameClient });
      },
    },
  ];
}
