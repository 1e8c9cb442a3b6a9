import type { Attack, Outcome } from "./attack.ts";
import { MemoryGroup } from "./memory_group.ts";
import { readShipped, type Shipped } from "./shipped.ts";
import type { StageOutcome } from "./stage.ts";

export interface RunOptions {
  readonly seconds: number;
  /** Duration of the idle measurement; default: `seconds`. */
  readonly idleSeconds?: number;
}

/** Verdict on an attack. */
export interface Verdict {
  readonly outcome: Outcome;
  readonly faults: readonly string[];
  /** Excessive times: hits compared with the idle machine, or an operation named by the attack. */
  readonly slow: string | null;
}

export const SECONDS = { default: 2.5, min: 2, max: 10 } as const;
/** Margin of hits over the idle machine at the 99th percentile. */
export const LATENCY_BEYOND_IDLE_MS = 3;

const STAGE = new URL("./stage.ts", import.meta.url).pathname;
const MIB = 2 ** 20;

let manifest: Promise<Shipped> | null = null;

/** Runs an attack in its own namespaces and memory group, and judges the result. */
export async function runAttack(attack: Attack, options: RunOptions): Promise<Verdict> {
  const seconds = Math.max(options.seconds, attack.minSeconds ?? 0);
  const folder = Deno.makeTempDirSync({ prefix: "nodens_attack_" });
  const shipped = await (manifest ??= readShipped());
  Deno.writeTextFileSync(`${folder}/shipped.json`, JSON.stringify(shipped));
  const group = MemoryGroup.make(shipped.memoryBytes);
  try {
    const { success, stdout, stderr } = await new Deno.Command("unshare", {
      args: [
        ...["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"],
        ...[Deno.execPath(), "run", "--quiet", "--cached-only", "-A", STAGE],
        ...[attack.name, String(seconds), String(options.idleSeconds ?? seconds)],
        ...[group.entrance, folder],
      ],
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    if (!success) {
      throw new Error(`Cannot perform "${attack.name}":\n${decoder.decode(stderr).trim()}`);
    }
    const { peakMiB, ...found }: StageOutcome = JSON.parse(decoder.decode(stdout));
    const { peak, sockets, kills } = group.use();
    return judge(attack, shipped.memoryBytes / MIB, {
      ...found,
      memory: { group: peak, process: peakMiB, sockets },
      outOfMemory: kills > 0,
    });
  } finally {
    await group.remove();
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Compares an outcome with the promises. */
export function judge(attack: Attack, limitMiB: number, outcome: Outcome): Verdict {
  const { alive, code, idle, attacked, memory, outOfMemory } = outcome;
  const faults: string[] = [];
  if (!alive) faults.push(`nodens ended with code ${code}`);
  else if (code !== 0) faults.push(`nodens, told to stop, ended with code ${code}`);
  for (const kind of ["hits", "misses"] as const) {
    const { lost, asked } = attacked[kind];
    if (asked === 0) faults.push(`no ${kind} were asked`);
    if (lost > 0) faults.push(`the other client lost ${lost} of ${asked} ${kind}`);
    if (idle[kind].lost > 0) faults.push(`${idle[kind].lost} ${kind} were lost before the attack`);
  }
  if (outOfMemory) faults.push("the kernel killed for want of memory");
  if (memory.group + memory.sockets > limitMiB) {
    const parts = `${memory.group.toFixed()} MiB and ${memory.sockets.toFixed()} MiB in sockets`;
    faults.push(`memory went beyond the limit: ${parts}`);
  }
  faults.push(...attack.judge?.(outcome) ?? []);
  const beyond = attacked.hits.p99 - idle.hits.p99;
  const slow = beyond <= LATENCY_BEYOND_IDLE_MS
    ? attack.slow?.(outcome) ?? null
    : `hits took ${beyond.toFixed(1)} ms more than on the idle machine (p99)`;
  return { outcome, faults, slow };
}
