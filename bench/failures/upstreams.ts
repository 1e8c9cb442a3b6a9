import type { Site } from "./network.ts";
import { ZONE } from "./outcome.ts";
import type { InsideProcess, Processes } from "./processes.ts";

const PROXY = new URL("./proxy.ts", import.meta.url).pathname;
const PORT = 53;
const HIDDEN_PORT = 5353;

/** A named that answers the whole zone, and its proxy. */
export interface RunningUpstream {
  readonly site: Site;
  readonly port: number;
  readonly server: InsideProcess;
  /** Can delay answers. */
  readonly proxy: InsideProcess | null;
}

/** Starts a site's upstream, optionally behind a proxy. */
export async function startUpstream(
  site: Site,
  options: { processes: Processes; directory: string; proxied: boolean },
): Promise<RunningUpstream> {
  const { processes, proxied } = options;
  const directory = Deno.makeTempDirSync({ dir: options.directory, prefix: "named_" });
  Deno.writeTextFileSync(
    `${directory}/zone`,
    `$TTL 3600
@ IN SOA ns hostmaster 1 7200 3600 1209600 300
@ IN NS ns
ns IN A ${site.address}
* IN A 192.0.2.1
`,
  );
  Deno.writeTextFileSync(
    `${directory}/named.conf`,
    `options {
  directory "${directory}";
  pid-file none;
  session-keyfile none;
  listen-on port ${proxied ? HIDDEN_PORT : PORT} { any; };
  listen-on-v6 { none; };
  recursion no;
  dnssec-validation no;
  notify no;
};
controls { };
zone "${ZONE}" { type primary; file "zone"; };
`,
  );
  const server = await processes.start({
    namespace: site.namespace,
    command: ["named", "-g", "-4", "-n", "1", "-c", `${directory}/named.conf`],
    ready: (written) => /\brunning\b/.test(written),
  });
  const proxy = !proxied ? null : await processes.start({
    namespace: site.namespace,
    command: [
      ...[Deno.execPath(), "run", "-A", PROXY],
      ...[site.address, String(PORT), String(HIDDEN_PORT)],
    ],
    ready: (written) => written.includes("ready"),
  });
  return { site, port: PORT, server, proxy };
}
