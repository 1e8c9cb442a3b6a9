/**
 * How far a stream is on the way to its end:
 * - `open`: queries are read and answered.
 * - `draining`: the same, but the process stops: it goes on to `retired` before long.
 * - `ended`: the client sends no more, or may not. Closed once it has taken its last answers.
 * - `retired`: no query is read any more, but the client may send some. Once those that were read
 *   are answered, this side is closed.
 * - `finished`: this side is closed; what remains is to wait for the client to close the other.
 * - `closed`: gone, by whichever side.
 */
export type Phase = "open" | "draining" | "ended" | "retired" | "finished" | "closed";

/** The phases that may follow each; `ended` may come twice, from either side. */
const FOLLOWING: Readonly<Record<Phase, readonly Phase[]>> = {
  open: ["draining", "ended", "retired", "closed"],
  draining: ["ended", "retired", "closed"],
  ended: ["ended", "closed"],
  retired: ["ended", "finished", "closed"],
  finished: ["closed"],
  closed: [],
};

/** Whether a stream may go from one phase to another. */
export function mayFollow(phase: Phase, next: Phase): boolean {
  return FOLLOWING[phase].includes(next);
}
