import { sameNetwork, SUBNET } from "../../../dns/client_subnet.ts";
import type { Memory } from "../../../engine/memory.ts";
import { NO_SCOPE, type Response } from "../../../engine/response/response.ts";
import { FOR, type KeyedQuestion, prefixOf, SUBNET_HEAD, subnetAt } from "./entry.ts";

/**
 * How a store uses client subnets:
 *
 * - `none`: no `forward` of the block passes them on.
 * - `scope`: an answer is valid for the clients within the scope that the upstream set; if that is
 *   longer than the subnet in the query, only for this subnet (RFC 7871 section 7.3.1).
 * - `exact`: only for the subnet in the query. For failures, which say nothing about others.
 */
export type SubnetRule = "none" | "scope" | "exact";

/** Fit of an entry for clients without a subnet; more than any prefix. */
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

/**
 * How well an entry fits the question's client: -1 if it is not valid for it; otherwise the longest
 * prefix is best (section 7.3.1). `offset` is that of the entry's block.
 */
export function fitOf(
  lengths: number,
  memory: Memory,
  offset: number,
  question: KeyedQuestion,
  rule: SubnetRule,
): number {
  const at = subnetAt(lengths, memory, offset);
  const prefix = prefixOf(lengths, memory, at);
  if (prefix === FOR.EVERYBODY) return fitFor(prefix);
  if (prefix === FOR.NO_SUBNET) return question.ecsLength === 0 ? fitFor(prefix) : -1;
  if (question.ecsLength === 0) return -1;
  const source = sourceOf(question);
  if (prefix > source) return -1;
  // A longer scope means that the answer depends on more of the address than the upstream got.
  const exact = rule === "exact" || prefix === 0 || memory.bytes[at + 1]! > prefix;
  if (prefix !== source && exact) return -1;
  return isInNetwork(memory, at, question, prefix) ? fitFor(prefix) : -1;
}

/** Fit of an entry that is valid for `prefix` (`FOR`), for a client that it is valid for. */
export function fitFor(prefix: number): number {
  if (prefix === FOR.NO_SUBNET) return BEST_FIT;
  return prefix === FOR.EVERYBODY ? 0 : Math.max(1, prefix);
}

/** Whether an entry is valid for the same clients as a response that is valid for `prefix`. */
export function isForSame(
  lengths: number,
  memory: Memory,
  offset: number,
  question: KeyedQuestion,
  prefix: number,
): boolean {
  const at = subnetAt(lengths, memory, offset);
  return prefixOf(lengths, memory, at) === prefix &&
    (prefix < 0 || isInNetwork(memory, at, question, prefix));
}

function sourceOf({ memory, offset, ecsAt }: KeyedQuestion): number {
  return memory.bytes[offset + ecsAt + SUBNET.SOURCE]!;
}

function isInNetwork(
  { bytes }: Memory,
  at: number,
  { memory, offset, ecsAt }: KeyedQuestion,
  prefix: number,
): boolean {
  return sameNetwork(bytes, at + SUBNET_HEAD, memory.bytes, offset + ecsAt, prefix);
}
