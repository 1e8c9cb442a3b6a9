/**
 * Runs `deno test` with the arguments given, and closes with a list of what was skipped and why.
 * Test files run side by side, so what each of them says would otherwise stand amid the results.
 * Arguments after `--then` are those of another run, which follows the one before whatever became
 * of that.
 */
import { SKIPPED_FILE, skippedReport } from "./support/run/skipped.ts";

const OPTIONS = ["--lock=dev.lock", "--frozen", "-A", "--no-check"];

const file = Deno.makeTempFileSync({ prefix: "nodens_skipped_" });
let code = 0;
try {
  let stopped = false;
  let child: Deno.ChildProcess | undefined;
  // The terminal interrupts all; this one has to stay until the list is printed.
  Deno.addSignalListener("SIGINT", () => stopped = true);
  Deno.addSignalListener("SIGTERM", () => {
    stopped = true;
    child?.kill("SIGTERM");
  });
  for (const args of runs(Deno.args)) {
    child = new Deno.Command(Deno.execPath(), {
      args: ["test", ...OPTIONS, ...args],
      env: { [SKIPPED_FILE]: file },
    }).spawn();
    const status = await child.status;
    code ||= status.code;
    if (stopped) break;
  }
  Deno.stdout.writeSync(new TextEncoder().encode(skippedReport(Deno.readTextFileSync(file))));
} finally {
  Deno.removeSync(file);
}
Deno.exit(code);

/** The arguments of each run. */
function runs(args: readonly string[]): string[][] {
  const lists: string[][] = [[]];
  for (const arg of args) {
    if (arg === "--then") lists.push([]);
    else lists.at(-1)!.push(arg);
  }
  return lists;
}
