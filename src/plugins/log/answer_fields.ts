import { TYPE } from "../../dns/constants.ts";
import { extendedErrorText } from "../../dns/mnemonics.ts";
import { answerSource } from "../../engine/exchange/answer_source.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import type { Response } from "../../engine/response/response.ts";
import type { Answered, Value } from "./answered.ts";

/** An answer's origin and cost; null for no value. */
export const ANSWER_FIELDS = {
  "/nodens/answered_by": ({ exchange }) => answerSource(exchange),
  "/forward/upstream": ({ exchange: { upstream } }) => upstream === "" ? null : upstream,
  "/nodens/ttl": ({ response }) => ttlOf(response),
  "/nodens/age": ({ response: { ageSeconds } }) => ageSeconds < 0 ? null : ageSeconds,
  "/nodens/answers": ({ response }) => response.answerCount,
  // Seconds; only parked queries wait.
  "/nodens/wait": ({ exchange, engine }) =>
    exchange.parked ? secondsOf(engine.nowMs - exchange.receivedMs) : 0,
  "/nodens/asks": ({ exchange }) => exchange.asks,
  "/nodens/hedged": ({ exchange }) => exchange.hedged,
  "/nodens/ede": ({ exchange, response }) => errorText(exchange, response),
} as const satisfies Readonly<Record<string, (answered: Answered) => Value | null>>;

/** Seconds to the nanosecond. */
export function secondsOf(milliseconds: number): number {
  return Number((milliseconds / 1000).toFixed(9));
}

/** Lowest of the answer, or of a denial's SOA, for the client. */
function ttlOf(response: Response): number | null {
  const { answerCount, authorityCount, ttlCount, ttlSeconds, offset, memory } = response;
  let lowest = Infinity;
  const end = Math.min(ttlCount, answerCount > 0 ? answerCount : authorityCount);
  for (let i = 0; i < end; i++) {
    if (answerCount === 0 && response.typeOf(i) !== TYPE.SOA) continue;
    const ttl = ttlSeconds >= 0 ? ttlSeconds : memory.view.getUint32(offset + response.ttlAt(i));
    lowest = Math.min(lowest, ttl);
  }
  return lowest < Infinity ? lowest : null;
}

const decoder = new TextDecoder();

/** RFC 8914, also for clients without EDNS. */
function errorText({ extendedError: own }: Exchange, response: Response): string | null {
  const { extendedError: other, errorText: { bytes, length } } = response;
  const texts = own < 0 ? [] : [extendedErrorText(own)];
  if (other >= 0) {
    if (other !== own) texts.push(extendedErrorText(other));
    // The format may put quotes around.
    const text = decoder.decode(bytes.subarray(0, length)).replace(/["\\]/g, "\\$&");
    if (text !== "") texts.push(`${texts.pop()}: ${text}`);
  }
  return texts.length === 0 ? null : texts.join(", ");
}
