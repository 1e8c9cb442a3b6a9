/** Runs `KernelHits`: reads one command per line and answers each with a line of JSON. */
import { systemClock } from "../../../src/base/clock.ts";
import { KernelHits } from "../../../src/kernel/kernel_hits.ts";
import { LinuxInterfaces } from "../../../src/kernel/interfaces.ts";
import { linuxOperations } from "../../../src/kernel/operations.ts";
import type { Selection } from "../../../src/kernel/selection.ts";
import {
  attachTcx,
  closeDescriptor,
  closeLink,
  type KernelProgram,
  loadProgram,
} from "../../../src/sys/bpf/bpf.ts";
import { parseEffective } from "../../../src/sys/capabilities.ts";
import { readKernelFile } from "../../../src/sys/kernel_file.ts";
import { Rtnetlink } from "../../../src/sys/netlink/rtnetlink.ts";
import { TrafficControl } from "../../../src/sys/netlink/traffic_control.ts";

/** Options of the script, as JSON. */
export interface ScriptOptions {
  selection: Selection;
  attach?: "tcx" | "clsact";
  /** Load a program that the verifier rejects. */
  rejected?: boolean;
}

const { selection, attach, rejected = false }: ScriptOptions = JSON.parse(Deno.args[0]!);
const log: string[] = [];
const opened: boolean[] = [];
const operations = linuxOperations(systemClock, attach);
/** r0 = 0; exit. */
const PASS = "twAAAAAAAACVAAAAAAAAAA==";
/** exit without a result. */
const REJECTED = "lQAAAAAAAAA=";

function program(name: string, code: string): KernelProgram {
  return { name, code, relocations: [], scratch: { map: "scratch", sizeBytes: 8 } };
}

const hits = new KernelHits({
  selection,
  process: {
    driver: "linux",
    workers: 1,
    capabilities: parseEffective(readKernelFile("/proc/self/status")),
  },
  cachedAnswers: 100,
  plane: { openKernel: (maps) => opened.push(maps !== null) },
  isBeside: () => false,
  log: (level, line) => log.push(`${level}: ${line}`),
  operations: rejected
    ? {
      ...operations,
      load: () => loadProgram(program("rejected", REJECTED), new Map(), 5000, systemClock),
    }
    : operations,
});
const foreign = new Map<string, () => void>();

function indexOf(name: string): number {
  const kernel = new Rtnetlink();
  const index = kernel.getLink(name)!.index;
  kernel.close();
  return index;
}

async function addForeign(name: string): Promise<void> {
  const [index, fd] = [
    indexOf(name),
    await loadProgram(program("policy", PASS), new Map(), 5000, systemClock),
  ];
  if (attach !== "clsact") {
    const link = attachTcx(fd, index);
    foreign.set(name, () => closeLink(link));
  } else {
    const control = new TrafficControl();
    const filter = { name: "policy", priority: 2, handle: 7 };
    control.addClsact(index);
    control.setFilter(index, fd, filter);
    foreign.set(name, () => void control.deleteFilter(index, filter));
  }
  closeDescriptor(fd);
}

const COMMANDS: Record<string, (argument: string) => unknown> = {
  start: () => hits.start(),
  status: () => ({ ...hits.describe(), log, opened }),
  retire: () => hits.retire(),
  stop: () => hits.stop(),
  addForeign,
  removeForeign: (name) => foreign.get(name)!(),
  programs: (name) => {
    const interfaces = new LinuxInterfaces("tcx", new Map());
    const found = interfaces.programsOn(indexOf(name)).map(({ where, name }) => `${where} ${name}`);
    interfaces.close();
    return found;
  },
  filters: (name) => {
    const control = new TrafficControl();
    const index = indexOf(name);
    const found = control.listFilters(index, "ingress").map(({ name }) => name);
    // Removed if it is there and empty, so that its presence shows.
    const filters = { found, emptyQdisc: control.removeClsact(index) };
    control.close();
    return filters;
  },
};

const encoder = new TextEncoder();
let rest = "";
for await (const chunk of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  const lines = (rest + chunk).split("\n");
  rest = lines.pop()!;
  for (const line of lines) {
    const [command, argument = ""] = line.split(" ");
    const value = await COMMANDS[command!]!(argument) ?? null;
    Deno.stdout.writeSync(encoder.encode(`${JSON.stringify(value)}\n`));
  }
}
Deno.exit(0);
