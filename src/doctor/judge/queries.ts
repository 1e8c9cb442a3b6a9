import { type Check, type Finding, ok, problem, skipped, warning } from "./finding.ts";
import { maybeNobody, type Running } from "./listeners.ts";
import type { Target } from "./targets.ts";

/** What came of one question. */
export type Answer =
  | { readonly rcode: string; readonly ms: number }
  /** No reply; why, in a few words. */
  | { readonly failure: string };

/** One question that was asked. */
export interface Asked {
  /** What the name stands for. */
  readonly what: "cluster" | "outside";
  readonly name: string;
  readonly transport: "UDP" | "TCP";
  readonly answer: Answer;
}

/** One server, and what it answered. */
export interface QueryFacts {
  readonly target: Target;
  readonly asked: readonly Asked[];
  readonly running: Running;
  /** Who holds the socket at that address, in words; null if nobody on this machine does. */
  readonly holder: string | null;
}

const WHAT = { cluster: "cluster name", outside: "outside name" } as const;

/** Whether one server answers over every path. */
export function judgeQueries(facts: QueryFacts): Finding {
  const { target, asked, running, holder } = facts;
  const check = checkOf(target);
  const nobody = target.role === "listener" && maybeNobody(running);
  if (asked.length === 0) {
    return skipped(check, "none of the names that are asked for is served here");
  }
  const heard = asked.some(({ answer }) => "rcode" in answer);
  if (nobody && !heard) {
    const who = running === "nobody" ? "nobody serves there yet" : "nobody answers there";
    return skipped(check, `${who}: ask again once nodens runs`);
  }
  const by = target.role === "upstream" || running === "unseen"
    ? ""
    : holder !== null
    ? `; ${holder} listens there`
    : "; no socket of this node is there, so it comes from elsewhere";
  const found = resultText(asked) + (heard ? by : "");
  const bad = asked.filter(({ answer }) => !isGood(answer));
  if (bad.length === 0) return ok(check, found);
  const serious = bad.filter(({ what, answer }) =>
    !("rcode" in answer) || answer.rcode !== "NXDOMAIN" || what === "cluster"
  );
  const remedy = remedyOf(facts, bad);
  return serious.length > 0 && !nobody
    ? problem(check, found, remedy)
    : warning(check, found, remedy);
}

/** The check that a server is. */
export function checkOf({ role, address, port }: Target): Check {
  const where = `${address.includes(":") ? `[${address}]` : address}:${port}`;
  return { id: `${role}:${where}`, title: `${TITLE[role]} ${where}` };
}

const TITLE = { listener: "Ask", cluster: "Ask the cluster at", upstream: "Ask upstream" } as const;

/** Answers by name and transport, with their times: `cluster name: UDP 0.4 ms, TCP SERVFAIL`. */
export function resultText(asked: readonly Asked[]): string {
  return [...Map.groupBy(asked, ({ what }) => what)].map(([what, list]) => {
    const [{ name }] = list as [Asked];
    const results = list.map(({ transport, answer }) => `${transport} ${answerText(answer)}`);
    return `${WHAT[what]} ${name}: ${results.join(", ")}`;
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
  const failed = (test: (answer: Answer) => boolean) => bad.some(({ answer }) => test(answer));
  const rcode = (code: string) => failed((answer) => "rcode" in answer && answer.rcode === code);
  const silent = failed((answer) => "failure" in answer);
  const steps: string[] = [];
  if (silent && bad.every(({ transport }) => transport === "TCP")) {
    steps.push("UDP is answered and TCP is not: see whether a firewall lets TCP port 53 through");
  } else if (silent && bad.every(({ transport }) => transport === "UDP")) {
    steps.push("TCP is answered and UDP is not: see whether a firewall lets UDP port 53 through");
  } else if (silent && target.role === "upstream") {
    steps.push(
      "see whether that server runs (kubectl -n kube-system get pods -l k8s-app=kube-dns), and" +
        " whether this node reaches it",
    );
  } else if (silent && target.role === "cluster") {
    steps.push("see whether kube-dns has endpoints, and kube-proxy its rules on this node");
  } else if (silent) {
    steps.push(
      holder === null
        ? "nobody listens there: see whether nodens runs, and its log"
        : running === "nodens"
        ? "see nodens's log and nodens status; then the checks of rules and foreign rules"
        : "see whether that program answers at all; then the checks of rules",
    );
  }
  if (rcode("SERVFAIL")) {
    steps.push(
      target.role === "upstream"
        ? "that server cannot resolve the name: look there"
        : "see how its upstreams answer, below, and nodens status",
    );
  }
  if (rcode("REFUSED")) {
    steps.push("see whether a server block is for that name, and acl in the Corefile");
  }
  if (rcode("NXDOMAIN")) {
    steps.push(
      bad.some(({ what }) => what === "cluster")
        ? "the name does not exist: see the cluster's domain (-domain, or --name NAME), and that" +
          " the right server is asked"
        : "name one that exists with --outside NAME",
    );
  }
  if (steps.length === 0) steps.push("see the log of the server that answers");
  return steps.join("; ");
}
