import { Memory } from "../../engine/memory.ts";
import { MMSGHDR } from "../../sys/constants.ts";
import { SOCKADDR_SIZE } from "../../sys/sockaddr.ts";

/** One IP_PKTINFO or IPV6_PKTINFO message. */
export const CONTROL_SIZE = 64;
const IOVEC_SIZE = 16;

/**
 * Array of `struct mmsghdr` with its buffers.
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
  readonly headers: Memory;
  readonly names: Memory;
  readonly data: Memory;
  readonly controls: Memory;
  readonly #vectors: Memory;

  constructor(count: number, slotSize: number) {
    this.headers = new Memory(count * MMSGHDR.size);
    this.names = new Memory(count * SOCKADDR_SIZE);
    this.data = new Memory(count * slotSize);
    this.controls = new Memory(count * CONTROL_SIZE);
    this.#vectors = new Memory(count * IOVEC_SIZE);
    const [names, data, controls, vectors] = [this.names, this.data, this.controls, this.#vectors]
      .map(({ bytes }) => Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes)));
    const { view } = this.headers;
    for (let i = 0; i < count; i++) {
      const at = i * MMSGHDR.size;
      view.setBigUint64(at + MMSGHDR.name, names! + BigInt(i * SOCKADDR_SIZE), true);
      view.setBigUint64(at + MMSGHDR.iov, vectors! + BigInt(i * IOVEC_SIZE), true);
      view.setBigUint64(at + MMSGHDR.iovLength, 1n, true);
      view.setBigUint64(at + MMSGHDR.control, controls! + BigInt(i * CONTROL_SIZE), true);
      this.#vectors.view.setBigUint64(i * IOVEC_SIZE, data! + BigInt(i * slotSize), true);
      this.setLength(i, slotSize);
      this.reset(i);
    }
  }

  /** Restores fields that the kernel has overwritten. */
  reset(row: number): void {
    this.setHeader(row, SOCKADDR_SIZE, CONTROL_SIZE);
    this.headers.view.setUint32(row * MMSGHDR.size + MMSGHDR.flags, 0, true);
  }

  setHeader(row: number, nameLength: number, controlLength: number): void {
    const { view } = this.headers;
    view.setUint32(row * MMSGHDR.size + MMSGHDR.nameLength, nameLength, true);
    view.setUint32(row * MMSGHDR.size + MMSGHDR.controlLength, controlLength, true);
  }

  controlLength(row: number): number {
    return this.headers.view.getUint32(row * MMSGHDR.size + MMSGHDR.controlLength, true);
  }

  setLength(row: number, length: number): void {
    this.#vectors.view.setUint32(row * IOVEC_SIZE + 8, length, true);
  }
}
