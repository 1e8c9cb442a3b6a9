import type { ServerDetails } from "../../../upstream/details.ts";
import type { Plane, PluginUse } from "../../companion.ts";
import { VerbError } from "../../verbs.ts";
import type { ForwardOptions, UpstreamsRequest } from "../options.ts";

const ASK_MS = 1000;
const REQUEST: UpstreamsRequest = { type: "servers" };

/** Asks data planes for the servers of one `forward` after another, so that none works long. */
export class PlanesAsker {
  #planes: readonly Plane[];

  constructor(planes: readonly Plane[]) {
    this.#planes = planes;
  }

  /** Details by label, in the order of the servers. Throws `VerbError` if no data plane answers. */
  async serversOf(
    { block, position }: Pick<PluginUse<ForwardOptions>, "block" | "position">,
  ): Promise<Map<string, ServerDetails[]>> {
    const answers = await Promise.all(this.#planes.map(async (plane) => {
      const target = { block, position, request: REQUEST };
      return { plane, answer: await plane.ask(target, ASK_MS).catch(() => null) };
    }));
    // A data plane that hangs is not waited for again.
    this.#planes = answers.flatMap(({ plane, answer }) => answer === null ? [] : [plane]);
    if (this.#planes.length === 0) throw new VerbError("no data plane answers", 503);
    // A reload may have changed what is at this position.
    const details = answers.flatMap(({ answer }) => Array.isArray(answer) ? answer : []);
    return Map.groupBy(details as ServerDetails[], ({ to }) => to);
  }
}
