import { Address, parseAddress } from "../../dns/address.ts";
import { answersProbe, probeQuery } from "../../engine/question/probe.ts";
import { AF, MSG, SOCK } from "../../sys/constants.ts";
import { lastErrorText, type Libc } from "../../sys/libc.ts";
import { markSocket } from "../../sys/mark.ts";
import { scopeIndex, SOCKADDR_SIZE, writeSockaddr } from "../../sys/sockaddr.ts";
import type { ProbeSocket, ProbeTarget } from "../probe_socket.ts";

/** Longest answer that is read; that of a listener of nodens is as long as the query. */
const ANSWER_SIZE = 512;

/**
 * Sends a probe query by the C library's calls: the runtime's own sockets cannot be marked. Throws
 * where this process may not mark sockets, which needs the capability NET_ADMIN.
 */
export function openLinuxProbe(libc: Libc, target: ProbeTarget): ProbeSocket | null {
  const address = socketAddress(libc, target);
  const domain = address.family === 4 ? AF.INET : AF.INET6;
  const fd = libc.socket(domain, SOCK.DGRAM | SOCK.NONBLOCK | SOCK.CLOEXEC, 0);
  if (fd < 0) return null;
  if (target.mark !== 0 && !markSocket(libc, fd, target.mark)) {
    const why = lastErrorText();
    libc.close(fd);
    throw new Error(`Cannot mark a socket: ${why} (nodens needs the capability NET_ADMIN)`);
  }
  const query = probeQuery(crypto.getRandomValues(new Uint16Array(1))[0]!);
  const name = new Uint8Array(SOCKADDR_SIZE);
  const sent = libc.connect(fd, name, writeSockaddr(address, name)) === 0 &&
    libc.send(fd, query, query.length, MSG.DONTWAIT | MSG.NOSIGNAL) === query.length;
  if (!sent) {
    libc.close(fd);
    return null;
  }
  const answer = new Uint8Array(ANSWER_SIZE);
  return {
    answered() {
      const length = libc.recv(fd, answer, answer.length, MSG.DONTWAIT);
      return length > 0 && answersProbe(answer.subarray(0, length), query);
    },
    close: () => void libc.close(fd),
  };
}

function socketAddress(libc: Libc, { address, port }: ProbeTarget): Address {
  const [text, scope] = address.split("%");
  const bytes = parseAddress(text!);
  if (bytes === null) throw new TypeError(`Cannot ask "${address}": it is no IP address`);
  const result = new Address();
  result.family = bytes.length === 4 ? 4 : 6;
  result.bytes.set(bytes);
  result.port = port;
  result.scope = scopeIndex(libc, scope ?? "");
  return result;
}
