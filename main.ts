/** nodens: a DNS cache for every node. Runs a command, and ends the process with its exit code. */
import { startWorkerEarly } from "./src/control/plane/early_worker.ts";
import { Signals } from "./src/cli/signals.ts";
import { DebuggerSignal } from "./src/sys/debugger_signal.ts";

if (import.meta.main) {
  // Signals have their handlers before anything else is loaded.
  const usr1 = new DebuggerSignal();
  const [first = "-"] = Deno.args;
  const signals = first.startsWith("-") ? new Signals(usr1, Deno.exit) : null;
  if (signals !== null && !Deno.args.some(isQuestion)) startWorkerEarly();
  const { runMain } = await import("./src/cli/main.ts");
  Deno.exit(await runMain(Deno.args, { signals, exit: Deno.exit }));
}

/** Flags that are answered without serving. */
function isQuestion(arg: string): boolean {
  return /^--?(h|help|version|plugins)$/.test(arg);
}
