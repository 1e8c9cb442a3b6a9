import { RCODE } from "../../dns/constants.ts";
import { FORM } from "../message/form.ts";

/** Codes that an old or odd server may answer to EDNS alone (RFC 6891 section 7). */
const EDNS_REFUSALS: readonly number[] = [RCODE.NOTIMP, RCODE.REFUSED, RCODE.SERVFAIL];

/** Whether a response code may be about the form of the query rather than its question. */
export function isComplaint(rcode: number): boolean {
  return rcode === RCODE.FORMERR || rcode === RCODE.BADVERS || EDNS_REFUSALS.includes(rcode);
}

/**
 * The form in which to ask the same server again after a response code, or null if the code is not
 * about the form.
 *
 * @param doubtful - the server has never shown to know EDNS, and has refused no form of this question
 */
export function formAfter(rcode: number, form: number, doubtful: boolean): number | null {
  if (form === FORM.PLAIN) return null;
  const refused = rcode === RCODE.FORMERR || rcode === RCODE.BADVERS ||
    (EDNS_REFUSALS.includes(rcode) && doubtful);
  if (!refused) return null;
  return rcode === RCODE.FORMERR && form === FORM.OPTIONS ? FORM.EDNS : FORM.PLAIN;
}
