import { type Cancel, type Clock, systemClock } from "../../base/clock.ts";
import type { LogLevel } from "../../engine/handler.ts";
import { SIGN_OF_LIFE, type Watchdog } from "../../io/check_plan.ts";
import { CLOCK } from "../../sys/constants.ts";
import { openLibc } from "../../sys/libc.ts";
import { UnixDatagramSender } from "../../sys/unix_datagram.ts";
import {
  notification,
  type ReadVariable,
  statusLine,
  watchdogPeriodMs,
} from "./service_environment.ts";

/** Two may be late or lost. */
const SIGNS_A_PERIOD = 3;
const RETRY_MS = 100;
const MAX_ATTEMPTS = 50;
const MAX_QUEUED = 16;

type Sender = Pick<UnixDatagramSender, "send" | "close">;

/** `ServiceManager` options. */
export interface ServiceManagerOptions {
  log: (level: LogLevel, line: string) => void;
  read?: ReadVariable;
  pid?: number;
  open?: (name: string) => Sender;
  monotonicUsec?: () => bigint;
  clock?: Clock;
}

/** Notifies the service manager (`$NOTIFY_SOCKET`). Never blocks or throws. */
export class ServiceManager {
  readonly #options: Required<ServiceManagerOptions>;
  readonly #socket: Sender | null;
  readonly #queue: Uint8Array[] = [];
  #attempts = 0;
  #cancelRetry: Cancel | null = null;
  #cancelSigns: Cancel | null = null;
  #stopping = false;

  constructor(options: ServiceManagerOptions) {
    this.#options = {
      read: (name) => Deno.env.get(name),
      pid: Deno.pid,
      open: openSocket,
      monotonicUsec,
      clock: systemClock,
      ...options,
    };
    this.#socket = this.#open();
  }

  ready(status: string): void {
    if (this.#stopping) return;
    // Differs outside a container.
    const { pid } = this.#options;
    const main = pid === 1 ? {} : { MAINPID: pid };
    this.#notify({ READY: 1, ...main, STATUS: statusLine(status) });
  }

  /** `ready` must follow. */
  reloading(): void {
    if (this.#socket === null || this.#stopping) return;
    this.#notify({ RELOADING: 1, MONOTONIC_USEC: String(this.#options.monotonicUsec()) });
  }

  /** The manager's stop timeout starts. */
  stopping(): void {
    this.#stopping = true;
    this.#startSigns();
    this.#notify({ STOPPING: 1, STATUS: "stopping" });
  }

  /** The data plane notifies it until `stopping`. */
  watchdog(): Watchdog | null {
    const { read, pid, log } = this.#options;
    if (this.#socket === null) return null;
    try {
      const periodMs = watchdogPeriodMs(read, pid);
      if (periodMs === null) return null;
      return { socket: read("NOTIFY_SOCKET")!, everyMs: periodMs / SIGNS_A_PERIOD };
    } catch (error) {
      log("warning", `cannot notify the watchdog: ${(error as Error).message}`);
      return null;
    }
  }

  close(): void {
    this.#cancelSigns?.();
    this.#cancelRetry?.();
    this.#queue.length = 0;
    this.#socket?.close();
  }

  #open(): Sender | null {
    const { read, open, log } = this.#options;
    const name = read("NOTIFY_SOCKET") ?? "";
    if (name === "") return null;
    try {
      return open(name);
    } catch (error) {
      const why = (error as Error).message;
      log(
        "warning",
        `cannot notify the service manager that nodens runs: ${why} (this needs the linux driver's` +
          " permissions; without them, use Type=exec and no WatchdogSec=)",
      );
      return null;
    }
  }

  #startSigns(): void {
    const watchdog = this.watchdog();
    if (watchdog === null || this.#cancelSigns !== null) return;
    const sign = () => void this.#socket?.send(SIGN_OF_LIFE);
    this.#cancelSigns = this.#options.clock.every(watchdog.everyMs, sign);
    sign();
  }

  #notify(variables: Record<string, string | number>): void {
    if (this.#socket === null) return;
    const message = notification(variables);
    if (this.#queue.length === 0 && this.#socket.send(message)) return;
    // The manager may wait for the oldest: drop the newest.
    if (this.#queue.length < MAX_QUEUED) this.#queue.push(message);
    this.#retry();
  }

  #retry(): void {
    this.#cancelRetry ??= this.#options.clock.after(RETRY_MS, () => this.#sendQueued());
  }

  #sendQueued(): void {
    this.#cancelRetry = null;
    while (this.#queue.length > 0 && this.#socket!.send(this.#queue[0]!)) {
      this.#queue.shift();
      this.#attempts = 0;
    }
    if (this.#queue.length === 0) return;
    if (++this.#attempts < MAX_ATTEMPTS) return this.#retry();
    this.#attempts = 0;
    this.#queue.length = 0;
    this.#options.log(
      "warning",
      "the service manager does not read notifications ($NOTIFY_SOCKET)",
    );
  }
}

function openSocket(name: string): UnixDatagramSender {
  if (Deno.build.os !== "linux") throw new Error(`this is ${Deno.build.os}`);
  return new UnixDatagramSender(name);
}

function monotonicUsec(): bigint {
  const time = new BigInt64Array(2);
  openLibc().clock_gettime(CLOCK.MONOTONIC, new Uint8Array(time.buffer));
  return time[0]! * 1_000_000n + time[1]! / 1000n;
}
