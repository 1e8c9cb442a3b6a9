import type { ClientReport } from "./client_report.ts";
import type { Endpoint, Socket, SocketOptions } from "./sockets.ts";

export type Facts = Readonly<Record<string, number | string>>;

export type UpstreamReply = Uint8Array | { readonly delayMs: number; readonly message: Uint8Array };

/** The upstream's response to a query for the attacker's names; null for silence. */
export type UpstreamScript = (
  query: Uint8Array,
  transport: "udp" | "tcp",
) => UpstreamReply | null;

/** Deviations of the stage from the shipped configuration. */
export interface Setting {
  readonly files?: number;
  readonly ports?: readonly [number, number];
  /** Adds an unbound between nodens and the servers of names outside the cluster. */
  readonly unbound?: boolean;
  /** Serves the upstream over TLS as well, with certificates (`tls.ts`). */
  readonly tls?: boolean;
  readonly corefile?: (text: string) => string;
  /** Runs the attacker with uid 0 and no capability. */
  readonly withoutCapabilities?: boolean;
}

export interface Hands {
  readonly seconds: number;
  left(): number;
  /** A UDP socket to nodens; default source: the attacker's address. */
  udp(source?: Partial<Endpoint>, options?: SocketOptions): Socket;
  /** A TCP connection to nodens, or elsewhere. */
  tcp(source?: Partial<Endpoint>, options?: SocketOptions & { readonly to?: Endpoint }): Socket;
  /**
   * Calls `act` `rate` times a second (with 0, 1, 2, …) until the time is up; returns the number
   * of calls.
   */
  paced(rate: number, act: (turn: number) => void, between?: () => void): Promise<number>;
  pause(ms: number): Promise<void>;
}

export interface Stage {
  readonly seconds: number;
  readonly folder: string;
  readonly pid: number;
  log(): string;
  /** Sends a signal by number; false if nodens has ended. */
  signal(number: number): boolean;
  readonly corefile: string;
  rewrite(text: string): void;
  /** Starts another nodens with this Corefile, like the first. */
  another(corefile: string): Another;
  /** Sends SIGTERM to the first nodens; resolves with its exit code and duration. */
  terminate(): Promise<{ code: number; seconds: number }>;
}

export interface Another {
  readonly pid: number;
  log(): string;
  code(): number | null;
  until(done: () => boolean, ms: number): Promise<boolean>;
  kill(): Promise<void>;
}

export interface Outcome {
  /** Whether nodens survived the attack (or ended in order, if it was stopped). */
  readonly alive: boolean;
  /** Exit code after a stop. */
  readonly code: number;
  readonly stopSeconds: number;
  readonly idle: ClientReport;
  readonly attacked: ClientReport;
  /** Peak memory in MiB: of the control group, and of the process. */
  readonly memory: { readonly group: number; readonly process: number; readonly sockets: number };
  /** Whether the kernel killed a process for lack of memory. */
  readonly outOfMemory: boolean;
  /** Increases of nodens's counters during the attack, by family. */
  readonly counted: Readonly<Record<string, number>>;
  /** Upstream queries for names that the client had already received. */
  readonly hitsAskedAgain: number;
  readonly facts: Facts;
  readonly log: string;
}

export interface Attack {
  readonly name: string;
  readonly summary: string;
  /** Shortest effective duration. */
  readonly minSeconds?: number;
  readonly setting?: Setting;
  readonly upstream?: UpstreamScript;
  readonly attack?: (hands: Hands) => Promise<Facts>;
  readonly beside?: (stage: Stage) => Promise<Facts>;
  /** Faults beyond those common to all attacks. */
  readonly judge?: (outcome: Outcome) => readonly string[];
  /** Operation that exceeded its time, or null; checked only with `--check`, like latencies. */
  readonly slow?: (outcome: Outcome) => string | null;
}
