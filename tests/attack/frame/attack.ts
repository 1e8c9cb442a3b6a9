import type { ClientReport } from "./client_report.ts";
import type { Endpoint, Socket, SocketOptions } from "./sockets.ts";

/** Facts that an attack found, in the order in which they are printed. */
export type Facts = Readonly<Record<string, number | string>>;

/** A reply of the upstream: octets, or octets later. */
export type UpstreamReply = Uint8Array | { readonly delayMs: number; readonly message: Uint8Array };

/** The upstream's response to a query for the attacker's names; null for silence. */
export type UpstreamScript = (
  query: Uint8Array,
  transport: "udp" | "tcp",
) => UpstreamReply | null;

/** How the stage differs from the shipped one. */
export interface Setting {
  /** Limit of file descriptors. */
  readonly files?: number;
  /** First and last ephemeral port. */
  readonly ports?: readonly [number, number];
  /** Whether an unbound stands between nodens and the servers of all names outside of the cluster. */
  readonly unbound?: boolean;
  /** Whether the upstream is served over TLS as well, and there are certificates (`tls.ts`). */
  readonly tls?: boolean;
  /** Changes the manifest's Corefile. */
  readonly corefile?: (text: string) => string;
  /** Whether the attacker's process has uid 0 and no capability. */
  readonly withoutCapabilities?: boolean;
}

/** Tools of an attacker's process. */
export interface Hands {
  /** How long it may attack. */
  readonly seconds: number;
  /** Milliseconds that are left. */
  left(): number;
  /** A UDP socket to nodens; from the attacker's own address where none is given. */
  udp(source?: Partial<Endpoint>, options?: SocketOptions): Socket;
  /** A TCP connection to nodens, or elsewhere. */
  tcp(source?: Partial<Endpoint>, options?: SocketOptions & { readonly to?: Endpoint }): Socket;
  /** Calls `act` `rate` times a second (with 0, 1, 2, …) until the time is up; returns how often. */
  paced(rate: number, act: (turn: number) => void, between?: () => void): Promise<number>;
  /** Waits, but not beyond the time. */
  pause(ms: number): Promise<void>;
}

/** Tools of an attack on the same host: signals and files. */
export interface Stage {
  readonly seconds: number;
  /** A folder for files. */
  readonly folder: string;
  /** Process id of nodens. */
  readonly pid: number;
  /** Everything that it wrote. */
  log(): string;
  /** Sends a signal by number; false if it has ended. */
  signal(number: number): boolean;
  /** The Corefile that it was started with. */
  readonly corefile: string;
  /** Puts another Corefile in its place, in one step. */
  rewrite(text: string): void;
  /** Starts another nodens with this Corefile, in the way of the first. */
  another(corefile: string): Another;
  /** Sends SIGTERM to the first nodens; resolves with its exit code and how long it took. */
  terminate(): Promise<{ code: number; seconds: number }>;
}

/** A nodens beside the one that is measured. */
export interface Another {
  readonly pid: number;
  log(): string;
  /** Its exit code once it has ended; null before. */
  code(): number | null;
  /** Waits until `done` holds; false after `ms`. */
  until(done: () => boolean, ms: number): Promise<boolean>;
  /** Ends it. */
  kill(): Promise<void>;
}

/** Result of an attack. */
export interface Outcome {
  /** Whether nodens survived the attack (or ended in order, if it was stopped). */
  readonly alive: boolean;
  /** Exit code, once it was told to stop. */
  readonly code: number;
  readonly stopSeconds: number;
  readonly idle: ClientReport;
  readonly attacked: ClientReport;
  /** Peak memory in MiB: of the control group, and of the process. */
  readonly memory: { readonly group: number; readonly process: number; readonly sockets: number };
  /** Whether the kernel ended something for want of memory. */
  readonly outOfMemory: boolean;
  /** Counters of nodens that rose during the attack, by family. */
  readonly counted: Readonly<Record<string, number>>;
  /** Queries that reached the upstream for names that the client had already been answered. */
  readonly hitsAskedAgain: number;
  readonly facts: Facts;
  /** The end of nodens's log. */
  readonly log: string;
}

/** One attack. */
export interface Attack {
  /** As `--only` has it. */
  readonly name: string;
  /** The attack in one sentence. */
  readonly summary: string;
  /** How long it takes at least to show. */
  readonly minSeconds?: number;
  readonly setting?: Setting;
  readonly upstream?: UpstreamScript;
  /** Runs in a separate process. */
  readonly attack?: (hands: Hands) => Promise<Facts>;
  /** Runs beside nodens, at the same time. */
  readonly beside?: (stage: Stage) => Promise<Facts>;
  /** Faults beyond those that every attack is judged by. */
  readonly judge?: (outcome: Outcome) => readonly string[];
  /** What took longer than promised, or null; checked only with `--check`, like latencies. */
  readonly slow?: (outcome: Outcome) => string | null;
}
