/**
 * Enlarges the table of descriptors in a separate process; prints how many were open before and
 * after, and the wanted and actual size.
 */
import { reserveDescriptors } from "../../src/sys/descriptor_limit.ts";
import { openLibc } from "../../src/sys/libc.ts";

const open = () => [...Deno.readDirSync("/proc/self/fd")].length;
const size = () =>
  Number(/^FDSize:\s+(\d+)$/m.exec(Deno.readTextFileSync("/proc/self/status"))![1]);

const libc = openLibc();
const [before, wanted] = [open(), 4 * size()];
await reserveDescriptors(libc, wanted);
const given = size();
await reserveDescriptors(libc, 2 ** 31 - 1);
const found = { before, after: open(), wanted, given };
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(found)));
