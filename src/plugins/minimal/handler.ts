import { HEADER_SIZE, RCODE, TYPE } from "../../dns/constants.ts";
import { KIND } from "../../dns/response_scan.ts";
import type { CreateHandler } from "../../engine/handler.ts";
import type { Response } from "../../engine/response/response.ts";
import { explainMinimal } from "./explain.ts";

/** Reduces positive responses to their answer section. */
export const createMinimal: CreateHandler = () => ({
  name: "minimal",
  explain: explainMinimal,
  response({ response, qnameLength }) {
    if (response !== null && isPositive(response)) cut(response, qnameLength);
  },
});

/** Denials need their SOA, delegations their NS. */
function isPositive(response: Response): boolean {
  if (response.rcode !== RCODE.NOERROR) return false;
  const answers = response.answerCount;
  const end = Math.min(answers + response.authorityCount, response.ttlCount);
  for (let i = answers; i < end; i++) {
    const type = response.typeOf(i);
    if (type === TYPE.SOA || (type === TYPE.NS && answers === 0)) return false;
  }
  return true;
}

/** Cuts in place, after the answer section. */
function cut(response: Response, qnameLength: number): void {
  const { offset } = response;
  const { view } = response.memory;
  const kept = Math.min(response.answerCount, response.ttlCount);
  let length = HEADER_SIZE + qnameLength + 4;
  let lowest = Infinity;
  for (let i = 0; i < kept; i++) {
    const ttlAt = response.ttlAt(i);
    const ttl = view.getUint32(offset + ttlAt);
    // TTLs above 31 bits count as zero (RFC 2181 section 8).
    lowest = Math.min(lowest, ttl > 0x7fffffff ? 0 : ttl);
    length = ttlAt + 6 + view.getUint16(offset + ttlAt + 4);
  }
  view.setUint32(offset + 8, 0);
  response.length = length;
  response.ttlCount = kept;
  if (response.kind !== KIND.UNKNOWN) response.minTtlSeconds = lowest;
}
