import { systemClock } from "../../base/clock.ts";
import { denoHost } from "../../control/host_deno.ts";
import { FLAG, TYPE } from "../../dns/constants.ts";
import { rcodeText } from "../../dns/mnemonics.ts";
import { parseName } from "../../dns/name.ts";
import { type Diagnosis, examine } from "../../doctor/examine.ts";
import { countStatuses, exitCode } from "../../doctor/judge/finding.ts";
import type { Answer } from "../../doctor/judge/queries.ts";
import type { DoctorOptions, Question } from "../../doctor/probe/options.ts";
import { askTcp, askUdp, NoReplyError } from "../../follow/dns_client.ts";
import { runCommand } from "../../node/rules/command.ts";
import { KernelTree } from "../../sys/kernel_file.ts";
import type { Call, CommandIo } from "../command.ts";
import { glibcFault } from "../glibc.ts";
import { buildQuery, mismatch } from "../query/message.ts";
import { VERSION } from "../version.ts";
import { type DoctorValues, readDoctorOptions } from "./options.ts";
import { doctorText } from "./text.ts";

const DEFAULT_WIDTH = 100;

/** `nodens doctor`: 0, or 1 for a problem. */
export async function run(
  call: Call<DoctorValues>,
  { output }: CommandIo,
): Promise<number> {
  const options = readDoctorOptions(call, (name) => denoHost.env(name));
  const libcMissing = glibcFault();
  const tree = libcMissing === null ? new KernelTree() : null;
  const diagnosis = await examine(options, {
    ...{ host: denoHost, tree, libcMissing, run: runCommand, ask: askOnce, self: selfWords() },
  });
  output.out(
    call.values.json ? jsonText(diagnosis, options) : doctorText(diagnosis.findings, {
      head: headText(diagnosis, options),
      color: Deno.stdout.isTerminal() && (denoHost.env("NO_COLOR") ?? "") === "",
      width: terminalWidth(),
    }),
  );
  return exitCode(diagnosis.findings);
}

function jsonText({ running, findings }: Diagnosis, { node }: DoctorOptions): string {
  const report = {
    version: VERSION,
    ok: exitCode(findings) === 0,
    role: node.localIps.length > 0 ? "node" : "host",
    running,
    counts: countStatuses(findings),
    findings,
  };
  return `${JSON.stringify(report, null, 2)}\n`;
}

function headText({ running }: Diagnosis, { node }: DoctorOptions): string {
  const role = node.localIps.length > 0
    ? `a node's cache at ${node.localIps.join(", ")}`
    : "a server of this host (no -localip)";
  const state = {
    nodens: "nodens serves",
    "node-cache": "node-cache serves",
    another: "another program serves there",
    unknown: "an unidentified process serves there",
    unseen: "it is unknown who serves there",
    nobody: "nobody serves there yet",
  }[running];
  return `nodens ${VERSION} as ${role}; ${state}`;
}

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

/** Never rejects. */
async function askOnce(
  { name, address, port, transport, timeoutMs, source }: Question,
): Promise<Answer> {
  const query = buildQuery({ name: parseName(name), type: TYPE.A });
  const start = systemClock.now();
  try {
    const reply = await (transport === "TCP" ? askTcp : askUdp)({ address, port }, query, {
      timeoutMs,
      accept: (message) => mismatch(query, message) === null,
      ...source !== undefined && { source },
    });
    const rcode = rcodeText((reply[2]! << 8 | reply[3]!) & FLAG.RCODE);
    return { rcode, ms: systemClock.now() - start };
  } catch (error) {
    return { failure: error instanceof NoReplyError ? error.message : String(error) };
  }
}
