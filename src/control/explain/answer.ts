import type { AskReply, ExplainedStep, ExplainReply } from "../../engine/explain/types.ts";

/** Message in presentation format. */
export interface ShownMessage {
  readonly rcode: string;
  /** `aa`, `ra`, … */
  readonly flags: readonly string[];
  /** `www.example.org. 30 IN A 192.0.2.7`. */
  readonly answer: readonly string[];
  readonly authority: readonly string[];
  readonly additional: readonly string[];
  /** Beyond `MAX_RECORDS_TEXT`. */
  readonly omittedRecords?: number;
  /** Extended DNS Errors (RFC 8914). */
  readonly errors: readonly { readonly code: number; readonly text: string }[];
  readonly sizeBytes: number;
}

/** Predicted step of one plugin. */
export interface ShownStep extends Omit<ExplainedStep, "answer"> {
  readonly answer: ShownMessage | null;
}

/** Prediction of one data plane, by its own cache and upstreams. */
export interface PlaneExplanation extends Omit<ExplainReply, "listener" | "steps"> {
  readonly listener: string;
  readonly clientName: string | null;
  readonly steps: readonly ShownStep[];
}

/** Answer of the verbs `explain` and `ask`. */
export interface ExplainAnswer {
  readonly question: {
    readonly name: string;
    readonly type: string;
    readonly class: string;
    readonly transport: "udp" | "tcp";
    readonly dnssec: boolean;
    readonly checkingDisabled: boolean;
  };
  readonly planes: readonly PlaneExplanation[];
  /** Of the first data plane; null if not asked, or refused above. */
  readonly asked: AskedAnswer | null;
}

/** Outcome of the query that was asked. */
export interface AskedAnswer extends Omit<AskReply, "answer"> {
  /** Null: none is sent. */
  readonly answer: ShownMessage | null;
}
