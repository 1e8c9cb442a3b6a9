/** nodens: a DNS cache for every node. This file only picks the command. */
import { Signals } from "./src/cli/serve/signals.ts";
import { DebuggerSignal } from "./src/sys/debugger_signal.ts";

async function main(args: readonly string[]): Promise<number> {
  const [command, ...rest] = args;
  const usr1 = new DebuggerSignal();
  // Commands are loaded only now: signals must have their handlers first, and one command does not
  // need what another one does.
  if (command === "check") {
    const { runCheck } = await import("./src/cli/check/check.ts");
    const { commandHost } = await import("./src/control/host_deno.ts");
    const { processOutput } = await import("./src/cli/output.ts");
    return await runCheck(rest, commandHost, processOutput);
  }
  if (command === "query") {
    const { runQuery } = await import("./src/cli/query/query.ts");
    const { processOutput } = await import("./src/cli/output.ts");
    return await runQuery(rest, processOutput);
  }
  if (command === "status") {
    const { runStatus } = await import("./src/cli/status/status.ts");
    const { processOutput } = await import("./src/cli/output.ts");
    return await runStatus(rest, processOutput);
  }
  if (command === "doctor") {
    const { runDoctor } = await import("./src/cli/doctor/doctor.ts");
    const { denoHost } = await import("./src/control/host_deno.ts");
    const { processOutput } = await import("./src/cli/output.ts");
    return await runDoctor(rest, denoHost, processOutput);
  }
  if (command === "healthcheck") {
    const { runHealthcheck } = await import("./src/cli/status/healthcheck.ts");
    const { processOutput } = await import("./src/cli/output.ts");
    return await runHealthcheck(rest, processOutput);
  }
  if (command === "manifest") {
    const { runManifest } = await import("./src/cli/manifest/manifest.ts");
    const { commandHost } = await import("./src/control/host_deno.ts");
    const { processOutput } = await import("./src/cli/output.ts");
    return await runManifest(rest, commandHost, processOutput);
  }
  if (command === "redirect") {
    const { runRedirect } = await import("./src/cli/redirect/redirect.ts");
    const { runCommand } = await import("./src/node/rules/command.ts");
    const { processOutput } = await import("./src/cli/output.ts");
    return await runRedirect(rest, processOutput, runCommand);
  }
  if (command === "completion") {
    const { runCompletion } = await import("./src/cli/shell/completion.ts");
    const { processOutput } = await import("./src/cli/output.ts");
    return runCompletion(rest, processOutput);
  }
  if (command === "man") {
    const { runMan } = await import("./src/cli/shell/man.ts");
    const { processOutput } = await import("./src/cli/output.ts");
    return runMan(rest, processOutput);
  }
  if (command === "help") {
    const { runHelp } = await import("./src/cli/shell/help.ts");
    const { processOutput } = await import("./src/cli/output.ts");
    return runHelp(rest, processOutput);
  }
  if (command !== undefined && !command.startsWith("-")) {
    const { unknownCommand } = await import("./src/cli/shell/help.ts");
    const { processOutput } = await import("./src/cli/output.ts");
    processOutput.err(`nodens: ${unknownCommand(command)}\nRun "nodens -h" for help.\n`);
    return 2;
  }
  const signals = new Signals(usr1);
  const { runServe } = await import("./src/cli/serve/serve.ts");
  return await runServe(args, signals);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
