import { copyWords } from "../../../engine/memory.ts";
import { type Arena, chunkOf, offsetOf } from "./arena.ts";
import { blockSize } from "./entry.ts";
import { ADDRESS, LENGTH, STRIDE } from "./row.ts";

/** Moves what the rows of a store have in a chunk of the arena into other chunks. */
export function moveEntries(rows: Int32Array, arena: Arena, chunk: number): void {
  for (let row = 0; row < rows.length; row += STRIDE) {
    const old = rows[row + ADDRESS]!;
    if (old === -1 || chunkOf(old) !== chunk) continue;
    const from = arena.memory(old);
    const size = blockSize(rows[row + LENGTH]!, from, offsetOf(old));
    const address = arena.allocate(size);
    copyWords(from, offsetOf(old), arena.memory(address), offsetOf(address), size);
    rows[row + ADDRESS] = address;
    arena.free(old >>> 0);
  }
}
