import { SUBNET } from "../../../dns/client_subnet.ts";
import type { Exchange } from "../../../engine/exchange/exchange.ts";
import { NO_SCOPE, type Response } from "../../../engine/response/response.ts";

/** Question and client, as seen by stores. */
export type KeyedQuestion = Readonly<
  & Pick<Exchange, "memory" | "offset" | "qnameLength" | "qtype" | "hash" | "client">
  & Pick<Exchange, "dnssecOk" | "checkingDisabled" | "ecsAt" | "ecsLength">
  & Pick<Exchange, "upstream" | "internal">
>;

/**
 * Use of client subnets:
 *
 * - `none`: no `forward` passes them on.
 * - `scope`: answers are valid within the upstream's scope or, if that exceeds the query's subnet,
 *   only for that (RFC 7871 section 7.3.1).
 * - `exact`: only for the query's subnet. Used for failures.
 */
export type SubnetRule = "none" | "scope" | "exact";

/** Clients of an entry, or a network's prefix length. */
export const FOR = {
  NO_SUBNET: -2,
  /** Scope zero (RFC 7871 section 7.3.1). */
  EVERYBODY: -1,
} as const;

const BEST_FIT = 200;

/** Clients of a response (`FOR`), or a prefix length of the question's subnet. */
export function prefixFor(
  question: KeyedQuestion,
  { ecsScope }: Response,
  rule: SubnetRule,
): number {
  if (rule === "none" || question.ecsLength === 0) return FOR.NO_SUBNET;
  const source = sourceOf(question);
  // The client hides its address: others must not get its answer.
  if (source === 0 || rule === "exact" || ecsScope === NO_SCOPE.KNOWN) return source;
  return ecsScope <= 0 ? FOR.EVERYBODY : Math.min(source, ecsScope);
}

/** The longest prefix wins (RFC 7871 section 7.3.1). */
export function fitFor(prefix: number): number {
  if (prefix === FOR.NO_SUBNET) return BEST_FIT;
  return prefix === FOR.EVERYBODY ? 0 : Math.max(1, prefix);
}

/** Prefix length of the question's subnet. */
export function sourceOf({ memory, offset, ecsAt }: KeyedQuestion): number {
  return memory.bytes[offset + ecsAt + SUBNET.SOURCE]!;
}
