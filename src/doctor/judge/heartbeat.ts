import { type Check, type Finding, ok, problem, skipped } from "./finding.ts";
import type { Running } from "./listeners.ts";

const CHECK: Check = { id: "heartbeat", title: "Heartbeat of fail-open" };

/** One list of `-m recent`, looked at twice. */
export interface BeatFacts {
  readonly list: string;
  readonly address: string;
  /** The list's text at two times more than a heartbeat apart; null if it is not there. */
  readonly texts: readonly [string | null, string | null];
}

/** Whether the entries that open the rules for nodens are renewed. */
export function judgeHeartbeat(
  beats: readonly BeatFacts[],
  { running, asked }: { running: Running; /** The rules ask for it. */ asked: boolean },
): Finding {
  if (!asked) return skipped(CHECK, "the rules that are there ask for none");
  if (running !== "nodens") return skipped(CHECK, "nodens is not seen to serve");
  const states = beats.map(({ list, address, texts: [first, second] }) => {
    const [before, after] = [lastSeen(first, address), lastSeen(second, address)];
    const state = second === null
      ? `there is no list /proc/net/xt_recent/${list}, or it cannot be read`
      : after === null
      ? `${address} is not in /proc/net/xt_recent/${list}`
      : before === after
      ? `${address} in /proc/net/xt_recent/${list} is not renewed`
      : null;
    return { address, state };
  });
  const wrong = states.flatMap(({ state }) => state === null ? [] : [state]);
  if (wrong.length > 0) {
    return problem(
      CHECK,
      `${wrong.join("\n")}\nqueries of pods pass by nodens`,
      "see nodens's log for fail-open: it renews an entry only while that address answers, and may" +
        " write to the list",
    );
  }
  return ok(CHECK, `renewed for ${states.map(({ address }) => address).join(", ")}`);
}

/** When an entry was renewed last, in the kernel's own clock; null if it is not there. */
export function lastSeen(text: string | null, address: string): string | null {
  for (const line of text?.split("\n") ?? []) {
    const match = /^src=(\S+) .*\blast_seen: (\d+)/.exec(line);
    if (match !== null && plain(match[1]!) === plain(address)) return match[2]!;
  }
  return null;
}

/** The kernel writes all groups of an IPv6 address, with their zeros. */
function plain(address: string): string {
  if (!address.includes(":")) return address;
  const [head = "", tail] = address.split("::");
  const groups = (part: string | undefined) => part ? part.split(":") : [];
  const [left, right] = [groups(head), groups(tail)];
  const fill = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  return [...left, ...Array<string>(fill).fill("0"), ...right]
    .map((group) => group.replace(/^0+(?=.)/, "")).join(":");
}
