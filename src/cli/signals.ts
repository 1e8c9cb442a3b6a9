import type { LogLevel } from "../engine/handler.ts";
import type { DebuggerSignal } from "../sys/debugger_signal.ts";

/** How often SIGUSR1 is looked for: nothing tells of it (`DebuggerSignal`). */
const USR1_POLL_MS = 500;

/** Who acts on signals once nodens serves. */
export interface SignalActions {
  reload: (why: string) => void;
  /** Prints the state of nodens. */
  report: () => Promise<void>;
  log: (level: LogLevel, line: string) => void;
}

/**
 * Listens for signals from the first moment of the process on. What comes before nodens serves is
 * kept: a reload is done then, and a signal to stop ends the process in order, with code 0.
 */
export class Signals {
  readonly #usr1: DebuggerSignal;
  readonly #exit: (code: number) => never;
  readonly #ended = Promise.withResolvers<void>();
  readonly #hurried = Promise.withResolvers<void>();
  #stops = 0;
  /** The first signal to stop. */
  #stop: Deno.Signal | null = null;
  /** The last signal to reload that nobody could act on yet. */
  #reload: Deno.Signal | null = null;
  #actions: SignalActions | null = null;
  #poll: ReturnType<typeof setInterval> | undefined;

  /** @param exit - ends the process */
  constructor(usr1: DebuggerSignal, exit: (code: number) => never) {
    this.#usr1 = usr1;
    this.#exit = exit;
    const windows = Deno.build.os === "windows";
    if (!windows) Deno.addSignalListener("SIGHUP", () => this.#onReload("SIGHUP"));
    const stops = windows ? ["SIGINT"] as const : ["SIGTERM", "SIGINT", "SIGQUIT"] as const;
    for (const signal of stops) Deno.addSignalListener(signal, () => this.#onStop(signal));
  }

  /**
   * Acts on signals from now on, those that have come already among them.
   *
   * `ended` resolves with the first signal to stop (with SIGQUIT, once the state is printed),
   * `hurried` with the second; a third ends the process.
   */
  watch(actions: SignalActions): { ended: Promise<void>; hurried: Promise<void> } {
    this.#actions = actions;
    this.#poll = setInterval(() => this.#lookForUsr1(), USR1_POLL_MS);
    if (this.#stop !== null) this.#begin(this.#stop, actions);
    else if (this.#reload !== null) this.#onReload(this.#reload);
    else this.#lookForUsr1();
    return { ended: this.#ended.promise, hurried: this.#hurried.promise };
  }

  #onStop(signal: Deno.Signal): void {
    this.#stops++;
    if (this.#stops === 1) {
      this.#stop = signal;
      if (this.#actions !== null) this.#begin(signal, this.#actions);
    } else if (this.#stops === 2) this.#hurried.resolve();
    else this.#exit(1);
  }

  #begin(signal: Deno.Signal, { report, log }: SignalActions): void {
    clearInterval(this.#poll);
    log("info", `${signal}: stopping (again: at once)`);
    if (signal === "SIGQUIT") void report().finally(this.#ended.resolve);
    else this.#ended.resolve();
  }

  #onReload(signal: Deno.Signal): void {
    if (this.#actions === null) this.#reload = signal;
    else if (this.#stop === null) this.#actions.reload(signal);
  }

  #lookForUsr1(): void {
    if (this.#usr1.arrived()) this.#onReload("SIGUSR1");
  }
}
