import type { ListenerConfig } from "../config/types.ts";
import type { Io } from "../engine/io.ts";
import type { Traffic } from "../engine/traffic.ts";
import type { LaneLink } from "./lane_link.ts";
import type { BoundSocket } from "./sockets.ts";

/** A driver as the data plane's thread uses it, whichever it is. */
export interface Driver extends Io {
  /** Connects the engine, before it is configured, and sets its clock. */
  attach(engine: Traffic): void;
  /** Replaces the link to the thread that speaks TLS; without one, `why` is told to new streams. */
  attachLane(link: LaneLink | null, why: string): void;
  /** Serves these sockets too, unless it does already. Absent if the driver opens its own sockets. */
  serve?(sockets: readonly BoundSocket[]): void;
  /**
   * Changes what it serves; `takeOver` has the engine take over the configuration. Throws
   * `ListenError`, and changes nothing, if it opens its own sockets and cannot open one.
   */
  change(next: ListenerChange, takeOver: () => void): void;
  /** Accepts no more queries; those that wait are still answered. */
  retireAll(): void;
  /** Whether all is answered and closed after `retireAll`. */
  readonly drained: boolean;
}

/** What a reload changes for a driver. */
export interface ListenerChange {
  readonly listeners: readonly ListenerConfig[];
  /** Sockets that the control plane has opened for new listeners. */
  readonly opened: readonly BoundSocket[];
  /** Sockets of listeners that are gone. They stay open for the answers that are still to come. */
  readonly closing: readonly BoundSocket[];
}

/** A listener cannot be opened; nothing has changed. */
export class ListenError extends Error {}
