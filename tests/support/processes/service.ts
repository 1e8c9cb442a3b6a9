/** A service manager's inherited sockets and notification socket. */
import assert from "node:assert/strict";
import { Address, parseAddress } from "../../../src/dns/address.ts";
import { openLibc } from "../../../src/sys/libc.ts";
import { withFolder } from "../run/folder.ts";
import { SOCKADDR_SIZE, writeSockaddr } from "../../../src/sys/sockaddr.ts";

/** Socket options; independent of the tested table. */
const KERNEL = { SOL_SOCKET: 1, REUSEPORT: 15, IPV6: 41, V6ONLY: 26 } as const;

export interface Opened {
  kind: "udp" | "tcp";
  host?: string;
  port: number;
  reusePort?: boolean;
  dual?: boolean;
}

/** Opens a socket as a service manager does: bound, listening, and inheritable. */
export function openBound({ kind, host = "127.0.0.1", port, reusePort, dual }: Opened): number {
  const libc = openLibc();
  const bytes = parseAddress(host)!;
  const family = bytes.length === 4 ? 4 : 6;
  const fd = libc.socket(family === 4 ? 2 : 10, kind === "udp" ? 2 : 1, 0);
  const set = (level: number, name: number, value: number) =>
    libc.setsockopt(fd, level, name, new Int32Array([value]), 4);
  if (reusePort) set(KERNEL.SOL_SOCKET, KERNEL.REUSEPORT, 1);
  if (family === 6) set(KERNEL.IPV6, KERNEL.V6ONLY, dual ? 0 : 1);
  const address = Object.assign(new Address(), { family, port });
  address.bytes.set(bytes);
  const name = new Uint8Array(SOCKADDR_SIZE);
  assert.equal(libc.bind(fd, name, writeSockaddr(address, name)), 0, `${host}:${port}`);
  if (kind === "tcp") assert.equal(libc.listen(fd, 5), 0);
  return fd;
}

/** Runs `use` with a service manager's notification socket. */
export async function receiving(
  use: (path: string, next: () => Promise<string>) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const path = `${folder}/notify`;
    const socket = Deno.listenDatagram({ transport: "unixpacket", path });
    const next = async () => new TextDecoder().decode((await socket.receive())[0]);
    await use(path, next).finally(() => socket.close());
  });
}
