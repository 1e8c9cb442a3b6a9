import type { ObserveRequest } from "../../engine/observe/requests.ts";
import type { CounterSeries } from "../../engine/counters.ts";

/** A data plane that is observed. */
export interface ObservedPlane {
  readonly values: Float64Array;
  readonly places: readonly CounterSeries[];
  /** Null if it observes no queries; rejects without an answer in time. */
  observe(request: ObserveRequest, limitMs: number): Promise<unknown>;
}

/** A data plane that is busy for longer is left out. */
const ASK_MS = 500;

/** Answers of the data planes; undefined for one that has not answered. */
export async function askPlanes<Reply>(
  planes: readonly ObservedPlane[],
  request: ObserveRequest,
): Promise<(Reply | null | undefined)[]> {
  return await Promise.all(
    planes.map((plane) =>
      plane.observe(request, ASK_MS).then((reply) => reply as Reply | null, () => undefined)
    ),
  );
}

/** The answers that there are. */
export function present<T>(replies: readonly (T | null | undefined)[]): T[] {
  return replies.filter((reply) => reply !== null && reply !== undefined);
}

/** Text that a terminal shows as it is. */
export function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?");
}
