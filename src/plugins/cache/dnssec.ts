import { isDnssecType, TYPE } from "../../dns/constants.ts";
import type { Response } from "../../engine/response/response.ts";

/** Beyond the question's type. */
export function hasDnssecRecords(response: Response, qtype: number): boolean {
  if (qtype === TYPE.ANY) return false;
  for (let i = 0; i < response.ttlCount; i++) {
    const type = response.typeOf(i);
    if (type !== qtype && isDnssecType(type)) return true;
  }
  return false;
}

/** RFC 4034 section 3.1.5: 32-bit serial numbers. False without a wall clock. */
export function hasSignatureOutOfTime(response: Response, wallMs: number): boolean {
  if (Number.isNaN(wallMs)) return false;
  const now = Math.floor(wallMs / 1000) | 0;
  const { view } = response.memory;
  for (let i = 0; i < response.ttlCount; i++) {
    const ttlAt = response.offset + response.ttlAt(i);
    // The times follow type covered, algorithm, labels and original TTL.
    if (response.typeOf(i) !== TYPE.RRSIG || view.getUint16(ttlAt + 4) < 18) continue;
    const expiration = view.getInt32(ttlAt + 6 + 8);
    const inception = view.getInt32(ttlAt + 6 + 12);
    if (((expiration - now) | 0) < 0 || ((now - inception) | 0) < 0) return true;
  }
  return false;
}
