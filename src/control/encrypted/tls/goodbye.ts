import type { SecureConnection } from "./connect.ts";

/** Time that the peer is given to take what is left and to say goodbye. */
const LINGER_MS = 1000;
/** Octets that may still come meanwhile: answers that were under way. */
const LINGER_BYTES = 128 * 1024;
/**
 * Connections that may linger, beside those in use: their descriptors are of those that the process
 * keeps for itself (`FILE_SHARES.process`).
 */
export const MAX_LINGERING = 4;

/** Lingering connections, oldest first, and how to end each. */
const lingering = new Map<SecureConnection["transport"], () => void>();

/**
 * Ends a connection: politely, but for good after a while, where the peer goes on sending, or where
 * others linger as well and it does for longest. One that is not read from, because more came than
 * could be taken, ends at once.
 */
export function closeConnection({ socket, transport }: SecureConnection): void {
  if (transport.destroyed || lingering.has(transport)) return;
  const forget = () => {
    clearTimeout(timer);
    lingering.delete(transport);
  };
  const destroy = () => {
    forget();
    socket.destroy();
    transport.destroy();
  };
  const timer = setTimeout(destroy, LINGER_MS);
  if (transport.held) {
    destroy();
    return;
  }
  for (const destroyOldest of lingering.values()) {
    if (lingering.size < MAX_LINGERING) break;
    destroyOldest();
  }
  lingering.set(transport, destroy);
  transport.once("close", forget);
  let left = LINGER_BYTES;
  // Further input is discarded, so that the peer's close is seen.
  socket.on("data", (bytes: Uint8Array) => {
    if ((left -= bytes.length) < 0) destroy();
  });
  socket.resume();
  socket.end();
}
