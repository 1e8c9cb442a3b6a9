import type { ListenerConfig } from "../config/types.ts";
import type { Traffic } from "../engine/engine.ts";
import type { Io } from "../engine/io.ts";
import type { LaneLink } from "./lane_link.ts";
import type { BoundSocket } from "./sockets.ts";

/** Driver interface of the data plane's thread. */
export interface Driver extends Io {
  attach(engine: Traffic): void;
  /** If null, new streams fail with `why`. */
  attachLane(link: LaneLink | null, why: string): void;
  /** Absent if the driver opens sockets. */
  serve?(sockets: readonly BoundSocket[]): void;
  /** Changes the listeners; `takeOver` switches the configuration. May throw `ListenError`. */
  change(next: ListenerChange, takeOver: () => void): void;
  /** Stops accepting queries and answers those in progress. */
  retireAll(): void;
  readonly drained: boolean;
}

/** A reload's effect on a driver. */
export interface ListenerChange {
  readonly listeners: readonly ListenerConfig[];
  readonly opened: readonly BoundSocket[];
  readonly closing: readonly BoundSocket[];
}

/** A listener cannot be opened; nothing has changed. */
export class ListenError extends Error {}
