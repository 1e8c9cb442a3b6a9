import { AF, SO, SOL, TCP_USER_TIMEOUT } from "../../sys/constants.ts";
import type { Libc } from "../../sys/libc.ts";
import { SOCKADDR_SIZE } from "../../sys/sockaddr.ts";

/**
 * Octets of answers that the kernel keeps for a client that does not read; it takes twice the number,
 * for what it needs beside. Left alone, it would keep four mebibytes a connection.
 */
const SEND_BYTES = 16_384;
/** Time after which the kernel gives up what a client does not take, also once it is closed here. */
const UNTAKEN_MS = 3000;
/** Descriptors that are looked at for listening sockets; they get the lowest free numbers. */
const MAX_DESCRIPTOR = 65_536;

/**
 * Bounds what the kernel keeps for connections to the listening sockets of a port, which inherit
 * these options. The runtime does not say which descriptors its sockets have, so they are looked for.
 *
 * @returns how many listening sockets were found
 */
export function boundKernelBuffers(libc: Libc, port: number): number {
  const name = new Uint8Array(SOCKADDR_SIZE);
  const value = new Int32Array(1);
  const size = new Uint32Array(1);
  const sendBytes = new Int32Array([SEND_BYTES]);
  const untakenMs = new Int32Array([UNTAKEN_MS]);
  let found = 0;
  for (let fd = 0; fd < MAX_DESCRIPTOR; fd++) {
    size[0] = 4;
    const asked = libc.getsockopt(fd, SOL.SOCKET, SO.ACCEPTCONN, value, size);
    if (asked !== 0 || value[0] !== 1) continue;
    size[0] = SOCKADDR_SIZE;
    if (libc.getsockname(fd, name, size) !== 0) continue;
    const family = name[0]! | (name[1]! << 8);
    const inet = family === AF.INET || family === AF.INET6;
    if (!inet || ((name[2]! << 8) | name[3]!) !== port) continue;
    libc.setsockopt(fd, SOL.SOCKET, SO.SNDBUF, sendBytes, 4);
    libc.setsockopt(fd, SOL.TCP, TCP_USER_TIMEOUT, untakenMs, 4);
    found++;
  }
  return found;
}
