import { Address, canonicalAddress } from "../../../dns/address.ts";
import { AF, SO, SOL, TCP } from "../../../sys/constants.ts";
import type { Libc } from "../../../sys/libc.ts";
import { readSockaddr, SOCKADDR_SIZE } from "../../../sys/sockaddr.ts";

/** Doubled by the kernel; the default is 4 MiB. */
const SEND_BYTES = 16_384;
/** Then unacknowledged data is dropped, even after close. */
const UNTAKEN_MS = 3000;
/** New sockets get the lowest free number. */
const MAX_DESCRIPTOR = 65_536;

/** Bounds kernel memory of connections; returns whether the listener was found. */
export function boundKernelBuffers(libc: Libc, listening: Deno.NetAddr): boolean {
  const name = new Uint8Array(SOCKADDR_SIZE);
  const view = new DataView(name.buffer);
  const address = new Address();
  const value = new Int32Array(1);
  const size = new Uint32Array(1);
  const read = (fd: number, option: number) => {
    size[0] = 4;
    return libc.getsockopt(fd, SOL.SOCKET, option, value, size) === 0 ? value[0]! : -1;
  };
  for (let fd = 0; fd < MAX_DESCRIPTOR; fd++) {
    if (read(fd, SO.ACCEPTCONN) !== 1 || read(fd, SO.SNDBUF) === 2 * SEND_BYTES) continue;
    size[0] = SOCKADDR_SIZE;
    if (libc.getsockname(fd, name, size) !== 0) continue;
    const family = view.getUint16(0, true);
    if (family !== AF.INET && family !== AF.INET6) continue;
    readSockaddr(view, 0, address);
    if (address.port !== listening.port) continue;
    if (address.hostname() !== canonicalAddress(listening.hostname)) continue;
    libc.setsockopt(fd, SOL.SOCKET, SO.SNDBUF, new Int32Array([SEND_BYTES]), 4);
    libc.setsockopt(fd, SOL.TCP, TCP.USER_TIMEOUT, new Int32Array([UNTAKEN_MS]), 4);
    return true;
  }
  return false;
}
