import { freePort } from "./net_ports.ts";
import { startProcess } from "./net_process.ts";

const ZONES = new URL("./zones/", import.meta.url);

/** A BIND that serves the zones of `zones/` on 127.0.0.1, and counts who asked for what. */
export interface Named {
  readonly port: number;
  /** Queries that reached it so far for this name (no dot at the end) and type. */
  queries(name: string, type: string): number;
  stop(): Promise<void>;
}

/**
 * Starts named with `example.org`, `example.net` and a root zone of its own, so that it asks nobody.
 *
 * `broken.example.` is a zone that it cannot load: SERVFAIL.
 */
export async function startNamed(): Promise<Named> {
  const port = await freePort();
  const directory = Deno.makeTempDirSync({ prefix: "nodens_named_" });
  for (const zone of ["root", "example.org", "example.net"]) {
    Deno.copyFileSync(new URL(`${zone}.zone`, ZONES), `${directory}/${zone}.zone`);
  }
  Deno.writeTextFileSync(`${directory}/named.conf`, configuration(port, directory));
  const read = (name: string): string => {
    try {
      return Deno.readTextFileSync(`${directory}/${name}`);
    } catch {
      return "";
    }
  };
  try {
    const process = await startProcess("named", {
      args: ["-f", "-n", "1", "-c", `${directory}/named.conf`],
      cwd: directory,
      ready: () => /\brunning\b/.test(read("named.log")),
    });
    return {
      port,
      queries(name, type) {
        const line = ` query: ${name.toLowerCase()} IN ${type} `;
        return read("queries.log").toLowerCase().split(line.toLowerCase()).length - 1;
      },
      async stop() {
        await process.stop();
        Deno.removeSync(directory, { recursive: true });
      },
    };
  } catch (error) {
    const log = read("named.log");
    Deno.removeSync(directory, { recursive: true });
    throw new Error(`${(error as Error).message}${log}`, { cause: error });
  }
}

function configuration(port: number, directory: string): string {
  return `options {
  directory "${directory}";
  pid-file none;
  session-keyfile "${directory}/session.key";
  listen-on port ${port} { 127.0.0.1; };
  listen-on-v6 { none; };
  allow-query { any; };
  recursion yes;
  dnssec-validation no;
  notify no;
};
controls { };
logging {
  channel main { file "${directory}/named.log"; severity info; };
  channel queries { file "${directory}/queries.log"; severity info; };
  category default { main; };
  category queries { queries; };
};
zone "." { type primary; file "root.zone"; };
zone "example.org" { type primary; file "example.org.zone"; };
zone "example.net" { type primary; file "example.net.zone"; };
zone "broken.example" { type primary; file "missing.zone"; };
`;
}
