import type { Config } from "../config/types.ts";
import type { LogLevel } from "../engine/handler.ts";
import type { MetricRegistry } from "../metrics/registry.ts";

/** Data for one handler. An `ArrayBuffer` is transferred between threads, not copied. */
export interface Delivery {
  block: number;
  /** Position of the handler in the chain of the block. */
  position: number;
  data: unknown;
}

/** A data plane, as companions see it. */
export interface Plane {
  /** How often its thread was started again after a failure. */
  readonly restarts: number;
  /**
   * Asks a handler. Resolves with `undefined` if the handler throws; rejects if the thread ends or
   * does not answer within `limitMs`.
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
  /** Addresses of this machine. Throws if they cannot be read. */
  interfaces: () => string[];
}

/** Delivers data to one handler in all data planes. */
export type Deliver = (block: number, position: number, data: unknown) => void;

/**
 * A plugin's part in the control plane, one for the whole process. It may use files, names and time,
 * but does not import the control plane.
 */
export interface Companion<F extends Follower = Follower> {
  /** Makes the follower of a configuration. `previous` is that of the current one; null at first. */
  follow?(config: Config, feed: { deliver: Deliver; previous: F | null }): F;
  readonly keeper?: Keeper;
}

/** Makes a plugin's companion. */
export type CreateCompanion = (services: CompanionServices) => Companion;

/** Follows the files and host names of one configuration. */
export interface Follower {
  /** Returns what the handlers get before their first query. Never rejects. */
  prepare(): Promise<Delivery[]>;
  /** Begins to deliver changes. */
  start(): void;
  /** Returns the buffers again, for a data plane whose thread has lost them. */
  again?(): Promise<Delivery[]>;
  /** Stops at once; resolves when nothing is in flight. */
  stop(): Promise<void>;
}

/** Persists the content of handlers. */
export interface Keeper {
  /** Begins to restore and to persist the content of this configuration. Does not block. */
  start(config: Config): void;
  /**
   * Pauses before the data planes change to another configuration, within `limitMs`. The returned
   * function resumes with the configuration that is served then.
   */
  hold(next: Config, limitMs: number): Promise<(config: Config) => void>;
  /** Restores the content of a data plane with a new thread. */
  restarted(plane: Plane): void;
  /** Reads what the other process has written. */
  follow(): Promise<void>;
  /** The other process has ended. */
  own(): void;
  /** Resolves when nothing is being read or written. */
  settled(): Promise<void>;
  /** Persists everything a last time; gives up after `limitMs`. */
  stop(limitMs: number): Promise<void>;
}
