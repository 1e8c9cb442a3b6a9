import { Address, parseAddress } from "../dns/address.ts";
import type { QueryTarget } from "./dns_client.ts";
import { probeQuery } from "./probe_query.ts";
import { AF, MSG, SOCK } from "../sys/constants.ts";
import { lastErrorText, type Libc } from "../sys/libc.ts";
import { markSocket } from "../sys/mark.ts";
import { SOCKADDR_SIZE, writeSockaddr } from "../sys/sockaddr.ts";

/** Pauses between two looks for the answer: it is there within a fraction of a millisecond. */
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 32;

/**
 * Asks a listener of nodens whether it answers, from a socket with a mark, by which the rules let
 * the query reach nodens even while they turn everybody else's away.
 *
 * The runtime's own sockets cannot be marked, hence the C library's; nothing here blocks. Throws
 * where sockets cannot be marked, which needs the capability NET_ADMIN.
 */
export async function askMarked(
  libc: Libc,
  target: QueryTarget,
  { mark, timeoutMs }: { mark: number; timeoutMs: number },
): Promise<boolean> {
  const address = socketAddress(target);
  const domain = address.family === 4 ? AF.INET : AF.INET6;
  const fd = libc.socket(domain, SOCK.DGRAM | SOCK.NONBLOCK | SOCK.CLOEXEC, 0);
  if (fd < 0) return false;
  try {
    if (!markSocket(libc, fd, mark)) {
      throw new Error(
        `Cannot mark a socket: ${lastErrorText()} (nodens needs the capability NET_ADMIN)`,
      );
    }
    const name = new Uint8Array(SOCKADDR_SIZE);
    if (libc.connect(fd, name, writeSockaddr(address, name)) < 0) return false;
    const query = probeQuery();
    if (libc.send(fd, query, query.length, MSG.DONTWAIT | MSG.NOSIGNAL) < 0) return false;
    return await answered(libc, { fd, query, deadlineMs: performance.now() + timeoutMs });
  } finally {
    libc.close(fd);
  }
}

async function answered(
  libc: Libc,
  { fd, query, deadlineMs }: { fd: number; query: Uint8Array; deadlineMs: number },
): Promise<boolean> {
  const reply = new Uint8Array(512);
  for (let pauseMs = FIRST_PAUSE_MS;; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    const length = libc.recv(fd, reply, reply.length, MSG.DONTWAIT);
    if (length >= 12 && reply[0] === query[0] && reply[1] === query[1]) return true;
    if (performance.now() >= deadlineMs) return false;
  }
}

function socketAddress({ address, port }: QueryTarget): Address {
  const bytes = parseAddress(address);
  if (bytes === null) throw new TypeError(`Cannot ask "${address}": it is no IP address`);
  const result = new Address();
  result.family = bytes.length === 4 ? 4 : 6;
  result.bytes.set(bytes);
  result.port = port;
  return result;
}
