import type { CommandResult, RunCommand } from "../../src/node/rules/command.ts";
import type { ListEntry } from "../../src/control/plane/self_checks.ts";
import { Heartbeat } from "../../src/node/heartbeat.ts";
import type { FamilyRules } from "../../src/node/family_rules.ts";
import { NodeRules, type NodeRulesOptions } from "../../src/node/node_rules.ts";
import { VirtualClock } from "../support/run/virtual_clock.ts";

export interface MadeOptions extends Partial<NodeRulesOptions> {
  listFault?: (list: string) => string | null;
}

/** What a check has found. */
type Checked = Pick<FamilyRules, "family" | "level" | "changes" | "problem" | "mayPass">;

/** `NodeRules` with virtual pauses and recorded reports. */
export interface MadeRules {
  rules: Pick<NodeRules, "ensure" | "stop"> & {
    turnAway(limitMs?: number): Promise<void>;
    remove(limitMs?: number): Promise<boolean>;
  };
  check(): Promise<Checked>;
  clock: VirtualClock;
  logs: string[];
  counted: string[];
  levels: string[];
  /** Renewed (+) and removed (-) list entries. */
  written: string[];
}

/** Makes the rules of 10.96.0.10. */
export function makeRules(
  run: RunCommand,
  { listFault = () => null, ...changes }: MadeOptions = {},
): MadeRules {
  const clock = new VirtualClock();
  const logs: string[] = [];
  const counted: string[] = [];
  const levels: string[] = [];
  const written: string[] = [];
  let kept: readonly ListEntry[] = [];
  const heartbeat = new Heartbeat({
    keepEntries(entries) {
      const gone = kept.filter(({ entry }) => !entries.some((one) => one.entry === entry));
      for (const { list, entry } of gone) written.push(`${list} -${entry}`);
      kept = entries;
      const faults: Record<string, string> = {};
      for (const { list, entry } of entries) {
        const fault = listFault(list);
        if (fault !== null) faults[list] = fault;
        else written.push(`${list} +${entry}`);
      }
      return Promise.resolve(faults);
    },
  });
  const rules = new NodeRules({
    rules: { addresses: ["10.96.0.10"], port: 53, healthPort: 8080, failOpenTo: [], tracked: [] },
    failOpen: true,
    redirect: null,
    ...{ run, heartbeat, clock },
    log: (level, line) => logs.push(`${level} ${line}`),
    count: (type) => counted.push(type),
    onLevel: (family, level) => levels.push(`${family} ${level}`),
    ...changes,
  });
  return {
    rules: {
      ensure: () => during(clock, rules.ensure()),
      stop: () => rules.stop(),
      turnAway: (limitMs = 2000) => during(clock, rules.turnAway(limitMs)),
      remove: (limitMs = 6000) => during(clock, rules.remove(limitMs)),
    },
    async check() {
      const [checked] = await during(clock, rules.ensure());
      const { family, level, changes, problem, mayPass } = checked!;
      return { family, level, changes, problem, mayPass };
    },
    ...{ clock, logs, counted, levels, written },
  };
}

/** Moves the clock until work is done. */
async function during<T>(clock: VirtualClock, work: Promise<T>): Promise<T> {
  let done = false;
  const finished = work.finally(() => done = true);
  while (!done) await clock.advance(50);
  return await finished;
}

export function fails(stderr: string, code = 1): CommandResult {
  return { code, stdout: "", stderr };
}

export function countOf(lines: readonly string[], pattern: RegExp): number {
  return lines.filter((line) => pattern.test(line)).length;
}
