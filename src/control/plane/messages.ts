import type { Config } from "../../config/types.ts";
import type { CounterSeries } from "../../engine/counters.ts";
import type { ExplainRequest } from "../../engine/explain/types.ts";
import type { ObserveRequest } from "../../engine/observe/requests.ts";
import type { LogFields, LogLevel } from "../../engine/handler.ts";
import type { CheckPlan } from "../../io/check_plan.ts";
import type { FileShares } from "../../io/file_shares.ts";
import type { KernelMaps } from "../../io/kernel_maps.ts";
import type { BoundSocket } from "../../io/sockets.ts";
import type { Delivery } from "../../plugins/companion.ts";
import type { ProfileAction } from "../../sys/profiler.ts";
import type { LaneState } from "../encrypted/messages.ts";

/** Driver: epoll through FFI, or the runtime's sockets. */
export type DriverKind = "linux" | "portable";

/** A data plane's first message. */
export interface StartMessage {
  driver: DriverKind;
  config: Config;
  sockets: BoundSocket[];
  wakeFd: number;
  laneFd: number;
  lane: LaneState;
  port: MessagePort;
  counters: SharedArrayBuffer;
  logsFields: boolean;
  observes: boolean;
  mark: number;
  files: FileShares;
  shared: SharedArrayBuffer;
  places: CounterSeries[];
  deliveries: Delivery[];
  checks: CheckPlan | null;
  /** Names of clients (`ClientTable`). */
  clients: ArrayBuffer | null;
  /** Hits may be answered in the kernel. */
  kernelHits: boolean;
  /** Null until the program is there. */
  kernelMaps: KernelMaps | null;
}

/** Request, answered by `answered` with its id. */
export type PlaneRequest =
  /** Answer: true, or the refusal. */
  | {
    type: "configure";
    config: Config;
    deliveries: readonly Delivery[];
    opened: readonly BoundSocket[];
    closing: readonly BoundSocket[];
  }
  /** Loads `handlerParts`. Answer: true, or why not. */
  | { type: "load"; parts: readonly string[] }
  | { type: "retire" }
  /** Answered once queries are answered and client streams closed. */
  | { type: "drain" }
  | { type: "ask"; block: number; position: number; request: unknown }
  /** Answer: an `ExplainReply`. */
  | { type: "explain"; request: ExplainRequest }
  /** Answer: an `AskReply`, or null. */
  | { type: "query"; request: ExplainRequest }
  /** Null unless queries are observed. */
  | { type: "observe"; request: ObserveRequest }
  /** Counts what the kernel answered. Answer: true. */
  | { type: "collect" }
  | { type: "check"; plan: CheckPlan }
  /** Answer: a `ProfileResult`. */
  | { type: "profile"; action: ProfileAction };

/** Message to a running data plane. */
export type ControlMessage =
  | PlaneRequest & { id: number }
  | { type: "deliver" } & Delivery
  | { type: "serve"; sockets: BoundSocket[] }
  | { type: "lane"; lane: LaneState }
  | { type: "debug"; debug: boolean }
  | { type: "clients"; table: ArrayBuffer }
  /** Null: nothing is published any more. */
  | { type: "kernel"; maps: KernelMaps | null }
  | { type: "stop" }
  | { type: "fail"; how: "throw" | "hang" };

/** Change of configuration. */
export type Configure = ControlMessage & { type: "configure" };

/** One log line. */
export interface LogEntry {
  level: LogLevel;
  line: string;
  fields?: LogFields | undefined;
}

/** Message to the control plane. */
export type DataPlaneMessage =
  | { type: "ready" }
  | { type: "places"; places: CounterSeries[] }
  | { type: "unable"; error: string }
  | { type: "log"; lines: LogEntry[]; bytes: number; timeMs: number }
  | { type: "answered"; id: number; answer: unknown }
  | { type: "harm"; why: string }
  | { type: "unwritable"; list: string }
  | { type: "stopped" };
