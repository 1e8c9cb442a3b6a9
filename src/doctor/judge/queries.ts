import { destinationText } from "../../node/rules/facts.ts";
import { ok, problem, skipped, type Verdict, warning } from "./finding.ts";
import { maybeNobody, type Running } from "./listeners.ts";
import type { Target } from "./targets.ts";

/** Result of a query. */
export type Answer =
  | { readonly rcode: string; readonly ms: number }
  | { readonly failure: string };

/** A query and its result. */
export interface Asked {
  readonly what: "cluster" | "outside";
  readonly name: string;
  readonly transport: "UDP" | "TCP";
  readonly answer: Answer;
}

/** A server and its answers. */
export interface QueryFacts {
  readonly target: Target;
  readonly asked: readonly Asked[];
  readonly running: Running;
  readonly holder: string | null;
}

const WHAT = { cluster: "cluster name", outside: "outside name" } as const;
const TITLE = { listener: "Ask", cluster: "Ask the cluster at", upstream: "Ask upstream" } as const;

/** Id and title of a check. */
export function checkOf({ role, ...server }: Target): { id: string; title: string } {
  const where = destinationText(server);
  return { id: `${role}:${where}`, title: `${TITLE[role]} ${where}` };
}

/** Checks answers over every path. */
export function judgeQueries(facts: QueryFacts): Verdict {
  const { target, asked, running, holder } = facts;
  const nobody = target.role === "listener" && maybeNobody(running);
  if (asked.length === 0) return skipped("none of the names is served here");
  const heard = asked.some(({ answer }) => "rcode" in answer);
  if (nobody && !heard) {
    const who = running === "nobody" ? "nobody serves there yet" : "nobody answers there";
    return skipped(`${who}: run the doctor again once nodens runs`);
  }
  const by = !heard || target.role === "upstream" || running === "unseen"
    ? ""
    : holder !== null
    ? `; ${holder} listens there`
    : "; no socket of this node is there, so it comes from elsewhere";
  const found = resultText(asked) + by;
  const bad = asked.filter(({ answer }) => !isGood(answer));
  if (bad.length === 0) return ok(found);
  const isSerious = bad.some(({ what, answer }) =>
    !("rcode" in answer) || answer.rcode !== "NXDOMAIN" || what === "cluster"
  );
  return (isSerious && !nobody ? problem : warning)(found, remedyOf(facts, bad));
}

function resultText(asked: readonly Asked[]): string {
  return [...Map.groupBy(asked, ({ what }) => what)].map(([what, list]) => {
    const results = list.map(({ transport, answer }) => `${transport} ${answerText(answer)}`);
    return `${WHAT[what]} ${list[0]!.name}: ${results.join(", ")}`;
  }).join("; ");
}

function answerText(answer: Answer): string {
  if ("failure" in answer) return answer.failure;
  const time = `${answer.ms.toFixed(1)} ms`;
  return isGood(answer) ? time : `${answer.rcode} in ${time}`;
}

function isGood(answer: Answer): boolean {
  return "rcode" in answer && answer.rcode === "NOERROR";
}

function remedyOf({ target, running, holder }: QueryFacts, bad: readonly Asked[]): string {
  const rcode = (code: string) =>
    bad.some(({ answer }) => "rcode" in answer && answer.rcode === code);
  const only = (one: string) => bad.every(({ transport }) => transport === one);
  const { role } = target;
  const silence = () => {
    if (only("TCP")) {
      return "UDP is answered and TCP is not: see whether a firewall lets TCP port 53 through";
    }
    if (only("UDP")) {
      return "TCP is answered and UDP is not: see whether a firewall lets UDP port 53 through";
    }
    if (role === "upstream") {
      return "see whether that server runs (kubectl -n kube-system get pods -l k8s-app=kube-dns)," +
        " and whether this node reaches it";
    }
    if (role === "cluster") {
      return "see whether kube-dns has endpoints, and kube-proxy its rules on this node";
    }
    if (holder === null) return "nobody listens there: see whether nodens runs, and its log";
    return running === "nodens"
      ? "see nodens's log and nodens status; then the checks of rules and foreign rules"
      : "see whether that program answers at all; then the checks of rules";
  };
  const steps: string[] = [];
  if (bad.some(({ answer }) => "failure" in answer)) steps.push(silence());
  if (rcode("SERVFAIL")) {
    steps.push(
      role === "upstream"
        ? "that server cannot resolve the name: find out why there"
        : "see how its upstreams answer, below, and nodens status",
    );
  }
  if (rcode("REFUSED")) {
    steps.push("see whether a server block has that name, and acl in the Corefile");
  }
  if (rcode("NXDOMAIN")) {
    steps.push(
      bad.some(({ what }) => what === "cluster")
        ? "the name does not exist: see the cluster's domain (-domain, or --name NAME), and whether" +
          " this is the right server"
        : "name one that exists with --outside NAME",
    );
  }
  return steps.join("; ") || "see the log of the server that answers";
}

/** Result of queries from a pod. */
export type PodFacts =
  | { readonly how: "none" | "failed"; readonly why: string }
  | {
    readonly how: "namespace" | "gateway";
    readonly from: string;
    readonly asked: readonly Asked[];
    readonly server: string;
  };

/** Checks queries from pods. */
export function judgePod(facts: PodFacts, running: Running): Verdict {
  if ("why" in facts) {
    return facts.how === "none"
      ? skipped(facts.why)
      : problem(facts.why, "run it as root on the node itself, with iproute2 (ip)");
  }
  const { how, from, asked, server } = facts;
  const bad = asked.filter(({ answer }) => !isGood(answer));
  const found = `from ${from} to ${server}: ${resultText(asked)}`;
  if (bad.length === 0) {
    const path = "by the host's own path; --pod uses a pod's, and changes the host briefly";
    return ok(how === "namespace" ? found : `${found} (${path})`);
  }
  if (!bad.some(({ answer }) => "failure" in answer)) {
    return warning(found, "replies arrive, so the path is open; for the answer see above");
  }
  if (maybeNobody(running)) return skipped(`${found}; nobody is known to serve there yet`);
  return problem(
    found,
    how === "namespace"
      ? "the host is answered and pods are not: look for rules in INPUT and PREROUTING, network" +
        " policies of the CNI, and reverse path filters (net.ipv4.conf.*.rp_filter)"
      : "queries from that address are not answered: see foreign rules, and acl in the Corefile",
  );
}
