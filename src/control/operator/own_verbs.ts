import { type Cancel, type Clock, systemClock } from "../../base/clock.ts";
import { parseDuration } from "../../corefile/values.ts";
import { type Verb, VerbError } from "../../plugins/verbs.ts";
import type { ReloadStatus, Status } from "../endpoints/status.ts";

/** Process control for operators. */
export interface ProcessControl {
  status(): Promise<Status>;
  reload(why: string): Promise<unknown>;
  lastReload(): ReloadStatus | null;
  /** Null: as configured. */
  setDebug(debug: boolean | null): void;
  stop(why: string): void;
}

const WHY = "control socket";
/** Timers hold at most 24 days. */
const MAX_FOR_MS = 24 * 3_600_000;
/** After the answer of `stop`. */
const STOP_MS = 50;

/** Verbs about the process. */
export function processVerbs(control: ProcessControl, clock: Clock = systemClock): Verb[] {
  let cancel: Cancel = () => {};
  return [
    { name: "status", run: () => control.status() },
    {
      name: "reload",
      changes: true,
      async run() {
        await control.reload(WHY);
        const last = control.lastReload();
        if (last === null) throw new VerbError("nodens is stopping", 503);
        if (last.ok) return last;
        throw new VerbError(`the new Corefile is refused: ${last.faults.join("; ")}`, 409);
      },
    },
    {
      name: "log",
      changes: true,
      parameters: ["debug", "for"],
      run({ parameters }) {
        const given = Object.fromEntries(parameters);
        const debug = readSwitch(given.debug);
        const forMs = readFor(given.for);
        cancel();
        control.setDebug(debug);
        cancel = forMs === null ? () => {} : clock.after(forMs, () => control.setDebug(null));
        return { debug, forSeconds: forMs === null ? null : forMs / 1000 };
      },
    },
    {
      name: "stop",
      changes: true,
      run() {
        clock.after(STOP_MS, () => control.stop(WHY));
        return { stopping: true };
      },
    },
  ];
}

function readSwitch(text = ""): boolean {
  if (text !== "on" && text !== "off") {
    throw new VerbError(`debug is ${JSON.stringify(text)}; write on or off`);
  }
  return text === "on";
}

function readFor(text: string | undefined): number | null {
  if (text === undefined) return null;
  const ms = parseDuration(text);
  if (ms === null || ms <= 0 || ms > MAX_FOR_MS) {
    throw new VerbError(`for is ${JSON.stringify(text)}; write a duration like 5m, at most 24h`);
  }
  return ms;
}
