import { Memory } from "../../engine/memory.ts";
import { MMSGHDR } from "../../sys/constants.ts";
import { SOCKADDR_SIZE } from "../../sys/sockaddr.ts";

/** Room for one IP_PKTINFO or IPV6_PKTINFO control message, in whole words. */
export const CONTROL_SIZE = 64;

/**
 * An array of `struct mmsghdr` with everything that it points to, for recvmmsg and sendmmsg.
 *
 * ```
 *  headers  | mmsghdr 0 | mmsghdr 1 | ...   each points to its row of:
 *  names    | sockaddr, 32 bytes | ...
 *  vectors  | iovec, 16 bytes | ...         which points to:
 *  data     | slot of `slotSize` bytes | ...
 *  controls | control message, 64 bytes | ...
 * ```
 */
export class MessageBatch {
  readonly count: number;
  readonly slotSize: number;
  readonly headers: Memory;
  readonly names: Memory;
  readonly data: Memory;
  readonly controls: Memory;
  readonly #vectors: Memory;

  constructor(count: number, slotSize: number) {
    this.count = count;
    this.slotSize = slotSize;
    this.headers = new Memory(count * MMSGHDR.size);
    this.names = new Memory(count * SOCKADDR_SIZE);
    this.data = new Memory(count * slotSize);
    this.controls = new Memory(count * CONTROL_SIZE);
    this.#vectors = new Memory(count * 16);
    const names = addressOf(this.names);
    const data = addressOf(this.data);
    const controls = addressOf(this.controls);
    const vectors = addressOf(this.#vectors);
    const { view } = this.headers;
    for (let i = 0; i < count; i++) {
      const at = i * MMSGHDR.size;
      view.setBigUint64(at + MMSGHDR.name, names + BigInt(i * SOCKADDR_SIZE), true);
      view.setBigUint64(at + MMSGHDR.iov, vectors + BigInt(i * 16), true);
      view.setBigUint64(at + MMSGHDR.iovLength, 1n, true);
      view.setBigUint64(at + MMSGHDR.control, controls + BigInt(i * CONTROL_SIZE), true);
      this.#vectors.view.setBigUint64(i * 16, data + BigInt(i * slotSize), true);
      this.setLength(i, slotSize);
      this.reset(i);
    }
  }

  /** Makes a row ready to receive again: the kernel overwrites these fields. */
  reset(row: number): void {
    const { view } = this.headers;
    const at = row * MMSGHDR.size;
    view.setUint32(at + MMSGHDR.nameLength, SOCKADDR_SIZE, true);
    view.setUint32(at + MMSGHDR.controlLength, CONTROL_SIZE, true);
    view.setUint32(at + MMSGHDR.flags, 0, true);
  }

  /** Bytes to send from a row, or to receive into it. */
  setLength(row: number, length: number): void {
    this.#vectors.view.setUint32(row * 16 + 8, length, true);
  }
}

function addressOf(memory: Memory): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(memory.bytes));
}
