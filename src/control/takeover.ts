/**
 * Two nodens on one host take turns without a query lost.
 *
 * ```
 *   new                                  old, which has the name
 *    │ take ───────────────────────────►│ writes its caches (`persist`)
 *    │◄───────────── sockets (SCM_RIGHTS)│
 *    │ serves the same sockets           │ serves on
 *    │ serving ─────────────────────────►│ gives the name up, takes no more in
 *    │◄──────────────────────────── yours│
 *    │ has the name                      │ answers what waits
 *    │◄─────────── streams (SCM_RIGHTS) ─│ each when nothing of it is under way
 *    │                                   │ stands by, its sockets open
 *    ╵ ends or dies                      │ serves again
 * ```
 *
 * The old one stays until it is ended from outside, since whoever supervises it would only start it
 * again. Queries that nobody has read wait in the sockets, which both hold: so a new one that dies
 * costs no more than what it had in hand. One that ends in order says `give` first, and hands its
 * clients' connections back in the same way.
 */
import type { LogLevel } from "../engine/handler.ts";
import type { PlacedStream } from "./data_plane.ts";
import {
  closeDescriptors,
  ownUser,
  UnixListener,
  UnixPeer,
  waitReadable,
} from "../sys/unix_socket.ts";
import {
  MAX_PENDING,
  type Received,
  type StreamOnTheWay,
  TakeoverChannel,
  type TakeoverMessage,
} from "./takeover_channel.ts";

/** How long the old one may take to write its caches and to send its sockets. */
const TAKE_MS = 15_000;
/** How long one that is about to end may take for that, and how often it is looked. */
const END_MS = 60_000;
const ASK_AGAIN_MS = 100;
/** How long the new one may take from there until it serves. */
const START_MS = 120_000;
/** How long the others may take to say that they have done what they were asked. */
const REPLY_MS = 5000;
/** How long a hand-over may take once this one is told to end; Kubernetes kills after 30 seconds. */
const SETTLE_MS = 20_000;
/** Pause before the name is looked at again, and how often. */
const NAME_RETRY = { ms: 20, times: 100 } as const;
/** Who stands by may have nothing to say for as long as it lives. */
const ATTEND_MS = Infinity;
/** Connections in one message. */
const STREAMS_A_MESSAGE = 8;

/** A socket that is handed over, and the data plane that serves it. */
export interface SharedSocket {
  fd: number;
  plane: number;
}

/** What the nodens around it does when it is asked to. */
export interface TakeoverHooks {
  /** The sockets that queries come to. */
  sockets(): SharedSocket[];
  /** Writes what the other one will read. Returns what goes on where it does not come up. */
  prepare(): Promise<() => void>;
  /** Takes no more queries in, for good or until `takeBack`. */
  standDown(): Promise<void>;
  /** Serves again. */
  takeBack(): Promise<void>;
  /** Goes on with clients' connections. */
  adopt(streams: Omit<PlacedStream, "listener">[]): void;
}

/** What a takeover is made with. */
export interface TakeoverOptions {
  /** Those of one host with the same name take turns. */
  name: string;
  version: string;
  log: (level: LogLevel, line: string) => void;
}

/** One nodens's side of taking turns. */
export class Takeover {
  readonly #options: TakeoverOptions;
  readonly #name: string;
  #hooks: TakeoverHooks | null = null;
  #listener: UnixListener | null = null;
  /** From whom this one took over, and others that wait for its end: the last one is asked first. */
  readonly #standbys: TakeoverChannel[] = [];
  /** Who serves in this one's place. */
  #successor: TakeoverChannel | null = null;
  /** Who is sent the clients' connections that are let go of. */
  #receiver: TakeoverChannel | null = null;
  #sending: Promise<unknown> = Promise.resolve();
  #handing: Promise<void> | null = null;
  /** Nothing is handed over any more: what there is goes away. */
  #ending = false;
  #stopped = false;

  constructor(options: TakeoverOptions) {
    this.#options = options;
    this.#name = `nodens.${options.name}`;
  }

  /** Another one serves, and this one stands by. */
  get standsBy(): boolean {
    return this.#successor !== null;
  }

  /** Another one has this one's sockets, or is about to get them, and does not serve yet. */
  get handsOver(): boolean {
    return this.#handing !== null;
  }

  /**
   * Asks who serves for its sockets; null where nobody does. One that is about to end hands nothing
   * over: then this waits until it is gone. The descriptors are the caller's. Throws where whoever
   * serves neither hands them over nor ends.
   */
  async ask(): Promise<SharedSocket[] | null> {
    const { log } = this.#options;
    const untilMs = performance.now() + END_MS;
    for (let told = false;; told = true) {
      const channel = this.#connect();
      if (channel === null) return null;
      const { pid } = channel;
      if (!told) log("info", `taking over from the nodens that serves here (process ${pid})`);
      const sockets = await this.#askOne(channel);
      if (sockets !== null) return sockets;
      if (performance.now() > untilMs) {
        throw new Error(
          `Cannot take over from process ${pid}: it neither hands its sockets over nor ends ` +
            "(end it, or choose another name with -takeover)",
        );
      }
      if (!told) log("info", `process ${pid} ends; waiting for it`);
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
    }
  }

  /** The sockets of one that serves; null where it hangs up instead. */
  async #askOne(channel: TakeoverChannel): Promise<SharedSocket[] | null> {
    await channel.send({ type: "take", version: this.#options.version });
    const sockets: SharedSocket[] = [];
    for (;;) {
      const message = await channel.next(TAKE_MS);
      if (message?.type !== "sockets") {
        closeDescriptors([...sockets.map(fdOf), ...message?.fds ?? []]);
        channel.close();
        if (channel.gone) return null;
        throw new Error(
          `Cannot take over from process ${channel.pid}: it did not hand its sockets over within ` +
            `${TAKE_MS / 1000} s (end it, or choose another name with -takeover)`,
        );
      }
      message.fds.forEach((fd, i) => sockets.push({ fd, plane: message.planes[i] ?? 0 }));
      if (message.last) break;
    }
    this.#standbys.push(channel);
    return sockets;
  }

  /** Serves from now on; `hooks` are called when another one comes or goes. */
  async serve(hooks: TakeoverHooks): Promise<void> {
    this.#hooks = hooks;
    const [old] = this.#standbys;
    if (old !== undefined) {
      await old.send({ type: "serving" });
      const answer = await old.next(REPLY_MS);
      if (answer?.type !== "yours") {
        this.#options.log("warning", `process ${old.pid} has not confirmed that it stands by`);
      }
      void this.#attend(old);
    }
    await this.#takeName();
  }

  /** Sends clients' connections to who goes on with them. */
  readonly release = (streams: readonly PlacedStream[]): void => {
    const receiver = this.#receiver;
    const fit = receiver === null ? [] : streams.filter((one) => one.pending.length <= MAX_PENDING);
    closeDescriptors(streams.filter((one) => !fit.includes(one)).map(fdOf));
    if (receiver === null || fit.length === 0) return;
    const items = fit.map(({ fd, address, port, pending }) => ({
      fd,
      what: { address, port, pending: pending.toBase64() },
    }));
    const message = (whats: StreamOnTheWay[]): TakeoverMessage => ({
      type: "streams",
      streams: whats,
    });
    this.#sending = this.#sending.then(() => receiver.sendEach(items, message, STREAMS_A_MESSAGE))
      .finally(() => closeDescriptors(fit.map(fdOf)));
  };

  /**
   * Resolves when no hand-over is under way, or after a while: who is told to end in the middle of one
   * would take away what the other one has just been given.
   */
  async settled(): Promise<void> {
    if (this.#handing === null) return;
    let timer: ReturnType<typeof setTimeout>;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, SETTLE_MS));
    await Promise.race([this.#handing, late]);
    clearTimeout(timer!);
  }

  /**
   * Before this one ends: has whoever stands by serve again. True where one does, which then is sent
   * the clients' connections that `release` gets; `stop` waits for them.
   */
  async giveBack(): Promise<boolean> {
    this.#ending = true;
    // With nobody to serve in its place it keeps the name to the end, so that a new one waits.
    if (this.#standbys.length > 0) this.#giveNameUp();
    for (let other = this.#standbys.pop(); other !== undefined; other = this.#standbys.pop()) {
      this.#receiver = other;
      const taken = this.#taken = Promise.withResolvers<void>();
      if (!await other.send({ type: "give" })) continue;
      const timer = setTimeout(() => taken.reject(new Error("no answer")), REPLY_MS);
      try {
        await taken.promise;
        this.#options.log("info", `process ${other.pid} serves again`);
        return true;
      } catch {
        this.#options.log("warning", `process ${other.pid} stands by, but does not answer`);
      } finally {
        clearTimeout(timer);
      }
    }
    this.#receiver = null;
    return false;
  }
  #taken: PromiseWithResolvers<void> | null = null;

  /** Hangs up everywhere, once all that was to be sent has been. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#giveNameUp();
    await this.#sending;
    for (const channel of [...this.#standbys, this.#successor, this.#receiver]) channel?.close();
  }

  #connect(): TakeoverChannel | null {
    const peer = UnixPeer.connect(this.#name);
    if (peer === null) return null;
    const channel = new TakeoverChannel(peer);
    if (mayTrust(channel)) return channel;
    this.#options.log("warning", `the name ${this.#name} belongs to another user's process`);
    channel.close();
    return null;
  }

  async #takeName(): Promise<void> {
    for (let i = 0; i < NAME_RETRY.times && !this.#stopped; i++) {
      this.#listener = UnixListener.listen(this.#name);
      if (this.#listener !== null) {
        void this.#accept(this.#listener);
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, NAME_RETRY.ms));
    }
    this.#options.log("warning", `Cannot take the name ${this.#name}: nobody can take over`);
  }

  #giveNameUp(): void {
    this.#listener?.close();
    this.#listener = null;
  }

  async #accept(listener: UnixListener): Promise<void> {
    while (this.#listener === listener) {
      await waitReadable([listener.fd], 1000);
      if (this.#listener !== listener) return;
      const peer = listener.accept();
      if (peer !== null) void this.#greet(new TakeoverChannel(peer));
    }
  }

  async #greet(channel: TakeoverChannel): Promise<void> {
    const message = mayTrust(channel) ? await channel.next(REPLY_MS) : null;
    if (message?.type === "stand-by") {
      this.#standbys.push(channel);
      void this.#attend(channel);
    } else if (message?.type === "take" && this.#mayHandOver()) {
      this.#handing = this.#handOver(channel, message.version)
        .finally(() => this.#handing = null);
      await this.#handing;
    } else {
      channel.close();
    }
  }

  #mayHandOver(): boolean {
    return this.#handing === null && !this.standsBy && !this.#ending;
  }

  async #handOver(channel: TakeoverChannel, version: string): Promise<void> {
    const { log } = this.#options;
    const hooks = this.#hooks!;
    log("info", `nodens ${version} (process ${channel.pid}) takes over`);
    const goOn = await hooks.prepare();
    const items = hooks.sockets().map(({ fd, plane }) => ({ fd, what: plane }));
    await channel.sendEach(items, (planes, last) => ({ type: "sockets", planes, last }));
    const answer = await channel.next(START_MS);
    if (answer?.type !== "serving") {
      log("warning", `process ${channel.pid} does not come up; this one serves on`);
      channel.close();
      goOn();
      return;
    }
    this.#giveNameUp();
    this.#successor = channel;
    this.#receiver = channel;
    await channel.send({ type: "yours" });
    void this.#attend(channel);
    await hooks.standDown();
    if (this.standsBy) log("info", `standing by: process ${channel.pid} serves`);
  }

  /** Does what comes over a connection that stays, until it ends. */
  async #attend(channel: TakeoverChannel): Promise<void> {
    for (;;) {
      const message = await channel.next(ATTEND_MS);
      if (this.#stopped) return;
      if (message === null) break;
      await this.#handle(channel, message);
    }
    channel.close();
    const at = this.#standbys.indexOf(channel);
    if (at >= 0) this.#standbys.splice(at, 1);
    if (this.#successor === channel) await this.#lost(channel);
  }

  async #handle(channel: TakeoverChannel, message: Received): Promise<void> {
    if (message.type === "streams") {
      this.#hooks!.adopt(message.fds.map((fd, i) => {
        const { address = "", port = 0, pending = "" } = message.streams[i] ?? {};
        return { fd, address, port, pending: Uint8Array.fromBase64(pending) };
      }));
      return;
    }
    closeDescriptors(message.fds);
    if (message.type === "taken") this.#taken?.resolve();
    if (message.type === "give" && this.#successor === channel) {
      this.#options.log("info", `process ${channel.pid} ends; this one serves again`);
      await this.#takeBack();
      await channel.send({ type: "taken" });
    }
  }

  /** Who served is gone: unless a third one does, this one serves again. */
  async #lost(channel: TakeoverChannel): Promise<void> {
    const third = this.#connect();
    if (third !== null && await third.send({ type: "stand-by" })) {
      this.#successor = third;
      this.#options.log("info", `standing by: process ${third.pid} serves now`);
      void this.#attend(third);
      return;
    }
    this.#options.log("warning", `process ${channel.pid} is gone; this one serves again`);
    await this.#takeBack();
  }

  async #takeBack(): Promise<void> {
    this.#successor = null;
    this.#receiver = null;
    await this.#hooks!.takeBack();
    await this.#takeName();
  }
}

/** The same user, or root: who else has the name could be anybody. */
function mayTrust({ uid }: TakeoverChannel): boolean {
  return uid === ownUser() || uid === 0;
}

function fdOf({ fd }: { fd: number }): number {
  return fd;
}
