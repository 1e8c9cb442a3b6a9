import type { LaneEndpoint } from "../../../io/lane_link.ts";
import type { SecureConnection } from "./connect.ts";
import { explainBreak, isRefusal } from "./failure.ts";
import { closeConnection } from "./goodbye.ts";

/** What a carrier does about the end of its connection. */
export interface ConnectionEnds {
  /** Whether the peer has sent anything. */
  answered(): boolean;
  /**
   * The connection has broken. There may be several errors.
   *
   * @param alert - the peer says itself that the two sides do not fit together
   */
  failed(why: string, alert: boolean): void;
  /** The connection is gone. May be called twice. */
  closed(): void;
}

/** Follows how a connection ends, at the TLS socket and below. */
export function watchEnds(
  connection: SecureConnection,
  endpoint: LaneEndpoint,
  ends: ConnectionEnds,
): void {
  const { socket, transport } = connection;
  // Not reported as an end of its own: the error behind it may say why (a certificate is missing).
  socket.on("end", () => closeConnection(connection));
  const failed = (error: Error) =>
    ends.failed(explainBreak(error, endpoint, ends.answered()), isRefusal(error));
  socket.on("error", failed);
  transport.on("error", failed);
  socket.on("close", () => ends.closed());
  // Later than what the TLS socket may still have to say.
  transport.on("close", () => setImmediate(() => ends.closed()));
}
