import type { HostView } from "../../config/host.ts";
import { type Diagnosis, examine } from "../../doctor/examine.ts";
import { countStatuses, exitCode } from "../../doctor/judge/finding.ts";
import type { DoctorOptions } from "../../doctor/probe/options.ts";
import { runCommand } from "../../node/rules/command.ts";
import { KernelTree } from "../../sys/kernel_tree.ts";
import { askOnce } from "./ask.ts";
import { readDoctorFlags } from "./flags.ts";
import { doctorText } from "./text.ts";
import type { Output } from "../output.ts";
import { VERSION } from "../version.ts";

const DEFAULT_WIDTH = 100;

/**
 * `nodens doctor`: examines whether nodens would work here, or does, and says what to do if not.
 * Returns 0, or 1 for a problem. Throws `FlagError`.
 */
export async function runDoctor(
  args: readonly string[],
  host: HostView,
  output: Output,
): Promise<number> {
  const { options, json } = readDoctorFlags(args, (name) => host.env(name));
  const { tree, libcMissing } = openTree();
  const diagnosis = await examine(options, {
    ...{ host, tree, libcMissing, run: runCommand, ask: askOnce, self: selfWords() },
  });
  output.out(
    json ? jsonText(diagnosis, options) : doctorText(diagnosis.findings, {
      head: headText(diagnosis, options),
      color: Deno.stdout.isTerminal() && (host.env("NO_COLOR") ?? "") === "",
      width: terminalWidth(),
    }),
  );
  return exitCode(diagnosis.findings);
}

/** For scripts; the ids of the checks do not change. */
function jsonText({ running, findings }: Diagnosis, { node }: DoctorOptions): string {
  return `${
    JSON.stringify(
      {
        version: VERSION,
        ok: exitCode(findings) === 0,
        role: node.localIps.length > 0 ? "node" : "host",
        running,
        counts: countStatuses(findings),
        findings,
      },
      null,
      2,
    )
  }\n`;
}

function headText({ running }: Diagnosis, { node }: DoctorOptions): string {
  const role = node.localIps.length > 0
    ? `a node's cache at ${node.localIps.join(", ")}`
    : "a server of this host (no -localip)";
  const state = {
    nodens: "nodens serves",
    "node-cache": "node-cache serves",
    another: "another program serves there",
    unknown: "somebody serves there, whose process cannot be seen",
    unseen: "who serves there cannot be seen",
    nobody: "nobody serves there yet",
  }[running];
  return `nodens ${VERSION} as ${role}; ${state}`;
}

function openTree(): { tree: KernelTree | null; libcMissing: string | null } {
  if (Deno.build.os !== "linux") return { tree: null, libcMissing: `this is ${Deno.build.os}` };
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    return { tree: null, libcMissing: "FFI is not allowed (--allow-ffi)" };
  }
  try {
    return { tree: new KernelTree(), libcMissing: null };
  } catch (error) {
    return { tree: null, libcMissing: `glibc cannot be opened: ${(error as Error).message}` };
  }
}

/** The words that run this program again. */
function selfWords(): string[] {
  const program = Deno.execPath();
  return Deno.build.standalone ? [program] : [program, "run", "-A", Deno.mainModule];
}

function terminalWidth(): number {
  try {
    return Deno.stdout.isTerminal() ? Deno.consoleSize().columns : DEFAULT_WIDTH;
  } catch {
    return DEFAULT_WIDTH;
  }
}
