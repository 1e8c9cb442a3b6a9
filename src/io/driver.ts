import type { ListenerConfig } from "../config/types.ts";
import type { Io } from "../engine/io.ts";
import type { Traffic } from "../engine/traffic.ts";
import type { LaneLink } from "./lane_link.ts";
import type { BoundSocket } from "./sockets.ts";

/** A driver as the data plane's thread uses it. */
export interface Driver extends Io {
  /** Connects the engine before it is configured, and sets its clock. */
  attach(engine: Traffic): void;
  /** Replaces the link to the TLS thread; without one, new streams fail with `why`. */
  attachLane(link: LaneLink | null, why: string): void;
  /** Adds sockets to serve. Absent if the driver opens its own sockets. */
  serve?(sockets: readonly BoundSocket[]): void;
  /**
   * Changes the listeners; calls `takeOver` when the engine is to switch its configuration. A driver
   * that opens its own sockets throws `ListenError` if it cannot, and changes nothing.
   */
  change(next: ListenerChange, takeOver: () => void): void;
  /** Stops accepting queries; those in progress are still answered. */
  retireAll(): void;
  readonly drained: boolean;
}

/** The effect of a reload on a driver. */
export interface ListenerChange {
  readonly listeners: readonly ListenerConfig[];
  readonly opened: readonly BoundSocket[];
  readonly closing: readonly BoundSocket[];
}

/** A listener cannot be opened; nothing has changed. */
export class ListenError extends Error {}
