/**
 * Steers new TCP connections to another process before this one closes its sockets. Without it, 20
 * roll-overs lost 73 of 20,000 connections.
 *
 * The kernel keeps an address's sockets in an array in the order of `listen` calls; the last
 * replaces a closed one. For every SYN a classic BPF program chooses an index; if that does not
 * exist, the kernel's hash decides. A stopping process comes first:
 *
 * ```
 *  own × OWN | others × OTHERS        program: one of [max(OWN, OTHERS), OWN + OTHERS)
 *  others × OTHERS                    after closing: the index does not exist; the hash chooses
 * ```
 *
 * In another order (three processes, or the older one continues) the program may choose a socket
 * that will be closed. A filter on it then drops SYNs, which clients repeat after a second (RFC
 * 6298). Some kernels (Linux 6.18) require NET_ADMIN for it, and else reset such connections.
 */
import { SO, SOL } from "../../sys/constants.ts";
import type { Libc } from "../../sys/libc.ts";

type Instruction = readonly [code: number, jt: number, jf: number, k: number];

/** Loads a random number (SKF_AD_OFF + SKF_AD_RANDOM). */
const RANDOM = 0xfffff000 + 56;
const TCP_FLAGS = 13;
const SYN = 0x02;
const SYN_ACK = 0x12;
const WHOLE = 0xffffffff;
const INSTRUCTION_SIZE = 8;
/** `struct sock_fprog` on 64-bit systems. */
const PROGRAM = { size: 16, pointer: 8 } as const;

/** False if the kernel refuses. */
export function steerAway(
  libc: Libc,
  fd: number,
  { own, others }: { own: number; others: number },
): boolean {
  const first = Math.max(own, others);
  // Load a random word, modulo, add, return it.
  return attach(libc, fd, SO.ATTACH_REUSEPORT_CBPF, [
    [0x20, 0, 0, RANDOM],
    [0x94, 0, 0, own + others - first],
    [0x04, 0, 0, first],
    [0x16, 0, 0, 0],
  ]);
}

/** False if the kernel refuses. */
export function dropSyns(libc: Libc, fd: number): boolean {
  // Load an octet, mask it, skip one unless equal; drop; keep.
  return attach(libc, fd, SO.ATTACH_FILTER, [
    [0x30, 0, 0, TCP_FLAGS],
    [0x54, 0, 0, SYN_ACK],
    [0x15, 0, 1, SYN],
    [0x06, 0, 0, 0],
    [0x06, 0, 0, WHOLE],
  ]);
}

function attach(libc: Libc, fd: number, option: number, program: readonly Instruction[]): boolean {
  const code = new DataView(new ArrayBuffer(INSTRUCTION_SIZE * program.length));
  program.forEach(([operation, jt, jf, k], i) => {
    const at = INSTRUCTION_SIZE * i;
    code.setUint16(at, operation, true);
    code.setUint8(at + 2, jt);
    code.setUint8(at + 3, jf);
    code.setUint32(at + 4, k, true);
  });
  const header = new DataView(new ArrayBuffer(PROGRAM.size));
  header.setUint16(0, program.length, true);
  const pointer = Deno.UnsafePointer.value(Deno.UnsafePointer.of(code));
  header.setBigUint64(PROGRAM.pointer, pointer, true);
  // Keeps `code` alive during the call.
  return libc.setsockopt(fd, SOL.SOCKET, option, header, PROGRAM.size) === 0 && code.byteLength > 0;
}
