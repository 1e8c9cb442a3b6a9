import type { SecureConnection } from "./tls_connect.ts";

/** Time that the peer is given to take what is left and to say goodbye. */
const LINGER_MS = 1000;
/** Octets that may still come meanwhile: answers that were under way. */
const LINGER_BYTES = 128 * 1024;

/**
 * Ends a connection: politely, but for good after a while or where the peer goes on sending. One that
 * is not read from, because more came than could be taken, ends at once.
 */
export function closeConnection({ socket, transport }: SecureConnection): void {
  if (transport.destroyed || closing.has(transport)) return;
  closing.add(transport);
  const destroy = () => {
    socket.destroy();
    transport.destroy();
  };
  if (transport.held) {
    destroy();
    return;
  }
  const timer = setTimeout(destroy, LINGER_MS);
  transport.once("close", () => clearTimeout(timer));
  let left = LINGER_BYTES;
  // What still comes is thrown away, so that the peer's goodbye is seen.
  socket.on("data", (bytes: Uint8Array) => {
    if ((left -= bytes.length) < 0) destroy();
  });
  socket.resume();
  socket.end();
}

/** Connections that are being closed. */
const closing = new WeakSet<object>();
