import type { ExplainedVerdict } from "../explanation.ts";

/** A query to explain. */
export interface ExplainRequest {
  readonly message: ArrayBuffer;
  readonly streamed: boolean;
  /** IP address; null: this host's. */
  readonly client: string | null;
  /** Null: the first that takes the query. */
  readonly listener: { readonly address: string; readonly port: number } | null;
}

/** A query's expected answer. */
export interface ExplainReply {
  /** Null without such a listener. */
  readonly listener: string | null;
  readonly otherListeners: readonly string[];
  readonly client: string;
  /** Null: none takes the query. */
  readonly block: ExplainedBlock | null;
  /** Null if a plugin ends the way down. */
  readonly refusal: { readonly rcode: string; readonly reason: string } | null;
  readonly steps: readonly ExplainedStep[];
}

/** The query's server block. */
export interface ExplainedBlock {
  readonly zones: readonly string[];
  readonly place: string;
  readonly zone: string;
  readonly reason: string;
}

/** A plugin's effect, in chain order. */
export interface ExplainedStep {
  readonly plugin: string;
  readonly place: string;
  readonly verdict: ExplainedVerdict | "not reached";
  readonly reason: string;
  readonly notes: readonly string[];
  readonly details: Readonly<Record<string, unknown>>;
  /** Beside a given answer. */
  readonly refresh: boolean;
  /** Null if there is none yet. */
  readonly answer: ArrayBuffer | null;
}

/** Result of a query. */
export interface AskReply {
  readonly answer: ArrayBuffer | null;
  /** To its answer. */
  readonly ms: number;
  /** Null for nodens itself. */
  readonly answeredBy: string | null;
  readonly cached: boolean;
  readonly stale: boolean;
  /** Its server, or "". */
  readonly upstream: string;
  /** Queries to upstreams. */
  readonly asks: number;
  readonly hedged: boolean;
  readonly error: string;
  readonly steps: readonly AskedStep[];
}

/** A plugin's turn. */
export interface AskedStep {
  readonly plugin: string;
  readonly did: "passed" | "answered" | "waited" | "dropped" | "saw the answer";
  /** Since the query's start; as exact as the loop's clock. */
  readonly atMs: number;
  /** Null without such a clock. */
  readonly tookUs: number | null;
  /** A refresh, or another name. */
  readonly own: boolean;
}
