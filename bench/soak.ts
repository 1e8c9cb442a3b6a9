/**
 * Drives nodens at full rate; any lost or failed query is an error.
 *
 *   deno run -A bench/soak.ts [--seconds 60] [--nodens "COMMAND"]
 */
import { parseArgs } from "node:util";
import { runLoad } from "./load.ts";
import { writeNames } from "./names.ts";
import { ANSWER_PROGRAM, buildNative, TTL_SECONDS } from "./native.ts";
import { note, print } from "./output.ts";
import { installed, pinSelf, startServer } from "./process.ts";
import { nodens } from "./servers/nodens.ts";

const HOT_NAMES = 10_000;
const UPSTREAM_PORT = 15_302;
const PORT = 15_303;

const { values: flags } = parseArgs({
  options: { seconds: { type: "string", default: "60" }, nodens: { type: "string" } },
});
const seconds = Number(flags.seconds);
if (!Number.isInteger(seconds) || seconds < 1) {
  throw new RangeError(`--seconds: "${flags.seconds}" is not a whole number above 0`);
}

if (!installed("dnsperf")) note("SKIPPED: dnsperf is not installed");
else if (buildNative()) Deno.exitCode = await soak() ? 0 : 1;

async function soak(): Promise<boolean> {
  const directory = Deno.makeTempDirSync({ prefix: "nodens_soak_" });
  const command = nodens(flags.nodens).prepare({
    port: PORT,
    upstreams: [{ address: "127.0.0.1", port: UPSTREAM_PORT }],
    directory,
    capacity: 2 * HOT_NAMES,
  });
  pinSelf();
  const upstream = await startServer(
    [ANSWER_PROGRAM, String(UPSTREAM_PORT), String(TTL_SECONDS)],
    { port: UPSTREAM_PORT, core: "load" },
  );
  try {
    const server = await startServer(command, { port: PORT, core: "server" });
    try {
      const names = writeNames(directory, { hot: HOT_NAMES, entries: HOT_NAMES });
      // The first pass is all misses.
      const result = await runLoad({ port: PORT, dataFile: names.hot, seconds });
      print(
        `${result.sent} queries in ${result.seconds.toFixed(1)} s ` +
          `(${Math.round(result.queriesPerSecond)} a second), ` +
          `${result.lost} lost, ${result.failed} not NOERROR`,
      );
      return result.sent > 0 && result.lost === 0 && result.failed === 0;
    } finally {
      await server.stop();
    }
  } finally {
    await upstream.stop();
    Deno.removeSync(directory, { recursive: true });
  }
}
