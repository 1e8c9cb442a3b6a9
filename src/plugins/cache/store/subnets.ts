import { SUBNET } from "../../../dns/client_subnet.ts";
import type { Exchange } from "../../../engine/exchange/exchange.ts";
import { NO_SCOPE, type Response } from "../../../engine/response/response.ts";

/** A question and its client, as stores see an exchange. */
export type KeyedQuestion = Readonly<
  & Pick<Exchange, "memory" | "offset" | "qnameLength" | "qtype" | "hash" | "client">
  & Pick<Exchange, "dnssecOk" | "checkingDisabled" | "ecsAt" | "ecsLength">
>;

/**
 * How a store uses client subnets:
 *
 * - `none`: no `forward` of the block passes them on.
 * - `scope`: an answer is valid for the clients within the scope that the upstream set; if that is
 *   longer than the subnet in the query, only for this subnet (RFC 7871 section 7.3.1).
 * - `exact`: only for the subnet in the query. For failures, which say nothing about others.
 */
export type SubnetRule = "none" | "scope" | "exact";

/** The clients that an entry is valid for; otherwise the length of a network's prefix. */
export const FOR = {
  NO_SUBNET: -2,
  /** All clients: the scope is zero (RFC 7871 section 7.3.1). */
  EVERYBODY: -1,
} as const;

const BEST_FIT = 200;

/** The clients that a response is valid for (`FOR`), or a prefix of the question's subnet. */
export function prefixFor(
  question: KeyedQuestion,
  { ecsScope }: Response,
  rule: SubnetRule,
): number {
  if (rule === "none" || question.ecsLength === 0) return FOR.NO_SUBNET;
  const source = sourceOf(question);
  // A client that hides its address: others must not get its answer (section 7.3.1).
  if (source === 0 || rule === "exact" || ecsScope === NO_SCOPE.KNOWN) return source;
  return ecsScope <= 0 ? FOR.EVERYBODY : Math.min(source, ecsScope);
}

/** Fit of an entry for a client that it is valid for: the longest prefix is best (section 7.3.1). */
export function fitFor(prefix: number): number {
  if (prefix === FOR.NO_SUBNET) return BEST_FIT;
  return prefix === FOR.EVERYBODY ? 0 : Math.max(1, prefix);
}

/** Prefix length of the question's subnet, which must have one. */
export function sourceOf({ memory, offset, ecsAt }: KeyedQuestion): number {
  return memory.bytes[offset + ecsAt + SUBNET.SOURCE]!;
}
