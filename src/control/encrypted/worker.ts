/**
 * The thread that speaks TLS and HTTP/2 with upstreams. It talks with the data planes directly; the
 * control plane only makes them known to each other, watches that it lives, and starts it again.
 */
import { memoryUsage } from "node:process";
import { parentPort, workerData } from "node:worker_threads";
import { GarbageWatch } from "../../sys/garbage.ts";
import { openLibc } from "../../sys/libc.ts";
import { ByteBudget } from "./tls/byte_budget.ts";
import type { TlsContext } from "./tls/context.ts";
import { CredentialFiles } from "./tls/files.ts";
import { TlsLane } from "./lane.ts";
import type { TlsThreadCommand, TlsThreadData, TlsThreadReport } from "./messages.ts";
import { Refusals } from "./tls/refusals.ts";
import { retireStale } from "./renewal.ts";
import { closedPlace, TLS_STAT } from "./stats.ts";

/**
 * Time for reading the files and for the TCP and TLS handshakes together; less than the engine waits,
 * so that it is told why.
 */
const HANDSHAKE_MS = 2500;
const BEAT_MS = 500;
/** How often is looked whether certificates have been replaced that open connections use. */
const CERTIFICATES_MS = 5000;
/** Exceptions within `ERRORS_MS` after which the thread is better started anew. */
const MAX_ERRORS = 16;
const ERRORS_MS = 60_000;
const ON_PURPOSE = "asked to fail";

const { stats, memory } = workerData as TlsThreadData;
const values = new Float64Array(stats);
const port = parentPort!;
const say = (report: TlsThreadReport): void => port.postMessage(report);
const budget = new ByteBudget(memory.budgetBytes);
const garbage = new GarbageWatch(memory.garbageBytes);
let allocatedBytes = 0;
const context: TlsContext = {
  budget,
  files: new CredentialFiles(),
  refusals: new Refusals(() => performance.now()),
  handshakeMs: HANDSHAKE_MS,
  count: (reason) => void values[closedPlace(reason)]!++,
  allocated: (sizeBytes) => garbage.look(allocatedBytes += sizeBytes),
};
/** Data planes, and how to let go of each. */
const lanes = new Map<number, { lane: TlsLane; end(): void }>();
const one = new Uint8Array(new BigUint64Array([1n]).buffer);
let errors = 0;

function join(command: TlsThreadCommand & { type: "join" }): void {
  const { id, link, wakeFd } = command;
  const libc = wakeFd < 0 ? null : openLibc();
  const wake = libc === null
    ? () => link.port.postMessage(0)
    : () => void libc.write(wakeFd, one, one.length);
  const lane = new TlsLane(link, { wake, context });
  link.port.onmessage = () => lane.receive();
  lanes.set(id, {
    lane,
    end() {
      lane.close();
      link.port.close();
    },
  });
  // Requests from before this thread ran.
  lane.receive();
}

port.on("message", (command: TlsThreadCommand) => {
  switch (command.type) {
    case "join":
      return join(command);
    case "leave":
      lanes.get(command.id)?.end();
      lanes.delete(command.id);
      return say({ type: "left", id: command.id });
    case "memory":
      budget.limit = command.memory.budgetBytes;
      garbage.limitBytes = command.memory.garbageBytes;
      return beat();
    case "fail":
      // Only ever asked for by tests of what the control plane does about it.
      setTimeout(() => {
        if (command.how === "hang") { for (;;); }
        if (command.how === "exhaust") { for (const all: object[] = [];;) all.push({ all }); }
        throw new Error(ON_PURPOSE);
      });
  }
});

/** Nothing that one connection brings about ends the others. */
function survive(event: Event): void {
  const { error, reason } = event as Partial<ErrorEvent & PromiseRejectionEvent>;
  const thrown: unknown = error ?? reason;
  values[TLS_STAT.ERRORS]!++;
  if (++errors > MAX_ERRORS || (thrown as Error)?.message === ON_PURPOSE) return;
  event.preventDefault();
  const place = /^\s+(at .*)$/m.exec((thrown as Error)?.stack ?? "")?.[1] ?? "";
  const line = `unexpected exception in the thread for TLS: ${thrown} (${place}); going on`;
  say({ type: "log", level: "error", line });
}
globalThis.addEventListener("error", survive);
globalThis.addEventListener("unhandledrejection", survive);
setInterval(() => errors = 0, ERRORS_MS);

/** Shows life, and how the thread is. */
function beat(): void {
  values[TLS_STAT.BEAT]!++;
  values[TLS_STAT.STREAMS] = [...lanes.values()].reduce((sum, { lane }) => sum + lane.size, 0);
  values[TLS_STAT.HELD] = budget.used;
  values[TLS_STAT.LIMIT] = budget.limit;
  values[TLS_STAT.HEAP] = memoryUsage().heapTotal;
}
// At once, as the control plane waits for it.
beat();
setInterval(beat, BEAT_MS);

/** One check at a time. */
async function checkCertificates(): Promise<void> {
  try {
    await retireStale(lanes, context.files);
  } finally {
    setTimeout(checkCertificates, CERTIFICATES_MS);
  }
}
setTimeout(checkCertificates, CERTIFICATES_MS);
