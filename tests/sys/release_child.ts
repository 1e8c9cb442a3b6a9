/** Releases memory three times with work in between; prints its file-backed pages in MB. */
import { readKernelFile } from "../../src/sys/kernel_file.ts";
import { releaseMemory } from "../../src/sys/memory.ts";

function filesMb(): number {
  const status = readKernelFile("/proc/self/status");
  return Number(/^RssFile:\s+(\d+)/m.exec(status)![1]) / 1024;
}

const beforeMb = filesMb();
for (let round = 0; round < 3; round++) {
  releaseMemory();
  const text = JSON.stringify(Array.from({ length: 1000 }, (_, i) => ({ i, text: `${i}` })));
  if (JSON.parse(text).length !== 1000 || !/"text":"999"/.test(text)) Deno.exit(1);
  await new Promise((resolve) => setTimeout(resolve, 1));
}
releaseMemory();
const afterMb = filesMb();
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify({ beforeMb, afterMb })));
