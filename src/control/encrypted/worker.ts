/** The thread for TLS and HTTP/2 with upstreams. */
import { memoryUsage } from "node:process";
import { parentPort, workerData } from "node:worker_threads";
import { systemClock } from "../../base/clock.ts";
import { GarbageWatch } from "../../sys/garbage.ts";
import { openLibc } from "../../sys/libc.ts";
import { exceptionText, thrownBy } from "../exceptions.ts";
import { TlsLane } from "./lane.ts";
import {
  closedIndex,
  TLS_STAT,
  type TlsThreadCommand,
  type TlsThreadData,
  type TlsThreadReport,
} from "./messages.ts";
import { ByteBudget } from "./tls/byte_budget.ts";
import type { TlsContext } from "./tls/context.ts";
import { CredentialFiles } from "./tls/files.ts";
import { Refusals } from "./tls/refusals.ts";

/** Files and both handshakes; below the engine's limit, to report the reason. */
const HANDSHAKE_MS = 2500;
const BEAT_MS = 500;
const CERTIFICATES_MS = 5000;
const MAX_ERRORS = 16;
const ERRORS_MS = 60_000;
const ON_PURPOSE = "asked to fail";

const { stats, memory } = workerData as TlsThreadData;
const values = new Float64Array(stats);
const port = parentPort!;
const send = (report: TlsThreadReport): void => port.postMessage(report);
const garbage = new GarbageWatch(memory.garbageBytes);
let allocatedBytes = 0;
const context: TlsContext = {
  clock: systemClock,
  budget: new ByteBudget(memory.budgetBytes),
  files: new CredentialFiles(),
  refusals: new Refusals(systemClock),
  handshakeMs: HANDSHAKE_MS,
  count: (reason) => void values[closedIndex(reason)]!++,
  allocated: (sizeBytes) => garbage.look(allocatedBytes += sizeBytes),
};
const lanes = new Map<number, { lane: TlsLane; port: MessagePort }>();

function join({ id, link, wakeFd }: TlsThreadCommand & { type: "join" }): void {
  const one = new Uint8Array(new BigUint64Array([1n]).buffer);
  const libc = wakeFd < 0 ? null : openLibc();
  const wake = libc === null
    ? () => link.port.postMessage(0)
    : () => void libc.write(wakeFd, one, one.length);
  const lane = new TlsLane(link, { wake, context });
  link.port.onmessage = () => lane.receive();
  lanes.set(id, { lane, port: link.port });
  lane.receive();
}

function leave(id: number): void {
  const entry = lanes.get(id);
  entry?.lane.close();
  entry?.port.close();
  lanes.delete(id);
  send({ type: "left", id });
}

function fail(how: "throw" | "hang" | "exhaust"): void {
  setTimeout(() => {
    if (how === "hang") { for (;;); }
    if (how === "exhaust") { for (const all: object[] = [];;) all.push({ all }); }
    throw new Error(ON_PURPOSE);
  });
}

port.on("message", (command: TlsThreadCommand) => {
  switch (command.type) {
    case "join":
      return join(command);
    case "leave":
      return leave(command.id);
    case "memory":
      context.budget.limit = command.memory.budgetBytes;
      garbage.limitBytes = command.memory.garbageBytes;
      return beat();
    case "fail":
      return fail(command.how);
  }
});

let errors = 0;
/** One connection's fault must not end others. */
function survive(event: Event): void {
  const thrown = thrownBy(event);
  values[TLS_STAT.ERRORS]!++;
  if (++errors > MAX_ERRORS || (thrown as Error)?.message === ON_PURPOSE) return;
  event.preventDefault();
  const line = `unexpected exception in the TLS thread: ${exceptionText(thrown)}; continuing`;
  send({ type: "log", level: "error", line });
}
globalThis.addEventListener("error", survive);
globalThis.addEventListener("unhandledrejection", survive);
setInterval(() => errors = 0, ERRORS_MS);

function beat(): void {
  values[TLS_STAT.BEAT]!++;
  values[TLS_STAT.STREAMS] = [...lanes.values()].reduce((sum, { lane }) => sum + lane.size, 0);
  values[TLS_STAT.HELD_BYTES] = context.budget.used;
  values[TLS_STAT.LIMIT_BYTES] = context.budget.limit;
  values[TLS_STAT.HEAP_BYTES] = memoryUsage().heapTotal;
}
beat();
setInterval(beat, BEAT_MS);

async function checkCertificates(): Promise<void> {
  try {
    await Promise.all([...lanes.values()].map(({ lane }) => lane.checkCertificates()));
  } finally {
    setTimeout(checkCertificates, CERTIFICATES_MS);
  }
}
setTimeout(checkCertificates, CERTIFICATES_MS);
