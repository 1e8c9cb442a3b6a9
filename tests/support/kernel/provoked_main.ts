/** nodens, whose data plane throws at SIGUSR2. */
import { DataPlane } from "../../../src/control/plane/data_plane.ts";
import { Signals } from "../../../src/cli/signals.ts";
import { DebuggerSignal } from "../../../src/sys/debugger_signal.ts";
import { runMain } from "../../../src/cli/main.ts";

const { start } = DataPlane.prototype;
DataPlane.prototype.start = function (this: DataPlane, ...args: Parameters<typeof start>) {
  Deno.addSignalListener("SIGUSR2", () => this.provoke("throw"));
  return start.apply(this, args);
};
const signals = new Signals(new DebuggerSignal(), Deno.exit);
Deno.exit(await runMain(Deno.args, { signals, exit: Deno.exit }));
