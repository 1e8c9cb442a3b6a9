/**
 * Asks a server on 127.0.0.1 for new names at a fixed rate, over UDP, once each, and prints the
 * outcomes.
 *
 *   deno run -A bench/failures/client.ts PORT RATE SECONDS
 *
 * Writes `started EPOCH_MS` after the first answer, and at the end a JSON array of
 * [ms sent since then, latency in ms or -1 for none, response code].
 */
import { Buffer } from "node:buffer";
import { createSocket } from "node:dgram";
import { CLIENT_TIMEOUT_MS, type Outcome, ZONE } from "./outcome.ts";

/** Uncounted initial queries. */
const WARM_UP = 200;
const WARM_UP_MS = 10_000;
const TICK_MS = 1;

const [port = 0, rate = 0, seconds = 0] = Deno.args.map(Number);
const socket = createSocket("udp4");
const outcomes: Outcome[] = [];
/** Queries in flight by id. */
const waiting = new Map<number, { index: number; sentMs: number }>();
/** Makes this run's names unique, hence uncached. */
const run = crypto.randomUUID().slice(0, 8);
/** Offset of the letter that distinguishes warm-up and run. */
const KIND_AT = 12 + 1 + run.length + 1;
const WARM_UP_KIND = "w".charCodeAt(0);
let warmedUp = 0;
let startMs = 0;

socket.on("message", (bytes: Uint8Array) => {
  const nowMs = performance.now();
  const id = bytes[0]! << 8 | bytes[1]!;
  const rcode = bytes[3]! & 15;
  if (bytes[KIND_AT] === WARM_UP_KIND) {
    if (rcode === 0) warmedUp++;
    return;
  }
  const query = waiting.get(id);
  if (query === undefined) return;
  waiting.delete(id);
  outcomes[query.index] = [query.sentMs - startMs, nowMs - query.sentMs, rcode];
});
socket.on("error", () => {}); // no server yet

await warmUp();
startMs = performance.now();
write(`started ${performance.timeOrigin + startMs}\n`);
await ask();
const limitMs = performance.now() + CLIENT_TIMEOUT_MS;
while (waiting.size > 0 && performance.now() < limitMs) await pause();
for (const { index, sentMs } of waiting.values()) outcomes[index] = [sentMs - startMs, -1, -1];
socket.close();
write(`${JSON.stringify(outcomes.map(([at, took, code]) => [round(at), round(took), code]))}\n`);

/** Waits for `WARM_UP` answers. */
async function warmUp(): Promise<void> {
  const giveUpMs = performance.now() + WARM_UP_MS;
  for (let i = 0; warmedUp < WARM_UP; i++) {
    if (performance.now() > giveUpMs) {
      throw new Error(`Cannot get ${WARM_UP} answers from port ${port} before the run begins`);
    }
    socket.send(query(`warm${i}`, i & 0xffff), port, "127.0.0.1");
    await pause();
  }
}

async function ask(): Promise<void> {
  const total = rate * seconds;
  for (let sent = 0; sent < total;) {
    const due = Math.min(total, Math.floor((performance.now() - startMs) / 1000 * rate) + 1);
    for (; sent < due; sent++) {
      const id = sent & 0xffff;
      waiting.set(id, { index: sent, sentMs: performance.now() });
      socket.send(query(`q${sent}`, id), port, "127.0.0.1");
    }
    await pause();
  }
}

function query(label: string, id: number): Buffer {
  const labels = [`${run}-${label}`, ...ZONE.split(".")];
  const qname = labels.flatMap((text) => [text.length, ...new TextEncoder().encode(text)]);
  return Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...qname, 0, 0, 1, 0, 1]);
}

function pause(): Promise<void> {
  return new Promise((wake) => setTimeout(wake, TICK_MS));
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function write(text: string): void {
  let bytes = new TextEncoder().encode(text);
  while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
}
