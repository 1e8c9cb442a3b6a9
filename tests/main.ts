/**
 * Runs `deno test` with the arguments given, and closes with a list of what was skipped and why.
 * Test files run side by side, so what each of them says would otherwise stand amid the results.
 */
import { SKIPPED_FILE, skippedReport } from "./support/skipped.ts";

const OPTIONS = ["--lock=dev.lock", "--frozen", "-A", "--no-check"];

const file = Deno.makeTempFileSync({ prefix: "nodens_skipped_" });
let code = 1;
try {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", ...OPTIONS, ...Deno.args],
    env: { [SKIPPED_FILE]: file },
  }).spawn();
  // The terminal interrupts both; this one has to stay until the list is printed.
  Deno.addSignalListener("SIGINT", () => {});
  Deno.addSignalListener("SIGTERM", () => child.kill("SIGTERM"));
  ({ code } = await child.status);
  Deno.stdout.writeSync(new TextEncoder().encode(skippedReport(Deno.readTextFileSync(file))));
} finally {
  Deno.removeSync(file);
}
Deno.exit(code);
