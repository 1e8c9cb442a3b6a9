import type { Cancel, Clock } from "../../base/clock.ts";
import type { Config } from "../../config/types.ts";
import type { Libc } from "../../sys/libc.ts";
import type { Configure, ControlMessage, PlaneRequest } from "./messages.ts";

/** A later timer means that this thread is late, ... */
const LATE_MS = 100;
/** ... and an answer may be queued: it gets this much longer. */
const GRACE_MS = 100;
const ONE = new Uint8Array(new BigUint64Array([1n]).buffer);

/** Connection to a data plane's thread. */
export class PlanePort {
  wakeFd = -1;
  readonly #libc: Libc | null;
  readonly #clock: Clock;
  #port: MessagePort | null = null;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #lastId = 0;

  constructor(libc: Libc | null, clock: Clock) {
    this.#libc = libc;
    this.#clock = clock;
  }

  connect(): MessagePort {
    // The last thread may have left announcements, whose messages went with it.
    this.#libc?.read(this.wakeFd, new Uint8Array(ONE.length), ONE.length);
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    return port2;
  }

  disconnect(): void {
    this.#port?.close();
    this.#port = null;
    for (const { reject } of this.#waiting.values()) reject(new Error("the data plane has ended"));
  }

  send(message: ControlMessage, transfer: Transferable[] = []): void {
    if (this.#port === null) return;
    postToPlane(this.#port, message, transfer);
    this.#libc?.write(this.wakeFd, ONE, ONE.length);
  }

  async request(
    request: PlaneRequest,
    limitMs: number,
    transfer: ArrayBuffer[] = [],
  ): Promise<unknown> {
    if (this.#port === null) throw new Error("the data plane does not run");
    const clock = this.#clock;
    const id = ++this.#lastId;
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(id, answer);
    const expire = () =>
      answer.reject(new Error(`the data plane has not answered within ${limitMs} ms`));
    const dueMs = clock.now() + limitMs;
    let cancel: Cancel = clock.after(limitMs, () => {
      if (clock.now() < dueMs + LATE_MS) expire();
      else cancel = clock.after(GRACE_MS, expire);
    });
    try {
      this.send({ ...request, id }, transfer);
      return await answer.promise;
    } finally {
      cancel();
      this.#waiting.delete(id);
    }
  }

  answered(id: number, answer: unknown): void {
    this.#waiting.get(id)?.resolve(answer);
  }
}

/** Message in transit; configuration as text. */
export type PostedMessage =
  | Exclude<ControlMessage, Configure>
  | Omit<Configure, "config"> & { config: string };

/**
 * Sends a message; reading it stops the data plane: 0.5 s for 3,000 server blocks, 5 s for 16 MiB
 * of typed arrays, which throw a TypeError. Buffers and text are fast.
 */
export function postToPlane(
  port: Pick<MessagePort, "postMessage">,
  message: ControlMessage,
  transfer: Transferable[] = [],
): void {
  const posted: PostedMessage = message.type === "configure"
    ? { ...message, config: JSON.stringify(message.config) }
    : message;
  refuseViews(posted);
  port.postMessage(posted, transfer);
}

/** Reverses `postToPlane`. */
export function readPosted(posted: PostedMessage): ControlMessage {
  return posted.type === "configure"
    ? { ...posted, config: JSON.parse(posted.config) as Config }
    : posted;
}

/** Returns a function that waits for the next message. */
export function messagesOf(port: MessagePort): () => Promise<ControlMessage> {
  const messages: PostedMessage[] = [];
  let wake = () => {};
  port.onmessage = ({ data }: MessageEvent<PostedMessage>) => {
    messages.push(data);
    wake();
  };
  return async () => {
    while (messages.length === 0) await new Promise<void>((resolve) => wake = resolve);
    return readPosted(messages.shift()!);
  };
}

function refuseViews(value: unknown, path = "message"): void {
  if (typeof value !== "object" || value === null) return;
  if (ArrayBuffer.isView(value)) {
    throw new TypeError(
      `Cannot send ${path} to a data plane: it is a typed array (send its buffer)`,
    );
  }
  const { constructor } = value;
  if (constructor !== Object && constructor !== Array) return;
  for (const key in value) refuseViews((value as Record<string, unknown>)[key], `${path}.${key}`);
}
