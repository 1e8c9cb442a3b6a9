import { AF, SO, SOCK, SOL } from "./constants.ts";
import { lastErrorText, type Libc } from "./libc.ts";

/** Gives what a socket sends a mark (SO_MARK), by which iptables rules know it; false if it may not. */
export function markSocket(libc: Libc, fd: number, mark: number): boolean {
  const value = new Uint8Array(new Uint32Array([mark]).buffer);
  return libc.setsockopt(fd, SOL.SOCKET, SO.MARK, value, value.length) === 0;
}

/** Throws if this process may not mark sockets. */
export function requireMarks(libc: Libc, mark: number): void {
  const fd = libc.socket(AF.INET, SOCK.DGRAM | SOCK.CLOEXEC, 0);
  const marked = fd >= 0 && markSocket(libc, fd, mark);
  const why = marked ? "" : lastErrorText();
  if (fd >= 0) libc.close(fd);
  if (marked) return;
  throw new Error(
    `Cannot mark sockets with ${mark}: ${why} (nodens needs the capability NET_ADMIN for that)`,
  );
}
