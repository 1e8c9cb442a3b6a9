import { AF, SO, SOCK, SOL } from "./constants.ts";
import { lastErrorText, type Libc } from "./libc.ts";

/** Reads an integer option; null if the call fails. */
export function readOption(libc: Libc, fd: number, level: number, name: number): number | null {
  const value = new Int32Array(1);
  const size = new Uint32Array([value.byteLength]);
  return libc.getsockopt(fd, level, name, value, size) < 0 ? null : value[0]!;
}

/** Sets an integer option (default 1); returns success. */
export function setOption(libc: Libc, fd: number, level: number, name: number, value = 1): boolean {
  return libc.setsockopt(fd, level, name, new Int32Array([value]), 4) === 0;
}

/** Sets SO_MARK for iptables rules; returns success. */
export function markSocket(libc: Libc, fd: number, mark: number): boolean {
  return setOption(libc, fd, SOL.SOCKET, SO.MARK, mark);
}

/** Throws if this process may not set SO_MARK. */
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
