import type { CommandResult, RunCommand } from "../../src/node/rules/command.ts";
import { type Beat, Heartbeat } from "../../src/node/heartbeat.ts";
import type { FamilyState } from "../../src/node/family_rules.ts";
import { NodeRules, type NodeRulesOptions } from "../../src/node/node_rules.ts";
import { VirtualClock } from "../support/run/virtual_clock.ts";

export interface MadeOptions extends Partial<NodeRulesOptions> {
  listFault?: (list: string) => string | null;
}

/** `NodeRules` with virtual pauses and recorded reports. */
export interface MadeRules {
  rules: Pick<NodeRules, "ensure" | "stop"> & {
    turnAway(limitMs?: number): Promise<void>;
    remove(limitMs?: number): Promise<boolean>;
  };
  check(): Promise<FamilyState>;
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
  let kept: readonly Beat[] = [];
  const heartbeat = new Heartbeat((beats) => {
    const gone = kept.filter(({ entry }) => !beats.some((one) => one.entry === entry));
    for (const { list, entry } of gone) written.push(`${list} -${entry}`);
    kept = beats;
    const faults: Record<string, string> = {};
    for (const { list, entry } of beats) {
      const fault = listFault(list);
      if (fault !== null) faults[list] = fault;
      else written.push(`${list} +${entry}`);
    }
    return Promise.resolve(faults);
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
    check: async () => (await during(clock, rules.ensure()))[0]!,
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
