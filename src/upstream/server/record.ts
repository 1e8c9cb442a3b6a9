import { LatencyDigest } from "./latency.ts";

/** Facts for operators. */
export class ServerRecord {
  readonly latency = new LatencyDigest();
  /** Last result over TCP or TLS; null before. */
  streams: boolean | null = null;
  /** A reply has kept a name's case. */
  keptCase = false;
  /** Of a query or check. Read only. */
  failure = "";
  /** Read only. */
  failedMs = -Infinity;

  fail(why: string, nowMs: number): void {
    this.failure = why;
    this.failedMs = nowMs;
  }
}
