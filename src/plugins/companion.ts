import type { Config } from "../config/types.ts";
import type { LogLevel } from "../engine/handler.ts";
import type { MetricRegistry } from "../metrics/registry.ts";
import type { Verb } from "./verbs.ts";

/** Data for one handler; an `ArrayBuffer` is transferred, not copied. */
export interface Delivery {
  block: number;
  position: number;
  data: unknown;
}

/** A data plane. */
export interface Plane {
  /** Restarts of its thread after failures. */
  readonly restarts: number;
  /** `undefined` if the handler throws; rejects if the thread ends, or after `limitMs`. */
  ask(
    target: { block: number; position: number; request: unknown },
    limitMs: number,
  ): Promise<unknown>;
}

/** Environment of companions. */
export interface CompanionServices {
  planes: readonly Plane[];
  log: (level: LogLevel, line: string) => void;
  registry: MetricRegistry;
  /** Another process serves the same addresses until `Keeper.own`. */
  shared: boolean;
  /** Throws if they cannot be read. */
  interfaces: () => string[];
}

/** Sends data to one handler of each data plane. */
export type Deliver = (block: number, position: number, data: unknown) => void;

/** One use of a plugin. */
export interface PluginUse<Options> {
  block: number;
  position: number;
  zones: readonly string[];
  /** `Corefile:3`. */
  place: string;
  options: Options;
}

/** The uses of a plugin. */
export function usesOf<Options>({ blocks }: Config, plugin: string): PluginUse<Options>[] {
  return blocks.flatMap(({ file, zones, plugins }, block) =>
    plugins.flatMap(({ name, line, options }, position) => {
      const use = { block, position, zones, place: `${file}:${line}`, options: options as Options };
      return name === plugin ? [use] : [];
    })
  );
}

/** A plugin's part in the control plane. May use files, names and time. */
export interface Companion<F extends Follower = Follower> {
  /** `previous` is null at first. */
  follow?(config: Config, feed: { deliver: Deliver; previous: F | null }): F;
  readonly keeper?: Keeper;
  /** What operators may ask. */
  readonly verbs?: readonly Verb[];
}

/** Creates a companion. */
export type CreateCompanion = (services: CompanionServices) => Companion;

/** Follows a configuration's files and host names. */
export interface Follower {
  /** Data before the first query. Never rejects. */
  prepare(): Promise<Delivery[]>;
  start(): void;
  /** Buffers for a restarted data plane. */
  again?(): Promise<Delivery[]>;
  /** Resolves when nothing is in flight. */
  stop(): Promise<void>;
}

/** Persists handlers' content. */
export interface Keeper {
  /** Starts to restore and persist. Does not block. */
  start(config: Config): void;
  /** Pauses within `limitMs`; the result resumes. */
  hold(next: Config, limitMs: number): Promise<(config: Config) => void>;
  restarted(plane: Plane): void;
  /** Reads what the other process has written. */
  follow(): Promise<void>;
  /** The other process has ended. */
  own(): void;
  /** Resolves when nothing is in flight. */
  settled(): Promise<void>;
  /** Persists once more, within `limitMs`. */
  stop(limitMs: number): Promise<void>;
}
