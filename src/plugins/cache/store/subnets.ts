import type { Memory } from "../../../engine/memory.ts";
import { NO_SCOPE, type Response } from "../../../engine/response/response.ts";
import {
  FOR,
  isInNetwork,
  type KeyedQuestion,
  prefixOf,
  scopeAt,
  sourceOf,
  subnetAt,
} from "./entry.ts";

/**
 * How a store uses client subnets:
 *
 * - `none`: nothing; no `forward` of the block passes them on.
 * - `scope`: an answer is for the clients within the scope that the upstream gives it (RFC 7871
 *   section 7.3.1); where that is longer than the subnet that the upstream was told of, for this very
 *   subnet.
 * - `exact`: for the very subnet that was asked for. So with failures, which say nothing of others.
 */
export type SubnetRule = "none" | "scope" | "exact";

/** More than any prefix: the entry fits nobody else. */
const BEST_FIT = 200;

/** Whom a response is for, one of `FOR` or the length of a prefix of the question's subnet. */
export function prefixFor(
  question: KeyedQuestion,
  { ecsScope }: Response,
  rule: SubnetRule,
): number {
  if (rule === "none" || question.ecsLength === 0) return FOR.NO_SUBNET;
  const source = sourceOf(question);
  // A client that gives nothing away: what it gets must not go to others (section 7.3.1).
  if (source === 0 || rule === "exact" || ecsScope === NO_SCOPE.KNOWN) return source;
  return ecsScope <= 0 ? FOR.EVERYBODY : Math.min(source, ecsScope);
}

/**
 * Whether an entry is for nobody but those who ask with its very prefix (RFC 7871 section 7.3.1): the
 * answer depends on more of the address than the upstream was told, or may do so.
 */
function isExact(memory: Memory, at: number, prefix: number): boolean {
  return prefix === 0 || scopeAt(memory, at) > prefix;
}

/**
 * How well an entry suits the question's client: -1 not at all, else the more the longer the prefix
 * (section 7.3.1 wants the longest). `offset` is that of the entry's block.
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
  if (prefix !== source && (rule === "exact" || isExact(memory, at, prefix))) return -1;
  return isInNetwork(memory, at, question, prefix) ? fitFor(prefix) : -1;
}

/** How well what is for `prefix` (`FOR`) suits a client that it is for: the fewer clients, the better. */
export function fitFor(prefix: number): number {
  if (prefix === FOR.NO_SUBNET) return BEST_FIT;
  return prefix === FOR.EVERYBODY ? 0 : Math.max(1, prefix);
}

/** Whether an entry is for the same clients as a response to the question that is for `prefix`. */
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
