import type { ServerDetails } from "../../../upstream/details.ts";
import type { Plane, PluginUse } from "../../companion.ts";
import { VerbError } from "../../verbs.ts";
import { DETAILS_SLICE, type DetailsRequest, type ForwardOptions } from "../options.ts";

const ASK_MS = 1000;

type Target = Pick<PluginUse<ForwardOptions>, "block" | "position">;

/** Asks data planes for a `forward` at a time. */
export class PlanesAsker {
  #planes: readonly Plane[];

  constructor(planes: readonly Plane[]) {
    this.#planes = planes;
  }

  /** By label, in order. Throws `VerbError` if no data plane answers. */
  async serversOf(target: Target): Promise<Map<string, ServerDetails[]>> {
    const answers = await Promise.all(this.#planes.map(async (plane) => {
      return { plane, details: await detailsOf(plane, target).catch(() => null) };
    }));
    // A data plane that hangs is not asked again.
    this.#planes = answers.flatMap(({ plane, details }) => details === null ? [] : [plane]);
    if (this.#planes.length === 0) throw new VerbError("no data plane answers", 503);
    return Map.groupBy(answers.flatMap(({ details }) => details ?? []), ({ to }) => to);
  }
}

async function detailsOf(
  plane: Plane,
  { block, position }: Target,
): Promise<ServerDetails[]> {
  // The list may change between slices.
  const found = new Map<string, ServerDetails>();
  for (let from = 0;; from += DETAILS_SLICE) {
    const request: DetailsRequest = { type: "servers", from };
    const answer = await plane.ask({ block, position, request }, ASK_MS);
    // A reload may have changed this position.
    const slice = Array.isArray(answer) ? answer as ServerDetails[] : [];
    for (const one of slice) found.set(one.to, one);
    if (slice.length < DETAILS_SLICE) return [...found.values()];
  }
}
