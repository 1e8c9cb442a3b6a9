import type { Clock } from "../../../base/clock.ts";
import type { SecureConnection } from "./connect.ts";

const LINGER_MS = 1000;
const LINGER_BYTES = 128 * 1024;
/** Lingering connections; descriptors come from `FILE_SHARES.process`. */
export const MAX_LINGERING = 4;

/** Functions that destroy them, oldest first. */
const lingering = new Map<SecureConnection["transport"], () => void>();

/** Closes gracefully, or at once if slow, with excess input, or beyond `MAX_LINGERING`. */
export function closeConnection({ socket, transport }: SecureConnection, clock: Clock): void {
  if (transport.destroyed || lingering.has(transport)) return;
  const forget = () => {
    cancel();
    lingering.delete(transport);
  };
  const destroy = () => {
    forget();
    socket.destroy();
    transport.destroy();
  };
  const cancel = clock.after(LINGER_MS, destroy);
  if (transport.paused) return destroy();
  if (lingering.size >= MAX_LINGERING) lingering.values().next().value!();
  lingering.set(transport, destroy);
  transport.once("close", forget);
  let left = LINGER_BYTES;
  // Drained to detect the peer's close.
  socket.on("data", (bytes: Uint8Array) => {
    if ((left -= bytes.length) < 0) destroy();
  });
  socket.resume();
  socket.end();
}
