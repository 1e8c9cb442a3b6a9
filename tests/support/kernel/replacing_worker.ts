/** Replaces one published answer again and again. */
import { KernelTable } from "../../../src/engine/kernel/table.ts";
import { type BpfArray, mapArray } from "../../../src/sys/bpf/bpf.ts";
import { SERVER } from "./packets.ts";
import { answerFor, nowMs } from "./stored_answer.ts";

export interface Replacing {
  maps: { conf: BpfArray; buckets: BpfArray; small: BpfArray; large: BpfArray };
  name: string;
  /** Two words: not 0 to stop; how often it was replaced. */
  shared: SharedArrayBuffer;
}

const PAUSE_MS = 1;
const scope = self as unknown as {
  onmessage: (event: MessageEvent<Replacing>) => void;
};

/** Records whose number and data tell the version. */
function versionOf(version: number): { body: number[]; ttls: number[] } {
  const octet = version & 255;
  const body: number[] = [];
  const ttls: number[] = [];
  for (let i = 0; i <= octet % 5; i++) {
    ttls.push(body.length + 6);
    body.push(0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 8, ...new Array(8).fill(octet));
  }
  return { body, ttls };
}

scope.onmessage = ({ data: { maps, name, shared } }) => {
  const words = new Int32Array(shared);
  const [conf, buckets, small, large] = [maps.conf, maps.buckets, maps.small, maps.large]
    .map((map) => mapArray(map).memory) as [ArrayBuffer, ArrayBuffer, ArrayBuffer, ArrayBuffer];
  const table = new KernelTable({ conf, buckets, small, large }, 7, nowMs());
  table.setEndpoints([{ family: 4, bytes: new Uint8Array(SERVER[4]), port: 53 }]);
  table.aliveUntilMs = nowMs() + 600_000;
  const answers = Array.from({ length: 256 }, (_, version) => answerFor(name, versionOf(version)));
  let last = -1;
  while (Atomics.load(words, 0) === 0) {
    const index = table.put(answers[words[1]! & 255]!, nowMs());
    if (index < 0) {
      Atomics.wait(words, 0, 0, PAUSE_MS);
      continue;
    }
    if (last >= 0) table.remove(last, nowMs());
    last = index;
    Atomics.add(words, 1, 1);
  }
};
