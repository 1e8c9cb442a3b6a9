import { RCODE } from "../../dns/constants.ts";
import { KIND } from "../../dns/response_scan.ts";
import type { Outcome } from "../outcome.ts";
import type { Reply } from "../message/reply.ts";

/** What a server's reply amounts to. */
export function judge(reply: Reply): Outcome {
  const { scanner, rcode } = reply;
  if (scanner.extendedRcode !== 0) return { kind: "failed", why: `response code ${rcode}` };
  // Over TCP: another server may send it whole.
  if (scanner.truncated) {
    return { kind: "refused", rcode: RCODE.SERVFAIL, elsewhere: true, reply };
  }
  if (rcode === RCODE.NXDOMAIN || rcode === RCODE.YXDOMAIN) return { kind: "answer", reply };
  if (rcode !== RCODE.NOERROR) {
    const elsewhere = rcode === RCODE.REFUSED || rcode === RCODE.NOTIMP;
    return { kind: "refused", rcode, elsewhere, reply };
  }
  if (scanner.kind === KIND.LAME) {
    return { kind: "refused", rcode: RCODE.SERVFAIL, elsewhere: true, reply };
  }
  return { kind: "answer", reply };
}
