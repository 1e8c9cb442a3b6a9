import type { ExplainedVerdict } from "../explanation.ts";

/** A query that is to be explained, as plain data. */
export interface ExplainRequest {
  /** As a client would send it. */
  readonly message: ArrayBuffer;
  readonly streamed: boolean;
  /** IP address; null for this host's. */
  readonly client: string | null;
  /** Null for the first that takes the query; `address` as in `ListenerConfig`. */
  readonly listener: { readonly address: string; readonly port: number } | null;
}

/** What a data plane would do with a query. */
export interface ExplainReply {
  /** `169.254.20.10:53`; null if there is no such listener. */
  readonly listener: string | null;
  readonly otherListeners: readonly string[];
  readonly client: string;
  /** Null if no block takes the query. */
  readonly block: ExplainedBlock | null;
  /** Why no plugin is asked, or why all of them pass; null if one ends the way down. */
  readonly refusal: { readonly rcode: string; readonly reason: string } | null;
  readonly steps: readonly ExplainedStep[];
}

/** The server block that takes a query. */
export interface ExplainedBlock {
  readonly zones: readonly string[];
  /** `Corefile:3`. */
  readonly place: string;
  readonly zone: string;
  readonly reason: string;
}

/** What one plugin would do, in chain order. */
export interface ExplainedStep {
  readonly plugin: string;
  /** `Corefile:4`. */
  readonly place: string;
  readonly verdict: ExplainedVerdict | "not reached";
  readonly reason: string;
  readonly notes: readonly string[];
  readonly details: Readonly<Record<string, unknown>>;
  /** Done beside an answer that is already given. */
  readonly refresh: boolean;
  /** Message that it answers with; null if there is none yet. */
  readonly answer: ArrayBuffer | null;
}

/** What has become of a query that was asked. */
export interface AskReply {
  /** Null if none is sent. */
  readonly answer: ArrayBuffer | null;
  /** From its start to its answer. */
  readonly ms: number;
  /** Plugin; null for nodens itself. */
  readonly answeredBy: string | null;
  readonly cached: boolean;
  readonly stale: boolean;
  /** Server whose reply it is, or "". */
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
  /** Since the start of the query; as exact as the loop's clock. */
  readonly atMs: number;
  /** That the plugin itself took; null without such a clock. */
  readonly tookUs: number | null;
  /** A query of nodens' own for this one: a refresh, another name. */
  readonly own: boolean;
}
