import type { Memory } from "../../engine/memory.ts";
import type { Inquiry } from "../message/inquiry.ts";
import { copyMessage, type Reply } from "../message/reply.ts";

/** An answer over UDP that is to be had whole over TCP, kept in case that fails. */
export class TruncatedAnswer {
  #memory: Memory | null = null;
  #length = 0;
  #subnetSent = false;

  /** Keeps a copy of the answer that `reply` describes. */
  keep({ memory, size, subnetSent }: Reply): void {
    this.#memory = copyMessage(memory, size);
    this.#length = size;
    this.#subnetSent = subnetSent;
  }

  /** Has `reply` describe the answer again. */
  restore(reply: Reply, inquiry: Inquiry): void {
    reply.read(this.#memory!, this.#length, inquiry);
    reply.subnetSent = this.#subnetSent;
  }

  /** Forgets the answer. */
  clear(): void {
    this.#memory = null;
  }
}
