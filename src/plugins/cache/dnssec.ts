import { isDnssecType, TYPE } from "../../dns/constants.ts";
import type { Response } from "../../engine/response/response.ts";

/** Whether a response has DNSSEC records beyond the question's type. */
export function hasDnssecRecords(response: Response, qtype: number): boolean {
  if (qtype === TYPE.ANY) return false;
  const { view } = response.memory;
  for (let i = 0, at = response.ttlsAt; i < response.ttlCount; i++, at += 2) {
    const type = view.getUint16(response.offset + view.getUint16(at, true) - 4);
    if (type !== qtype && isDnssecType(type)) return true;
  }
  return false;
}

/**
 * Whether a signature is outside its validity period (RFC 4034 section 3.1.5: 32-bit serial
 * numbers). False without a wall clock.
 */
export function hasSignatureOutOfTime(response: Response, wallMs: number): boolean {
  if (Number.isNaN(wallMs)) return false;
  const now = Math.floor(wallMs / 1000) | 0;
  const { view } = response.memory;
  for (let i = 0, at = response.ttlsAt; i < response.ttlCount; i++, at += 2) {
    const ttlAt = response.offset + view.getUint16(at, true);
    // The times follow type covered, algorithm, labels and original TTL.
    if (view.getUint16(ttlAt - 4) !== TYPE.RRSIG || view.getUint16(ttlAt + 4) < 18) continue;
    const expiration = view.getInt32(ttlAt + 6 + 8);
    const inception = view.getInt32(ttlAt + 6 + 12);
    if (((expiration - now) | 0) < 0 || ((now - inception) | 0) < 0) return true;
  }
  return false;
}
