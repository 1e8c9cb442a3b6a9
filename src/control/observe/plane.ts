import type { ObserveRequest } from "../../engine/observe/requests.ts";
import type { CounterSeries } from "../../engine/counters.ts";

/** Observed data plane. */
export interface ObservedPlane {
  readonly values: Float64Array;
  readonly places: readonly CounterSeries[];
  /** Null if it observes nothing. Rejects at the limit. */
  observe(request: ObserveRequest, limitMs: number): Promise<unknown>;
}

/** Busier data planes are left out. */
const ASK_MS = 500;

/** Answers; undefined if late. */
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

/** Existing answers. */
export function present<T>(replies: readonly (T | null | undefined)[]): T[] {
  return replies.filter((reply) => reply !== null && reply !== undefined);
}

/** Printable text for terminals. */
export function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?");
}
