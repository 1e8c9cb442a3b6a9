import { rcodeText, typeText } from "../../dns/mnemonics.ts";
import { rawNameText } from "../../engine/observe/raw_name.ts";
import type { ListCount, ListReply, SightingLine } from "../../engine/observe/requests.ts";
import { printable } from "./plane.ts";
import type { TopCount, TopLists, TopSlow } from "./top_snapshot.ts";

/** Data planes' replies about one list. */
export type ListReplies = readonly ListReply[];

/** Client name for an address. */
export type NameClient = (address: string) => string | null;

type Entry = ListCount & TopCount;

/** Sums over data planes, largest first. */
function largest(replies: ListReplies, n: number): Entry[] {
  const seconds = secondsOf(replies);
  const sums = new Map<string, ListCount>();
  for (const count of replies.flatMap(({ counts }) => counts)) {
    const key = `${count.text} ${count.qtype} ${count.rcode}`;
    const sum = sums.get(key);
    if (sum === undefined) {
      sums.set(key, { ...count });
      continue;
    }
    sum.count += count.count;
    sum.error += count.error;
    if (count.reason !== "") sum.reason = count.reason;
  }
  return [...sums.values()]
    .map((sum) => {
      const queries = Math.round(sum.count - sum.error);
      const perSecond = seconds === 0 ? 0 : queries / seconds;
      return { ...sum, queries, perSecond, uncertain: Math.round(sum.error) };
    })
    .filter(({ queries }) => queries > 0)
    .sort((a, b) => b.queries - a.queries)
    .slice(0, n);
}

/** Longest time that any data plane covers. */
export function secondsOf(replies: ListReplies): number {
  return Math.max(0, ...replies.map(({ seconds }) => seconds));
}

/** Lists for display. */
export const TOP_ENTRIES: {
  readonly [L in "names" | "clients" | "zones" | "failures" | "slow"]: (
    replies: ListReplies,
    n: number,
    nameClient: NameClient,
  ) => TopLists[L];
} = {
  names: (replies, n) =>
    largest(replies, n).map((entry) => ({
      name: rawNameText(entry.text),
      type: typeText(entry.qtype),
      ...countOf(entry),
    })),
  clients: (replies, n, nameClient) =>
    largest(replies, n).map((entry) => ({
      address: entry.text,
      name: nameClient(entry.text),
      ...countOf(entry),
    })),
  zones: (replies, n) =>
    largest(replies, n).map((entry) => ({ zone: rawNameText(entry.text), ...countOf(entry) })),
  failures: (replies, n) =>
    largest(replies, n).map((entry) => ({
      name: rawNameText(entry.text),
      type: typeText(entry.qtype),
      rcode: shownRcode(entry.rcode),
      reason: printable(entry.reason),
      ...countOf(entry),
    })),
  slow: (replies, n, nameClient) =>
    slowest(replies).slice(0, n).map((line) => shownSlow(line, nameClient)),
};

function countOf({ queries, perSecond, uncertain }: Entry): TopCount {
  return { queries, perSecond, uncertain };
}

function slowest(replies: ListReplies): SightingLine[] {
  const lines = new Map<string, SightingLine>();
  for (const line of replies.flatMap(({ slow }) => slow)) {
    const key = `${line.name} ${line.qtype}`;
    if ((lines.get(key)?.waitedMs ?? -1) < line.waitedMs) lines.set(key, line);
  }
  return [...lines.values()].sort((a, b) => b.waitedMs - a.waitedMs);
}

function shownSlow(line: SightingLine, nameClient: NameClient): TopSlow {
  return {
    name: rawNameText(line.name),
    type: typeText(line.qtype),
    waitedMs: line.waitedMs,
    client: line.client,
    clientName: nameClient(line.client),
    rcode: shownRcode(line.rcode),
    source: line.source,
    upstream: printable(line.upstream),
  };
}

/** `NXDOMAIN`, or `none` without an answer. */
export function shownRcode(rcode: number): string {
  return rcode < 0 ? "none" : rcodeText(rcode);
}
