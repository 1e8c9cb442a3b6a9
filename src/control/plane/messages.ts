import type { BoundSocket } from "../../io/sockets.ts";
import type { Config } from "../../config/types.ts";
import type { CounterPlace } from "../../engine/counters.ts";
import type { LogFields, LogLevel } from "../../engine/handler.ts";
import type { CheckPlan } from "../../io/check_plan.ts";
import type { FileShares } from "../../io/file_shares.ts";
import type { LaneState } from "../encrypted/messages.ts";
import type { Delivery } from "../../plugins/companion.ts";
import { copyBuffer } from "../../base/transfer.ts";

/** Which driver serves: epoll through FFI, or the runtime's own sockets. */
export type DriverKind = "linux" | "portable";

/** First message to a data plane's thread, sent with `postMessage` before it blocks. */
export interface StartMessage {
  driver: DriverKind;
  config: Config;
  /** Sockets to serve, if any yet; the portable driver opens its own. */
  sockets: BoundSocket[];
  /** eventfd that wakes the loop when `port` has a message. */
  wakeFd: number;
  /** eventfd that wakes the loop when something has come for encrypted streams. */
  laneFd: number;
  /** What carries encrypted streams, or null, and why there is nothing. */
  lane: LaneState;
  /** Where all further messages come from. */
  port: MessagePort;
  counters: SharedArrayBuffer;
  /** The log takes the values of a line as well. */
  logsFields: boolean;
  /** SO_MARK of everything that goes to upstreams, the linux driver's alone; 0 for none. */
  mark: number;
  /** What the data plane may have open. */
  files: FileShares;
  /** Memory that handlers of all data planes share (`SHARED_BYTES`). */
  shared: SharedArrayBuffer;
  /** What lies where in `counters` since a data plane before this one. */
  places: CounterPlace[];
  /** What handlers get before the first query. */
  deliveries: Delivery[];
  /** What it checks of itself from the start; null for nothing. */
  checks: CheckPlan | null;
}

/** What the control plane tells a running data plane. */
export type ControlMessage =
  | { type: "deliver" } & Delivery
  /** Takes over a configuration, whole, between two queries; is answered like `ask`. */
  | {
    type: "configure";
    id: number;
    config: Config;
    deliveries: readonly Delivery[];
    opened: BoundSocket[];
    /** They are closed once the answer has come and what waits has been answered. */
    closing: BoundSocket[];
  }
  /** Accepts no more queries; is answered like `ask`, at once. `drain` follows. */
  | { type: "retire"; id: number }
  /** Is answered like `ask` once all is answered and clients' streams are closed. */
  | { type: "drain"; id: number }
  /** Takes queries in from these sockets as well. */
  | { type: "serve"; sockets: BoundSocket[] }
  | { type: "lane"; lane: LaneState }
  /** Is answered with `answered` of the same id. */
  | { type: "ask"; id: number; block: number; position: number; request: unknown }
  /** Follows this plan from now on; is answered like `ask` after the first round (`ListFaults`). */
  | { type: "check"; id: number; plan: CheckPlan }
  | { type: "stop" }
  /** Makes the loop fail, so that the tests see what happens then. */
  | { type: "fail"; how: "throw" | "hang" };

/** One line for the log. */
export interface LogEntry {
  level: LogLevel;
  line: string;
  fields?: LogFields | undefined;
}

/** What a data plane tells the control plane. */
export type DataPlaneMessage =
  | { type: "ready" }
  /** What has been added to the counters. */
  | { type: "places"; places: CounterPlace[] }
  | { type: "unable"; error: string }
  | { type: "log"; lines: LogEntry[]; bytes: number; timeMs: number }
  | { type: "answered"; id: number; answer: unknown }
  /** A handler has found that serving on may do harm; the log says the rest. */
  | { type: "harm"; why: string }
  /** A list of `-m recent` cannot be written to any more. */
  | { type: "unwritable"; list: string }
  | { type: "stopped" };

/** The buffers that deliveries hand over. */
export function handedOver(deliveries: readonly Delivery[]): ArrayBuffer[] {
  return deliveries.flatMap(({ data }) => data instanceof ArrayBuffer ? [data] : []);
}

/** The deliveries for each of `count` data planes: the last gets the buffers, the others copies. */
export function deliveriesForEach(deliveries: readonly Delivery[], count: number): Delivery[][] {
  return Array.from({ length: count }, (_, plane) =>
    deliveries.map(({ block, position, data }) => {
      const copied = data instanceof ArrayBuffer && plane < count - 1;
      return { block, position, data: copied ? copyBuffer(data) : data };
    }));
}
