import type { Exchange } from "../../../engine/exchange/exchange.ts";
import { Memory } from "../../../engine/memory.ts";
import { Response } from "../../../engine/response/response.ts";
import type { CacheContent } from "../content.ts";
import type { CacheOptions } from "../options.ts";

const response = new Response(new Memory(8));

/** Copies from content that is dropped, with the age. */
export function copyEntry(
  question: Exchange,
  { dropped, to, nowMs, options }: {
    dropped: CacheContent;
    to: CacheContent;
    nowMs: number;
    /** Of the new cache. */
    options: CacheOptions;
  },
): void {
  const then = dropped.now(nowMs);
  const now = to.now(nowMs);
  for (const name of ["success", "denial"] as const) {
    const row = dropped[name].find(question, then);
    if (row < 0 || !dropped[name].isPinned(row)) continue;
    dropped[name].read(row, response);
    const ttl = Math.min(dropped[name].ttlOf(row), options[name].maxTtlSeconds);
    const copy = to[name].insert(question, response, response.flags, ttl, now);
    if (copy < 0) continue;
    const storedAt = now - dropped[name].tenthsOld(row, then);
    to[name].restore(copy, { storedAt, hits: 0, state: 0 });
    to[name].pin(copy);
  }
}
