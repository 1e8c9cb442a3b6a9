import type { InheritedSource } from "../../io/sockets.ts";
import type { Config } from "../../config/types.ts";
import type { LogFields, LogLevel } from "../../engine/handler.ts";
import type { FileShares } from "../../io/file_shares.ts";
import type { Delivery } from "../../plugins/companion.ts";
import type { TlsThread } from "../encrypted/thread.ts";
import type { DriverKind } from "./messages.ts";

/** How a data plane is run. */
export interface DataPlaneOptions {
  driver: DriverKind;
  /** Sockets that the process was started with; default: none. */
  inherited?: InheritedSource | null;
  /** `timeMs` is when, in milliseconds since 1970, where that was not just now. */
  log: (level: LogLevel, line: string, fields?: LogFields, timeMs?: number) => void;
  /** The log takes the values of a line as well; default: it does not. */
  logsFields?: boolean;
  /**
   * SO_MARK of what the linux driver sends to upstreams over UDP and TCP (not TLS, whose sockets are
   * the runtime's); needs the capability NET_ADMIN. Default: none.
   */
  mark?: number;
  /** What it may have open; default: all that this process may. */
  files?: FileShares;
  /** The data plane is dead and cannot be brought back: the process must end. */
  onDead: (why: string) => void;
  /** A handler has found that serving on may do harm; the log says the rest. */
  onHarm?: (why: string) => void;
  /**
   * Makes the buffers anew that went to a dead thread, for the one that takes its place and serves
   * this configuration.
   */
  refill?: (config: Config) => Promise<readonly Delivery[]>;
  /** Shared by the data planes of a process (`SHARED_BYTES`); default: memory of its own. */
  shared?: SharedArrayBuffer;
  /** Carries encrypted streams, of all data planes; default: there are none. */
  tls?: TlsThread;
}
