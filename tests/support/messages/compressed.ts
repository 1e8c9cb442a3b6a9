import assert from "node:assert/strict";
import { readMessage, readName } from "./wire_model.ts";

/** Types of RFC 1035 section 3.3 with names in their data. */
const COMPRESSED = [2, 3, 4, 5, 6, 7, 8, 9, 12, 14, 15];
/** Up to this number of labels, a writer must remember all. */
const MANY_LABELS = 256;

/**
 * Throws unless compressible names are compressed as far as possible, others are not, and pointers
 * lead to labels of compressible names.
 */
export function assertCompressed(bytes: Uint8Array, where = ""): void {
  const places = new Map<string, number>();
  const learn = (at: number) => {
    const labels = [];
    for (let label = at; bytes[label]! > 0 && bytes[label]! < 0xc0; label += bytes[label]! + 1) {
      labels.push(label);
    }
    // Suffixes are remembered from the last label, so none if that is out of reach.
    if (labels.length === 0 || labels.at(-1)! >= 0x4000) return;
    for (const label of labels) {
      const key = readName(bytes, label).name;
      if (!places.has(key)) places.set(key, label);
    }
  };
  learn(12);
  readMessage(bytes, (at, type) => {
    const compressed = type === 0 || COMPRESSED.includes(type);
    for (let label = at; bytes[label] !== 0; label += bytes[label]! + 1) {
      const place = places.get(readName(bytes, label).name);
      if (bytes[label]! < 0xc0) {
        const missed = compressed && place !== undefined && places.size <= MANY_LABELS;
        assert.ok(!missed, `${where}: the name at ${at} could point to ${place}`);
        continue;
      }
      assert.ok(compressed, `${where}: the name at ${at}, of type ${type}, is compressed`);
      assert.equal(((bytes[label]! & 0x3f) << 8) | bytes[label + 1]!, place, `${where}: ${at}`);
      break;
    }
    if (compressed) learn(at);
  });
}
