import { openLibc } from "../../../src/sys/libc.ts";
import { inside } from "./inside.ts";

/** From linux/sockios.h and linux/ethtool.h. */
const SIOCETHTOOL = 0x8946;
const ETHTOOL_STXCSUM = 0x17;
const [AF_INET, SOCK_DGRAM] = [2, 2];
const IFNAMSIZ = 16;

/** Lets an interface leave checksums of what it sends to its peer, or compute them. */
export function setChecksumOffload(namespace: string, device: string, on: boolean): void {
  const libc = openLibc();
  const value = new Uint32Array([ETHTOOL_STXCSUM, on ? 1 : 0]);
  const request = new Uint8Array(40);
  request.set(new TextEncoder().encode(device));
  const pointer = Deno.UnsafePointer.value(Deno.UnsafePointer.of(value));
  new DataView(request.buffer).setBigUint64(IFNAMSIZ, BigInt(pointer), true);
  const result = inside(namespace, () => {
    const socket = libc.socket(AF_INET, SOCK_DGRAM, 0);
    try {
      return libc.ioctl(socket, SIOCETHTOOL, request);
    } finally {
      libc.close(socket);
    }
  });
  if (result !== 0) throw new Error(`Cannot change the checksums of ${device} in ${namespace}`);
}
