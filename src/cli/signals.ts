import { type Cancel, type Clock, systemClock } from "../base/clock.ts";
import type { LogLevel } from "../engine/handler.ts";
import type { DebuggerSignal } from "../sys/debugger_signal.ts";

/** SIGUSR1 raises no event (`DebuggerSignal`). */
const USR1_POLL_MS = 500;

interface SignalActions {
  reload: (why: string) => void;
  report: () => Promise<void>;
  log: (level: LogLevel, line: string) => void;
}

/** Signal handlers; early signals wait. */
export class Signals {
  readonly #usr1: DebuggerSignal;
  readonly #exit: (code: number) => never;
  readonly #clock: Clock;
  readonly #ended = Promise.withResolvers<void>();
  readonly #hurried = Promise.withResolvers<void>();
  #stops = 0;
  #firstStop: Deno.Signal | null = null;
  #earlyReload: Deno.Signal | null = null;
  #actions: SignalActions | null = null;
  #stopPolling: Cancel = () => {};

  constructor(usr1: DebuggerSignal, exit: (code: number) => never, clock: Clock = systemClock) {
    this.#usr1 = usr1;
    this.#exit = exit;
    this.#clock = clock;
    const windows = Deno.build.os === "windows";
    if (!windows) Deno.addSignalListener("SIGHUP", () => this.#onReload("SIGHUP"));
    const stops = windows ? ["SIGINT"] as const : ["SIGTERM", "SIGINT", "SIGQUIT"] as const;
    for (const signal of stops) Deno.addSignalListener(signal, () => this.#onStop(signal));
  }

  /**
   * Acts on past and future signals. `ended`: the first stop signal (SIGQUIT: after the report);
   * `hurried`: the second. A third ends the process.
   */
  watch(actions: SignalActions): { ended: Promise<void>; hurried: Promise<void> } {
    this.#actions = actions;
    this.#stopPolling = this.#clock.every(USR1_POLL_MS, () => this.#pollUsr1());
    if (this.#firstStop !== null) this.#stop(this.#firstStop, actions);
    else if (this.#earlyReload !== null) this.#onReload(this.#earlyReload);
    else this.#pollUsr1();
    return { ended: this.#ended.promise, hurried: this.#hurried.promise };
  }

  #onStop(signal: Deno.Signal): void {
    this.#stops++;
    if (this.#stops === 1) {
      this.#firstStop = signal;
      if (this.#actions !== null) this.#stop(signal, this.#actions);
    } else if (this.#stops === 2) this.#hurried.resolve();
    else this.#exit(1);
  }

  #stop(signal: Deno.Signal, { report, log }: SignalActions): void {
    this.#stopPolling();
    log("info", `${signal}: stopping (again: at once)`);
    if (signal === "SIGQUIT") void report().finally(this.#ended.resolve);
    else this.#ended.resolve();
  }

  #onReload(signal: Deno.Signal): void {
    if (this.#actions === null) this.#earlyReload = signal;
    else if (this.#firstStop === null) this.#actions.reload(signal);
  }

  #pollUsr1(): void {
    if (this.#usr1.arrived()) this.#onReload("SIGUSR1");
  }
}
