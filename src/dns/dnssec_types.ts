import { TYPE } from "./constants.ts";

/** Validation-only types (RFC 4035 section 3.2.1, RFC 5155). */
export function isDnssecType(type: number): boolean {
  return type === TYPE.RRSIG || type === TYPE.NSEC || type === TYPE.NSEC3 ||
    type === TYPE.DNSKEY || type === TYPE.DS;
}
