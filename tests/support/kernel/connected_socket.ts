import { Address, parseAddress } from "../../../src/dns/address.ts";
import { lastErrorText, openLibc } from "../../../src/sys/libc.ts";
import { readLocalAddress, sockaddrOf } from "../../../src/sys/sockaddr.ts";

/** A socket that is connected to its server, like those of most resolvers; the runtime has none. */
export function connectedSocket(server: string, port: number): Deno.DatagramConn {
  const libc = openLibc();
  const to = addressOf(server, port);
  const hostname = to.family === 6 ? "::" : "0.0.0.0";
  const before = socketsOf();
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  const own = (socket.addr as Deno.NetAddr).port;
  const fd = [...socketsOf().difference(before)].map((name) => Number(name.split(" ")[0]))
    .find((fd) => readLocalAddress(libc, fd)?.port === own);
  const bytes = sockaddrOf(to);
  if (fd === undefined || libc.connect(fd, bytes, bytes.length) < 0) {
    throw new Error(`Cannot connect a socket to ${server}: ${lastErrorText()}`);
  }
  return socket;
}

function addressOf(text: string, port: number): Address {
  const address = new Address();
  const bytes = parseAddress(text)!;
  address.family = bytes.length === 4 ? 4 : 6;
  address.bytes.set(bytes);
  address.port = port;
  return address;
}

/** Descriptors and inodes: numbers are used again. */
function socketsOf(): Set<string> {
  const names = [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => name);
  return new Set(names.map((name) => `${name} ${inodeOf(name)}`));
}

function inodeOf(descriptor: string): string {
  try {
    return Deno.readLinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return "";
  }
}
