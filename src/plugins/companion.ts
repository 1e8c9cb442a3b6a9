import type { Config } from "../config/types.ts";
import type { LogLevel } from "../engine/handler.ts";
import type { MetricRegistry } from "../metrics/registry.ts";

/**
 * Data that the control plane has prepared for one handler. An `ArrayBuffer` is handed over: its
 * memory goes from thread to thread and is not copied.
 */
export interface Delivery {
  block: number;
  /** Place of the handler in the chain of the block. */
  position: number;
  data: unknown;
}

/** A data plane, as far as companions need it. */
export interface Plane {
  /** How often its thread was started again after a failure. */
  readonly restarts: number;
  /**
   * Asks a handler. Resolves with `undefined` if the handler threw; rejects if the thread ends first
   * or does not answer within `limitMs`.
   */
  ask(
    target: { block: number; position: number; request: unknown },
    limitMs: number,
  ): Promise<unknown>;
}

/** What the control plane gives every companion. */
export interface CompanionServices {
  planes: readonly Plane[];
  log: (level: LogLevel, line: string) => void;
  registry: MetricRegistry;
  /** Another process serves the same addresses until `Keeper.own` is called. */
  shared: boolean;
  /** Addresses of this machine. Throws if they may not be read. */
  interfaces: () => string[];
}

/** Hands data to one handler in all data planes. */
export type Deliver = (block: number, position: number, data: unknown) => void;

/**
 * The part of a plugin that runs in the control plane, where it may use files, names and time. There
 * is one for the whole process; it imports the control plane as little as handlers do.
 */
export interface Companion<F extends Follower = Follower> {
  /**
   * Makes what follows the files and names of one configuration. `previous` follows the configuration
   * that is served until then; null for the first one.
   */
  follow?(config: Config, feed: { deliver: Deliver; previous: F | null }): F;
  readonly keeper?: Keeper;
}

/** Makes a plugin's companion. */
export type CreateCompanion = (services: CompanionServices) => Companion;

/** Follows what one configuration names: files, host names. */
export interface Follower {
  /** What the handlers get before their first query. Never rejects. */
  prepare(): Promise<Delivery[]>;
  /** From now on tells the data planes of changes. */
  start(): void;
  /** The buffers once more, for a data plane whose thread has lost them. */
  again?(): Promise<Delivery[]>;
  /** Stops following, at once; resolves when nothing is under way any more. */
  stop(): Promise<void>;
}

/** Keeps content of handlers beyond the process. */
export interface Keeper {
  /** Starts to restore what this configuration keeps, and to persist it. Does not block. */
  start(config: Config): void;
  /**
   * Ends what is under way before the data planes change to another configuration, within `limitMs`.
   * The function that it resolves with goes on with whichever configuration is served then.
   */
  hold(next: Config, limitMs: number): Promise<(config: Config) => void>;
  /** A data plane has a new thread, whose handlers are empty. */
  restarted(plane: Plane): void;
  /** Reads what the other process has written. */
  follow(): Promise<void>;
  /** The other process has gone. */
  own(): void;
  /** Resolves when nothing is being read or written. */
  settled(): Promise<void>;
  /** Persists everything a last time, as far as `limitMs` allows. */
  stop(limitMs: number): Promise<void>;
}
