import { parseAllDocuments } from "yaml";
import { PERMISSIONS } from "../../../release/permissions.ts";
import { V8_FLAGS } from "../../../release/v8_flags.ts";
import { HTTP, PLACES } from "./places.ts";

const MAIN = new URL("../../../main.ts", import.meta.url).pathname;
const DEV_LOCK = new URL("../../../dev.lock", import.meta.url).pathname;
const UNITS: Readonly<Record<string, number>> = { Mi: 2 ** 20, Gi: 2 ** 30 };

/** The parts of `nodens manifest`'s output that the stage uses. */
export interface Shipped {
  readonly corefile: string;
  readonly memoryBytes: number;
  /** The container's capabilities, as setpriv names them. */
  readonly capabilities: readonly string[];
}

export async function readShipped(): Promise<Shipped> {
  // Caches its imports, since it starts without a network. Types are cached too, and would be added
  // to deno.lock.
  await new Deno.Command(Deno.execPath(), {
    args: ["cache", "--quiet", `--lock=${DEV_LOCK}`, "--frozen", MAIN],
  }).output();
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--cached-only", MAIN, "manifest", "-kubedns", PLACES.kubeDns],
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`Cannot read the manifest: ${decoder.decode(stderr)}`);
  // deno-lint-ignore no-explicit-any
  const objects: any[] = parseAllDocuments(decoder.decode(stdout)).map((one) => one.toJS());
  const container = objects.find(({ kind }) => kind === "DaemonSet").spec.template.spec
    .containers[0];
  const [, amount, unit] = /^(\d+)(Mi|Gi)$/.exec(container.resources.limits.memory)!;
  return {
    corefile: fill(objects.find(({ kind }) => kind === "ConfigMap").data.Corefile),
    memoryBytes: Number(amount) * UNITS[unit!]!,
    capabilities: container.securityContext.capabilities.add
      .map((name: string) => name.toLowerCase()),
  };
}

/** Fills the variables, and serves metrics at the stage's address. */
function fill(corefile: string): string {
  return corefile
    .replaceAll("__PILLAR__CLUSTER__DNS__", PLACES.clusterUpstream)
    .replaceAll("__PILLAR__UPSTREAM__SERVERS__", PLACES.upstream)
    .replace(/^ *prometheus\b.*\n/gm, "")
    .replaceAll(/^( *)errors$/gm, `$1errors\n$1prometheus ${PLACES.node}:${HTTP.metrics}`);
}

export function changed(corefile: string, from: string | RegExp, to: string): string {
  const result = corefile.replaceAll(from, to);
  if (result === corefile) throw new Error(`Cannot find ${from} in the Corefile`);
  return result;
}

export interface StartOptions {
  readonly corefile: string;
  readonly capabilities: readonly string[];
  readonly files: number;
  readonly entrance: string | null;
}

/**
 * The command that runs nodens from source as the manifest runs the image: a read-only root, only
 * the manifest's capabilities, the executable's permissions.
 */
export function shippedCommand(options: StartOptions): string[] {
  const { corefile, capabilities, files, entrance } = options;
  const enter = entrance === null ? "" : `echo 0 > ${entrance} && `;
  return [
    ...["unshare", "--mount", "sh", "-c"],
    `${enter}mount -o remount,bind,ro / && exec "$@"`,
    "sh",
    "setpriv",
    `--bounding-set=-all,${capabilities.map((name) => `+${name}`).join(",")}`,
    "--inh-caps=-all",
    "--no-new-privs",
    ...["prlimit", `--nofile=${files}:${files}`],
    ...[Deno.execPath(), "run", "--quiet", "--cached-only", V8_FLAGS, ...PERMISSIONS, MAIN],
    ...["-conf", corefile],
  ];
}
