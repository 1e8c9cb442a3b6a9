import type { AskReply, ExplainedStep, ExplainReply } from "../../engine/explain/types.ts";

/** A message in presentation format. */
export interface ShownMessage {
  readonly rcode: string;
  /** `aa`, `ra`, … */
  readonly flags: readonly string[];
  /** One record each: `www.example.org. 30 IN A 192.0.2.7`. */
  readonly answer: readonly string[];
  readonly authority: readonly string[];
  readonly additional: readonly string[];
  /** Records beyond `MAX_RECORDS_TEXT`; absent if there are none. */
  readonly omittedRecords?: number;
  /** Extended DNS Errors (RFC 8914). */
  readonly errors: readonly { readonly code: number; readonly text: string }[];
  readonly sizeBytes: number;
}

/** What one plugin would do. */
export interface ShownStep extends Omit<ExplainedStep, "answer"> {
  readonly answer: ShownMessage | null;
}

/** What one data plane would do: each has its own cache and knows upstreams by itself. */
export interface PlaneExplanation extends Omit<ExplainReply, "listener" | "steps"> {
  readonly listener: string;
  /** Who is behind the address; null if that is not known. */
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
  /** One for each data plane. */
  readonly planes: readonly PlaneExplanation[];
  /** Of the first data plane; null if it was not asked, or is refused above. */
  readonly asked: AskedAnswer | null;
}

/** What has become of the query that was asked. */
export interface AskedAnswer extends Omit<AskReply, "answer"> {
  /** Null if no answer is sent. */
  readonly answer: ShownMessage | null;
}
