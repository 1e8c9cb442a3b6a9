/**
 * Leads new TCP connections to another process's listening sockets before one's own are closed, so
 * that none is refused or reset.
 *
 * Sockets that share an address are an array in the kernel, in the order in which they began to
 * listen; where one is closed the last takes its place. For every SYN a classic BPF program chooses
 * an index, and what is no index leaves the choice to the kernel's hash. A process that is told to
 * stop began first, so its sockets come first:
 *
 * ```
 *   own × OWN | others × OTHERS        program: one of [max(OWN, OTHERS), OWN + OTHERS)
 *   others × OTHERS                    after closing: no index any more, so the hash chooses
 * ```
 *
 * Where the order is another (three processes at once, or the older one is told to go on), the
 * program may choose a socket that is about to close. A filter at that socket drops SYNs then, which
 * clients send again after a second (RFC 6298): a delay, but no loss. The program needs no capability;
 * the filter needs NET_ADMIN on some kernels (Linux 6.18 among them), and without it such a connection
 * is reset.
 *
 * Closing without them loses the handshakes of that moment: 73 of 20,000
 * connections in 20 roll-overs, against none.
 */
import { SO, SOL } from "../../sys/constants.ts";
import type { Libc } from "../../sys/libc.ts";

/** Instructions of classic BPF: code, jump if true, jump if false, operand. */
type Instruction = readonly [code: number, jt: number, jf: number, k: number];

/** Load a word or an octet; arithmetic with a constant; compare; return. */
const BPF = {
  LOAD_WORD: 0x20,
  LOAD_BYTE: 0x30,
  ADD: 0x04,
  AND: 0x54,
  MODULO: 0x94,
  JUMP_EQUAL: 0x15,
  RETURN: 0x06,
  RETURN_A: 0x16,
} as const;
/** Load from here gives a random number (SKF_AD_OFF + SKF_AD_RANDOM). */
const RANDOM = 0xfffff000 + 56;
/** Where the flags of a TCP header lie, and those that tell a SYN from all else. */
const TCP_FLAGS = 13;
const SYN = 0x02;
const SYN_ACK = 0x12;
const WHOLE = 0xffffffff;
const INSTRUCTION_SIZE = 8;
/** Size of `struct sock_fprog` on 64-bit systems, and where its pointer lies. */
const PROGRAM = { size: 16, pointer: 8 } as const;

/**
 * Leads new connections to the other sockets of the address.
 *
 * @param fd - one of the own sockets
 * @param own - how many the process has at that address
 * @param others - how many others have
 * @returns whether the kernel took the program
 */
export function steerAway(
  libc: Libc,
  fd: number,
  { own, others }: { own: number; others: number },
): boolean {
  const first = Math.max(own, others);
  const program: Instruction[] = [
    [BPF.LOAD_WORD, 0, 0, RANDOM],
    [BPF.MODULO, 0, 0, own + others - first],
    [BPF.ADD, 0, 0, first],
    [BPF.RETURN_A, 0, 0, 0],
  ];
  return attach(libc, fd, SO.ATTACH_REUSEPORT_CBPF, program);
}

/**
 * Has a listening socket begin no more handshakes; those under way are finished.
 *
 * @returns whether the kernel took the filter
 */
export function dropSyns(libc: Libc, fd: number): boolean {
  const program: Instruction[] = [
    [BPF.LOAD_BYTE, 0, 0, TCP_FLAGS],
    [BPF.AND, 0, 0, SYN_ACK],
    [BPF.JUMP_EQUAL, 0, 1, SYN],
    [BPF.RETURN, 0, 0, 0],
    [BPF.RETURN, 0, 0, WHOLE],
  ];
  return attach(libc, fd, SO.ATTACH_FILTER, program);
}

function attach(libc: Libc, fd: number, option: number, program: readonly Instruction[]): boolean {
  const code = new Uint8Array(INSTRUCTION_SIZE * program.length);
  const words = new DataView(code.buffer);
  program.forEach(([operation, jt, jf, k], i) => {
    const at = INSTRUCTION_SIZE * i;
    words.setUint16(at, operation, true);
    words.setUint8(at + 2, jt);
    words.setUint8(at + 3, jf);
    words.setUint32(at + 4, k, true);
  });
  const header = new Uint8Array(PROGRAM.size);
  const view = new DataView(header.buffer);
  view.setUint16(0, program.length, true);
  const pointer = Deno.UnsafePointer.value(Deno.UnsafePointer.of(code));
  view.setBigUint64(PROGRAM.pointer, pointer, true);
  // `code` must live until the call is over.
  return libc.setsockopt(fd, SOL.SOCKET, option, header, header.length) === 0 && code.length > 0;
}
