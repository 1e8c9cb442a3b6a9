import { RCODE, TYPE } from "../../dns/constants.ts";
import type { Response } from "../../engine/response/response.ts";
import { hasSignatureOutOfTime } from "../cache/dnssec.ts";
import type { LogClass } from "./options.ts";

/** What kind of answer a response is, in CoreDNS's words. */
export interface ResponseKind {
  class: Exclude<LogClass, "all">;
  type: string;
}

const NOERROR: ResponseKind = { class: "success", type: "NOERROR" };
const DELEGATION: ResponseKind = { class: "success", type: "DELEGATION" };
const NODATA: ResponseKind = { class: "denial", type: "NODATA" };
const NXDOMAIN: ResponseKind = { class: "denial", type: "NXDOMAIN" };
const SERVERERROR: ResponseKind = { class: "error", type: "SERVERERROR" };
const OTHERERROR: ResponseKind = { class: "error", type: "OTHERERROR" };

/**
 * Tells success, denial and error apart, as CoreDNS's `log` does.
 *
 * @param wallMs - for whoever asked for DNSSEC, signatures out of their time make an error; NaN
 *   where they do not matter
 */
export function classify(response: Response, wallMs: number): ResponseKind {
  if (hasSignatureOutOfTime(response, wallMs)) return OTHERERROR;
  const answers = response.answerCount;
  switch (response.rcode) {
    case RCODE.NOERROR:
      if (answers > 0) return NOERROR;
      if (hasAuthority(response, TYPE.SOA)) return NODATA;
      return hasAuthority(response, TYPE.NS) ? DELEGATION : NOERROR;
    case RCODE.NXDOMAIN:
      // An alias to a name that does not exist is neither a success nor a denial to CoreDNS.
      return answers > 0 ? OTHERERROR : NXDOMAIN;
    case RCODE.SERVFAIL:
    case RCODE.NOTIMP:
      return SERVERERROR;
    default:
      return OTHERERROR;
  }
}

/** Whether a record of the type is in the authority section; its type stands before its TTL. */
function hasAuthority(response: Response, type: number): boolean {
  const { view } = response.memory;
  const first = response.answerCount;
  const end = first + view.getUint16(response.offset + 8);
  for (let i = first; i < end && i < response.ttlCount; i++) {
    const ttlAt = view.getUint16(response.ttlsAt + 2 * i, true);
    if (view.getUint16(response.offset + ttlAt - 4) === type) return true;
  }
  return false;
}
