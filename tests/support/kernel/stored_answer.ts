import { KernelAnswer } from "../../../src/engine/kernel/table.ts";
import { Memory } from "../../../src/engine/memory.ts";
import { nameOctets } from "./packets.ts";
import { boottime } from "./program_rig.ts";

/** An answer as the cache stores it: the name in lower case, then the offsets of the TTLs. */
export function answerFor(
  name: string,
  { body, ttls }: { body: number[]; ttls: number[] },
): KernelAnswer {
  const answer = new KernelAnswer();
  const octets = nameOctets(name);
  const head = [0, 0, 0x81, 0x80, 0, 1, 0, ttls.length, 0, 0, 0, 0];
  const message = [...head, ...octets, 0, 1, 0, 1, ...body];
  const memory = new Memory(message.length + 1 + 2 * ttls.length);
  memory.bytes.set(message);
  const bodyAt = 12 + octets.length + 4;
  answer.ttlsAt = (message.length + 1) & ~1;
  ttls.forEach((at, i) => memory.view.setUint16(answer.ttlsAt + 2 * i, bodyAt + at, true));
  answer.memory = memory;
  answer.length = message.length;
  answer.ttlCount = ttls.length;
  answer.qtype = 1;
  answer.nameLength = octets.length;
  answer.flags = 0x8080;
  answer.limit = answer.payload = 1232;
  answer.expiresMs = answer.refreshMs = nowMs() + 60_000;
  return answer;
}

/** The engine's clock: CLOCK_BOOTTIME in milliseconds. */
export function nowMs(): number {
  return Number(boottime()) / 1e6;
}
