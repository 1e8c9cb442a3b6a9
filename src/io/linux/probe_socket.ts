import { answersProbe, probeQuery } from "../../engine/question/probe.ts";
import { MSG, SOCK } from "../../sys/constants.ts";
import { lastErrorText, type Libc } from "../../sys/libc.ts";
import { markSocket } from "../../sys/socket_options.ts";
import { openSocket, parseSocketAddress, sockaddrOf } from "../../sys/sockaddr.ts";
import type { ProbeSocket, ProbeTarget } from "../check_plan.ts";

/** As long as the query. */
const ANSWER_SIZE = 512;

/** Throws without the right to mark it. */
export function openLinuxProbe(libc: Libc, target: ProbeTarget): ProbeSocket | null {
  const address = parseSocketAddress(libc, target.address, target.port);
  if (address === null) throw new TypeError(`Cannot ask "${target.address}": not an IP address`);
  const fd = openSocket(libc, address, SOCK.DGRAM);
  if (fd < 0) return null;
  if (target.mark !== 0 && !markSocket(libc, fd, target.mark)) {
    const why = lastErrorText();
    libc.close(fd);
    throw new Error(`Cannot mark a socket: ${why} (nodens needs the capability NET_ADMIN)`);
  }
  const query = probeQuery(crypto.getRandomValues(new Uint16Array(1))[0]!);
  const name = sockaddrOf(address);
  const sent = libc.connect(fd, name, name.length) === 0 &&
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
