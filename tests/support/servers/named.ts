import { freePort } from "./ports.ts";
import { startProcess } from "../processes/process.ts";

const ZONES = new URL("./zones/", import.meta.url);

/** A BIND on 127.0.0.1 that counts its queries. */
export interface Named {
  readonly port: number;
  /** Number of queries for this name (without a trailing dot) and type. */
  queries(name: string, type: string, qclass?: string): number;
  stop(): Promise<void>;
}

/** An additional zone of named. */
export interface NamedZone {
  readonly name: string;
  readonly text: string;
  /** More statements of the zone's block, each with its semicolon. */
  readonly statements?: string;
}

export interface NamedOptions {
  /** The zones of `zones/` and `broken.example.`; default true. */
  readonly standardZones?: boolean;
  readonly zones?: readonly NamedZone[];
  /** Statements of the options block; the default recurses and does not validate. */
  readonly statements?: string;
  /** Statements of the top level. */
  readonly global?: string;
}

/**
 * Starts named with `example.org`, `example.net` and its own root zone, so that it queries no
 * other server. `broken.example.` is a zone that it cannot load: SERVFAIL.
 */
export async function startNamed(options: NamedOptions = {}): Promise<Named> {
  const port = await freePort();
  const directory = Deno.makeTempDirSync({ prefix: "nodens_named_" });
  if (options.standardZones ?? true) {
    for (const zone of ["root", "example.org", "example.net"]) {
      Deno.copyFileSync(new URL(`${zone}.zone`, ZONES), `${directory}/${zone}.zone`);
    }
  }
  for (const { name, text } of options.zones ?? []) {
    Deno.writeTextFileSync(`${directory}/${name}.zone`, text);
  }
  Deno.writeTextFileSync(`${directory}/named.conf`, configuration(port, directory, options));
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
      queries(name, type, qclass = "IN") {
        const line = ` query: ${name.toLowerCase()} ${qclass} ${type} `;
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

const STANDARD_ZONES = `zone "." { type primary; file "root.zone"; };
zone "example.org" { type primary; file "example.org.zone"; };
zone "example.net" { type primary; file "example.net.zone"; };
zone "broken.example" { type primary; file "missing.zone"; };
`;

function configuration(port: number, directory: string, options: NamedOptions): string {
  const zones = (options.zones ?? []).map(({ name, statements }) =>
    `zone "${name}" { type primary; file "${name}.zone"; ${statements ?? ""} };\n`
  );
  return `options {
  directory "${directory}";
  pid-file none;
  session-keyfile "${directory}/session.key";
  listen-on port ${port} { 127.0.0.1; };
  listen-on-v6 { none; };
  allow-query { any; };
  ${options.statements ?? "recursion yes; dnssec-validation no;"}
  notify no;
};
controls { };
logging {
  channel main { file "${directory}/named.log"; severity info; };
  channel queries { file "${directory}/queries.log"; severity info; };
  category default { main; };
  category queries { queries; };
};
${options.global ?? ""}
${options.standardZones ?? true ? STANDARD_ZONES : ""}${zones.join("")}`;
}
