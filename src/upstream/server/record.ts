import { LatencyDigest } from "./latency.ts";

/** What operators see of a server, beside what queries need. */
export class ServerRecord {
  readonly latency = new LatencyDigest();
  /** Whether the last query over TCP or TLS was answered; null before the first. */
  streams: boolean | null = null;
  /** Whether a reply has kept the case of names. */
  keptCase = false;
  /** Reason of the last failure, of a query or a check. Read only. */
  failure = "";
  /** Read only. */
  failedMs = -Infinity;

  fail(why: string, nowMs: number): void {
    this.failure = why;
    this.failedMs = nowMs;
  }
}
