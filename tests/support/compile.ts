/**
 * Makes dist/nodens: one executable with the data plane's thread inside and no more rights than it
 * needs. Where the runtime to embed cannot be downloaded, the embedding alone is checked, aloud.
 */
import { Buffer } from "node:buffer";

const ROOT = new URL("../../", import.meta.url).pathname;
const TARGET = "dist/nodens";

/**
 * What nodens may do: its sockets and those of the C library, files that a Corefile names (hosts,
 * imports, resolv.conf, the pid file, caches that are kept), the environment that a Corefile refers
 * to, the names of network interfaces and of the machine, and the commands of iptables (not by name:
 * the runtime would look for each at every start, and tell of those that are not there; and what may
 * call the C library may start programs anyway).
 */
const ARGUMENTS = [
  "compile",
  "--no-prompt",
  "--allow-net",
  "--allow-ffi",
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "--allow-run",
  "--allow-sys=networkInterfaces,hostname",
  "--include",
  "src/control/worker.ts",
  "--output",
  TARGET,
  "main.ts",
];
/** Text that only what must be inside has: the thread, what is loaded when asked for, a package. */
const EMBEDDED = {
  "src/control/worker.ts": "receiveMessageOnPort(",
  "src/control/host_watch.ts": "class HostWatch",
  "src/control/snapshot_files.ts": "its checksum is another",
  "src/cli/check.ts": "it needs the Corefile to look at",
  "src/cli/query.ts": "runQuery",
  "src/cli/status.ts": "it takes one address, but",
  "src/control/endpoints.ts": "stopping in ",
  "src/cli/redirect.ts": "install|remove|status [-n]",
  "src/cli/healthcheck.ts": "is neither a URL nor an address",
  "src/cli/manifest.ts": "no DaemonSet has a container whose image is node-cache",
  "npm:dns-packet": "UNKNOWN_",
  "npm:ipaddr.js": "ipaddr: the address has neither IPv6 nor IPv4 CIDR format",
  "npm:re2js": "RE2JS",
  "npm:yaml": "Excessive alias count indicates a resource exhaustion attack",
};

const write = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));

async function compile(
  environment: Record<string, string>,
): Promise<{ ok: boolean; text: string }> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ARGUMENTS,
    cwd: ROOT,
    env: { NO_COLOR: "1", ...environment },
  }).output();
  const decoder = new TextDecoder();
  return { ok: success, text: decoder.decode(stdout) + decoder.decode(stderr) };
}

let result = await compile({});
let runnable = result.ok;
if (!result.ok && /denort|download|error sending request|dns error/i.test(result.text)) {
  runnable = false;
  result = await compile({ DENORT_BIN: Deno.execPath() });
}
if (!result.ok) {
  write(result.text);
  Deno.exit(1);
}
const executable = Buffer.from(Deno.readFileSync(ROOT + TARGET));
const missing = Object.entries(EMBEDDED).flatMap(([name, text]) =>
  executable.includes(text) ? [] : [name]
);
if (missing.length > 0) {
  write(`${result.text}\nNot embedded: ${missing.join(", ")}`);
  Deno.exit(1);
}
write(result.text.trim());
if (runnable) {
  const { success, stdout } = await new Deno.Command(ROOT + TARGET, { args: ["-version"] })
    .output();
  if (!success) Deno.exit(1);
  write(`Made ${TARGET}: ${new TextDecoder().decode(stdout).trim()}`);
} else {
  Deno.removeSync(ROOT + TARGET);
  write(
    "NOT MADE: the runtime stub (denort) cannot be downloaded here. What would be embedded was" +
      " checked; the executable itself was neither made nor run.",
  );
}
