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

/** A query that has ended, as `watch` shows it. */
export interface WatchLine {
  /** ISO 8601. */
  time: string;
  client: string;
  /** Who is behind the address, or null. */
  clientName: string | null;
  transport: "udp" | "tcp";
  /** In presentation format. */
  name: string;
  type: string;
  /** "none": no answer was sent. */
  rcode: string;
  /** Records in the answer. */
  answers: number;
  /** First address among them, or "". */
  address: string;
  /** Of the first record; null without one. */
  ttl: number | null;
  /** "cache", "stale", "upstream", a plugin's name, or "nodens"; "" without an answer. */
  source: string;
  /** Label of the server that the answer is from, or "". */
  upstream: string;
  waitedMs: number;
  /** Why it failed, or "". */
  reason: string;
}

/** Lines that a watcher has not got; null: an unknown number. */
export interface LostLines {
  lost: number | null;
}

/** Refuses a request for what is not observed. */
export const NOT_OBSERVED =
  "this nodens observes no queries: it was started with -top off (start it without that)";

/** Begins to watch queries; throws `VerbError`. The stream ends when `gone` is aborted. */
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
        // After a restart, or when the reader was too slow to collect in time.
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
