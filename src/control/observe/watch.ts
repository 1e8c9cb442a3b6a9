import type { Clock } from "../../base/clock.ts";
import { typeText } from "../../dns/mnemonics.ts";
import {
  MAX_WATCHERS,
  type SightingLine,
  type WatchFilter,
  type WatchReply,
} from "../../engine/observe/requests.ts";
import { rawNameText } from "../../engine/observe/raw_name.ts";
import { VerbError } from "../../plugins/verbs.ts";
import { type NameClient, shownRcode } from "./lists.ts";
import { askPlanes, type ObservedPlane, present, printable } from "./plane.ts";

/** Between collections. */
const COLLECT_MS = 150;

/** Finished query, as `watch` shows it. */
export interface WatchLine {
  /** ISO 8601. */
  time: string;
  client: string;
  clientName: string | null;
  transport: "udp" | "tcp";
  name: string;
  type: string;
  /** "none": no answer. */
  rcode: string;
  answers: number;
  /** First one, or "". */
  address: string;
  /** Of the first record, or null. */
  ttl: number | null;
  /** As in `TopRates`; "" without an answer. */
  source: string;
  /** Server label, or "". */
  upstream: string;
  waitedMs: number;
  reason: string;
}

/** Lines missed; null: unknown number. */
export interface LostLines {
  lost: number | null;
}

/** Refusal if nothing is observed. */
export const NOT_OBSERVED =
  "this nodens observes no queries: it was started with -top off (start it without that)";

/** Watches queries until `gone` is aborted. Throws `VerbError`. */
export async function watch(
  filter: WatchFilter,
  { planes, clock, gone, nameClient }: {
    planes: readonly ObservedPlane[];
    clock: Clock;
    gone: AbortSignal;
    nameClient: NameClient;
  },
): Promise<AsyncIterable<WatchLine | LostLines>> {
  const id = crypto.randomUUID();
  const request = { type: "watch", id, filter } as const;
  const collect = () => askPlanes<WatchReply>(planes, request);
  const end = () => askPlanes(planes, { type: "unwatch", id });
  const first = await collect();
  if (first.some((reply) => reply === null)) throw new VerbError(NOT_OBSERVED, 409);
  if (first.some((reply) => reply?.refused === true)) {
    await end();
    throw new VerbError(`${MAX_WATCHERS} watch already (end one of them)`, 409);
  }
  return lines();

  async function* lines(): AsyncGenerator<WatchLine | LostLines> {
    try {
      while (!gone.aborted) {
        const replies = present(await collect());
        const found = replies.flatMap((reply) => reply.lines);
        for (const line of found.sort((a, b) => a.timeMs - b.timeMs)) yield shown(line, nameClient);
        const lost = replies.reduce((sum, reply) => sum + reply.lost, 0);
        if (lost > 0) yield { lost };
        // After a restart, or a slow reader.
        if (replies.some((reply) => reply.begun)) yield { lost: null };
        if (!replies.some(({ more }) => more)) await clock.sleep(COLLECT_MS);
      }
    } finally {
      await end();
    }
  }
}

function shown(line: SightingLine, nameClient: NameClient): WatchLine {
  return {
    time: new Date(line.timeMs).toISOString(),
    client: line.client,
    clientName: nameClient(line.client),
    transport: line.transport,
    name: rawNameText(line.name),
    type: typeText(line.qtype),
    rcode: shownRcode(line.rcode),
    answers: line.answers,
    address: line.address,
    ttl: line.ttl < 0 ? null : line.ttl,
    source: line.source,
    upstream: printable(line.upstream),
    waitedMs: line.waitedMs,
    reason: printable(line.reason),
  };
}
