import { type Check, type Finding, ok, problem, skipped, warning } from "./finding.ts";
import { maybeNobody, type Running } from "./listeners.ts";
import { type Asked, resultText } from "./queries.ts";

/** The check that asks as a pod would. */
export const POD_CHECK: Check = { id: "pod", title: "Ask as a pod" };

/** What came of asking from a pod's place, or from one that resembles it. */
export type PodFacts =
  /** From a network namespace that was made for it and is gone again (`--pod`). */
  | { readonly how: "namespace"; readonly asked: readonly Asked[]; readonly server: string }
  /** That namespace could not be made. */
  | { readonly how: "failed"; readonly why: string }
  /** From an address of the host's that faces pods. */
  | {
    readonly how: "gateway";
    readonly source: string;
    readonly link: string;
    readonly asked: readonly Asked[];
    readonly server: string;
  }
  /** Nothing to ask, or nowhere to ask from. */
  | { readonly how: "none"; readonly why: string };

/** Whether what comes from a pod is answered. */
export function judgePod(facts: PodFacts, running: Running): Finding {
  if (facts.how === "none") return skipped(POD_CHECK, facts.why);
  if (facts.how === "failed") {
    return problem(POD_CHECK, facts.why, "run it as root on the node itself, with iproute2 (ip)");
  }
  const { asked, server } = facts;
  const from = facts.how === "namespace"
    ? `from a namespace beside the node to ${server}`
    : `from ${facts.source} (${facts.link}) to ${server}`;
  const bad = asked.filter(({ answer }) => !("rcode" in answer) || answer.rcode !== "NOERROR");
  const found = `${from}: ${resultText(asked)}`;
  if (bad.length === 0) {
    return ok(
      POD_CHECK,
      facts.how === "namespace"
        ? found
        : `${found} (by the host's own path; --pod goes a pod's, and changes the host for a moment)`,
    );
  }
  const silent = bad.some(({ answer }) => "failure" in answer);
  if (maybeNobody(running) && silent) {
    return skipped(POD_CHECK, `${found}; nobody is known to serve there yet`);
  }
  if (!silent) {
    return warning(
      POD_CHECK,
      found,
      "it is answered, so the way is open; for the answer see above",
    );
  }
  return problem(
    POD_CHECK,
    found,
    facts.how === "namespace"
      ? "the host is answered and pods are not: look for rules in INPUT and PREROUTING, network" +
        " policies of the CNI, and reverse path filters (net.ipv4.conf.*.rp_filter)"
      : "queries from that address are not answered: see foreign rules, and acl in the Corefile",
  );
}
