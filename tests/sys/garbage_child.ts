/** Drops 400 MiB of buffers under a garbage watch; prints the process's growth in MB. */
import { Memory } from "../../src/engine/memory.ts";
import { GarbageWatch } from "../../src/sys/garbage.ts";
import { readKernelFile } from "../../src/sys/kernel_file.ts";

const ROUNDS = 400;
const MIB = 2 ** 20;

function anonymousMb(): number {
  const status = readKernelFile("/proc/self/status");
  return Number(/^RssAnon:\s+(\d+)/m.exec(status)![1]) / 1024;
}

const watch = new GarbageWatch(8 * MIB);
const beforeMb = anonymousMb();
let peakMb = beforeMb;
for (let round = 0; round < ROUNDS; round++) {
  const size = round % 2 === 0 ? 4096 : 128 * 1024;
  for (let bytes = 0; bytes < MIB; bytes += size) {
    new Memory(size).bytes.fill(1);
    watch.look(Memory.allocatedBytes);
  }
  if (round % 10 === 0) peakMb = Math.max(peakMb, anonymousMb());
}
Deno.stdout.writeSync(new TextEncoder().encode(`${Math.max(1, peakMb - beforeMb)}`));
