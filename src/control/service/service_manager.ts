import type { LogLevel } from "../../engine/handler.ts";
import { SIGN_OF_LIFE, type Watchdog } from "../../io/check_plan.ts";
import { CLOCK_MONOTONIC } from "../../sys/constants.ts";
import { openLibc } from "../../sys/libc.ts";
import { UnixDatagramSender } from "../../sys/unix_datagram.ts";
import {
  notification,
  type ReadVariable,
  statusLine,
  watchdogPeriodMs,
} from "./service_environment.ts";

/** Signs of life in a period of the watchdog: two may be late or lost. */
const SIGNS_A_PERIOD = 3;
/** When a message that was not taken is sent again, and how often before it is given up. */
const AGAIN_MS = 100;
const MAX_ATTEMPTS = 50;
/** Messages that may wait for a manager that does not read. */
const MAX_WAITING = 16;

/** What the notifications need; the tests hand over their own. */
export interface ServiceManagerOptions {
  log: (level: LogLevel, line: string) => void;
  read?: ReadVariable;
  pid?: number;
  /** Opens the socket of that name. Throws if it cannot. */
  open?: (name: string) => Pick<UnixDatagramSender, "send" | "close">;
  /** The monotonic clock of the system, in microseconds. */
  monotonicUsec?: () => bigint;
}

/**
 * Tells the service manager (systemd, or another that sets `$NOTIFY_SOCKET`) how nodens is.
 *
 * Nothing here ever waits, throws or ends the process; without the variable nothing happens at all.
 */
export class ServiceManager {
  readonly #options: ServiceManagerOptions;
  readonly #pid: number;
  readonly #socket: Pick<UnixDatagramSender, "send" | "close"> | null;
  readonly #waiting: Uint8Array[] = [];
  #attempts = 0;
  #again: ReturnType<typeof setTimeout> | null = null;
  /** Signs of life while nodens stops. */
  #signs: ReturnType<typeof setInterval> | null = null;
  #stopping = false;

  constructor(options: ServiceManagerOptions) {
    this.#options = options;
    this.#pid = options.pid ?? Deno.pid;
    this.#socket = this.#open();
  }

  /** Whether somebody wants to know. */
  get present(): boolean {
    return this.#socket !== null;
  }

  /** Says that queries are answered: after the start, and after each reload. */
  ready(status: string): void {
    if (this.#stopping) return;
    // The first process of a container has a number that means another one outside.
    const main = this.#pid === 1 ? {} : { MAINPID: this.#pid };
    this.#notify({ READY: 1, ...main, STATUS: statusLine(status) });
  }

  /** Says that a new configuration is being read; `ready` must follow, be it good or bad. */
  reloading(): void {
    if (this.#socket === null || this.#stopping) return;
    const clock = this.#options.monotonicUsec ?? monotonicUsec;
    this.#notify({ RELOADING: 1, MONOTONIC_USEC: String(clock()) });
  }

  /** Says that nodens is on its way out; from here on the manager's own time limit watches. */
  stopping(status = "stopping"): void {
    this.#stopping = true;
    this.#giveSigns();
    this.#notify({ STOPPING: 1, STATUS: statusLine(status) });
  }

  /** Says in a line how things are: what `systemctl status` shows. */
  status(text: string): void {
    this.#notify({ STATUS: statusLine(text) });
  }

  /**
   * The watchdog that wants signs of life, which the data plane gives; null if none watches.
   * From `stopping` on they come from here: data planes end before the process does.
   */
  watchdog(): Watchdog | null {
    const { log, read = readEnvironment } = this.#options;
    if (this.#socket === null) return null;
    try {
      const periodMs = watchdogPeriodMs(read, this.#pid);
      if (periodMs === null) return null;
      return { socket: read("NOTIFY_SOCKET")!, everyMs: periodMs / SIGNS_A_PERIOD };
    } catch (error) {
      log("warning", `the watchdog gets no sign of life: ${(error as Error).message}`);
      return null;
    }
  }

  /** Says no more. */
  close(): void {
    if (this.#signs !== null) clearInterval(this.#signs);
    if (this.#again !== null) clearTimeout(this.#again);
    this.#signs = null;
    this.#again = null;
    this.#waiting.length = 0;
    this.#socket?.close();
  }

  #open(): Pick<UnixDatagramSender, "send" | "close"> | null {
    const { log, read = readEnvironment, open = openSocket } = this.#options;
    const name = read("NOTIFY_SOCKET");
    if (name === undefined || name === "") return null;
    try {
      return open(name);
    } catch (error) {
      const why = (error as Error).message;
      log(
        "warning",
        `the service manager cannot be told that nodens runs: ${why} (the linux driver's rights` +
          " are needed for it; without them, use Type=exec and no WatchdogSec=)",
      );
      return null;
    }
  }

  #giveSigns(): void {
    const watchdog = this.watchdog();
    if (watchdog === null || this.#signs !== null) return;
    // One that is lost is followed by the next.
    const sign = () => void this.#socket?.send(SIGN_OF_LIFE);
    this.#signs = setInterval(sign, watchdog.everyMs);
    Deno.unrefTimer(this.#signs);
    sign();
  }

  #notify(variables: Record<string, string | number>): void {
    if (this.#socket === null) return;
    const message = notification(variables);
    if (this.#waiting.length === 0 && this.#socket.send(message)) return;
    // The oldest may be the one that a start waits for.
    if (this.#waiting.length < MAX_WAITING) this.#waiting.push(message);
    this.#sendLater();
  }

  #sendLater(): void {
    if (this.#again !== null) return;
    this.#again = setTimeout(() => this.#sendWaiting(), AGAIN_MS);
    Deno.unrefTimer(this.#again);
  }

  #sendWaiting(): void {
    this.#again = null;
    while (this.#waiting.length > 0 && this.#socket!.send(this.#waiting[0]!)) {
      this.#waiting.shift();
      this.#attempts = 0;
    }
    if (this.#waiting.length === 0) return;
    if (++this.#attempts < MAX_ATTEMPTS) {
      this.#sendLater();
      return;
    }
    this.#attempts = 0;
    this.#waiting.length = 0;
    this.#options.log("warning", "the service manager takes no notifications ($NOTIFY_SOCKET)");
  }
}

const readEnvironment: ReadVariable = (name) => Deno.env.get(name);

function openSocket(name: string): UnixDatagramSender {
  if (Deno.build.os !== "linux") throw new Error(`this is ${Deno.build.os}`);
  return new UnixDatagramSender(name);
}

function monotonicUsec(): bigint {
  const time = new BigInt64Array(2);
  openLibc().clock_gettime(CLOCK_MONOTONIC, new Uint8Array(time.buffer));
  return time[0]! * 1_000_000n + time[1]! / 1000n;
}
