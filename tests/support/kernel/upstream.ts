/** An upstream on a thread of its own, so that it answers while the test is busy. */
import { answerTo } from "./answers.ts";
import { inside } from "./inside.ts";

/** Where it listens in its namespace. */
export const UPSTREAM = { hostname: "127.0.0.1", port: 5300 } as const;

/** Numbers that the threads share. */
const SHARED = { EPOCH: 0, ASKED: 1, size: 2 } as const;

interface Start {
  namespace: string;
  shared: SharedArrayBuffer;
}

/** The upstream of a rig. */
export class Upstream {
  readonly #worker = new Worker(import.meta.url, { type: "module" });
  readonly #shared = new Int32Array(new SharedArrayBuffer(4 * SHARED.size));

  /** Starts it; resolves when it listens. */
  async start(namespace: string): Promise<void> {
    const listens = Promise.withResolvers<void>();
    this.#worker.onmessage = () => listens.resolve();
    this.#worker.onerror = (event) => listens.reject(new Error(event.message));
    const shared = this.#shared.buffer as SharedArrayBuffer;
    this.#worker.postMessage({ namespace, shared } satisfies Start);
    await listens.promise;
  }

  /** On which the data of all names depend. */
  get epoch(): number {
    return Atomics.load(this.#shared, SHARED.EPOCH);
  }

  set epoch(epoch: number) {
    Atomics.store(this.#shared, SHARED.EPOCH, epoch);
  }

  /** Number of queries that it got. */
  get asked(): number {
    return Atomics.load(this.#shared, SHARED.ASKED);
  }

  stop(): void {
    this.#worker.terminate();
  }
}

const scope = globalThis as unknown as {
  onmessage: ((event: MessageEvent<Start>) => void) | null;
  postMessage?: (message: null) => void;
};
// In the thread alone.
if ("WorkerGlobalScope" in globalThis) {
  scope.onmessage = async ({ data: { namespace, shared } }) => {
    const numbers = new Int32Array(shared);
    const given = new Map<string, number>();
    const socket = inside(
      namespace,
      () => Deno.listenDatagram({ transport: "udp", ...UPSTREAM }),
    );
    scope.postMessage!(null);
    for await (const [message, from] of socket) {
      Atomics.add(numbers, SHARED.ASKED, 1);
      const epoch = Atomics.load(numbers, SHARED.EPOCH);
      const answer = answerTo(message, { epoch, given });
      if (answer !== null) await socket.send(answer, from).catch(() => {});
    }
  };
}
