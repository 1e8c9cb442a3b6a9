import {
  closeDescriptors,
  MAX_DESCRIPTORS,
  type UnixPeer,
  waitReadable,
} from "../sys/unix_socket.ts";

/** A client's connection on its way to another process; its descriptor goes along. */
export interface StreamOnTheWay {
  /** Address and port of its listener, as the configuration has them. */
  address: string;
  port: number;
  /** What was read of it and not answered yet, in base64. */
  pending: string;
}

/** What two nodens that take turns tell each other. */
export type TakeoverMessage =
  /** The new one asks for the sockets. */
  | { type: "take"; version: string }
  /** They come along, a descriptor each; `plane` is the data plane that serves it. */
  | { type: "sockets"; planes: number[]; last: boolean }
  /** The new one serves them as well. */
  | { type: "serving" }
  /** The old one has stopped to take queries in, and given its name up. */
  | { type: "yours" }
  | { type: "streams"; streams: StreamOnTheWay[] }
  /** A third one waits for the end of who has the name. */
  | { type: "stand-by" }
  /** Who serves is about to end: whoever stands by is to serve. */
  | { type: "give" }
  | { type: "taken" };

type Kind = TakeoverMessage["type"];

/** Whether what a message of the type holds is what it should be, for the descriptors with it. */
const FIT: Record<Kind, (message: Record<string, unknown>, descriptors: number) => boolean> = {
  take: ({ version }) => typeof version === "string",
  sockets: ({ planes, last }, descriptors) =>
    typeof last === "boolean" && isListOf(planes, descriptors, isNatural),
  serving: () => true,
  yours: () => true,
  streams: ({ streams }, descriptors) => isListOf(streams, descriptors, isStream),
  "stand-by": () => true,
  give: () => true,
  taken: () => true,
};
/** Octets of a query that may go along with a connection; more come from no client that means well. */
export const MAX_PENDING = 4096;
/** Longest wait for a sign of the kernel's; then it is looked anyway. */
const LOOK_MS = 1000;
/** Pause before a message is sent again that the peer has no room for, and how often. */
const RESEND = { ms: 5, times: 400 } as const;

/** One message with what came along. */
export type Received = TakeoverMessage & { fds: number[] };

/** A connection to another nodens, message by message. */
export class TakeoverChannel {
  readonly pid: number;
  readonly uid: number;
  /** The peer has hung up. */
  gone = false;
  readonly #peer: UnixPeer;
  #closed = false;

  constructor(peer: UnixPeer) {
    this.#peer = peer;
    const { pid, uid } = peer.credentials;
    this.pid = pid;
    this.uid = uid;
  }

  /** The next message; null where the peer is gone or talks nonsense, or none came in `limitMs`. */
  async next(limitMs: number): Promise<Received | null> {
    const untilMs = performance.now() + limitMs;
    while (!this.#closed) {
      const received = this.#peer.receive();
      this.gone = received === "closed";
      if (received === "closed") return null;
      if (received !== "none") return parse(received);
      const leftMs = untilMs - performance.now();
      if (leftMs <= 0) return null;
      await waitReadable([this.#peer.fd], Math.ceil(Math.min(leftMs, LOOK_MS)));
    }
    return null;
  }

  /** Sends a message; false where the peer is gone or does not read. */
  async send(message: TakeoverMessage, fds: readonly number[] = []): Promise<boolean> {
    const text = JSON.stringify(message);
    for (let i = 0; i < RESEND.times && !this.#closed; i++) {
      if (this.#peer.send(text, fds)) return true;
      await new Promise((resolve) => setTimeout(resolve, RESEND.ms));
    }
    return false;
  }

  /** Sends descriptors with what each of them is, as many messages as that takes. */
  async sendEach<T>(
    items: readonly { fd: number; what: T }[],
    message: (whats: T[], last: boolean) => TakeoverMessage,
    most: number = MAX_DESCRIPTORS,
  ): Promise<boolean> {
    for (let at = 0; at === 0 || at < items.length; at += most) {
      const part = items.slice(at, at + most);
      const last = at + most >= items.length;
      const sent = await this.send(message(part.map(({ what }) => what), last), part.map(fdOf));
      if (!sent) return false;
    }
    return true;
  }

  /** Hangs up. */
  close(): void {
    this.#closed = true;
    this.#peer.close();
  }
}

function fdOf({ fd }: { fd: number }): number {
  return fd;
}

/** What came from another process is no more trusted than a packet; null for what is no message. */
function parse({ text, fds }: { text: string; fds: number[] }): Received | null {
  try {
    const message = JSON.parse(text);
    if (Object.hasOwn(FIT, message?.type) && FIT[message.type as Kind](message, fds.length)) {
      return { ...message, fds };
    }
  } catch {
    // As below.
  }
  closeDescriptors(fds);
  return null;
}

function isListOf(list: unknown, length: number, fits: (one: unknown) => boolean): boolean {
  return Array.isArray(list) && list.length === length && list.every(fits);
}

function isNatural(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isStream(value: unknown): boolean {
  const { address, port, pending } = value as Partial<StreamOnTheWay>;
  if (typeof address !== "string" || !isNatural(port) || typeof pending !== "string") return false;
  // Throws for what is no base64, as does the line above for what has no members.
  return Uint8Array.fromBase64(pending).length <= MAX_PENDING;
}
