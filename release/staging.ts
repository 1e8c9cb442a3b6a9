import { setTimes } from "./archive.ts";
import { mustRun } from "./command.ts";
import type { Graph } from "./graph.ts";
import type { Origin } from "./origin.ts";

export interface Staging {
  readonly sources: string;
  readonly denoDir: string;
}

/** Excludes LICENSE: Deno would embed a parse error with local paths. */
const CODE = /\.(?:[cm]?js|json)$/;
const COMMIT_FILE = "src/cli/commit.ts";

/** Copies modules and packages and writes the commit. Times are equal, for `deno compile`. */
export async function stage(
  folder: string,
  { root, graph, origin }: { root: string; graph: Graph; origin: Origin },
): Promise<Staging> {
  const sources = `${folder}/sources/`;
  const denoDir = `${folder}/deno`;
  for (const path of graph.modules) copyFile(root + path, sources + path);
  const { manifest, lock } = reduceManifest(
    JSON.parse(Deno.readTextFileSync(`${root}deno.json`)),
    JSON.parse(Deno.readTextFileSync(`${root}deno.lock`)),
    graph,
  );
  Deno.writeTextFileSync(`${sources}deno.json`, `${JSON.stringify(manifest, null, 2)}\n`);
  Deno.writeTextFileSync(`${sources}deno.lock`, `${JSON.stringify(lock, null, 2)}\n`);
  const text = Deno.readTextFileSync(sources + COMMIT_FILE);
  if (!text.includes('"unknown";')) throw new Error(`Cannot write the commit into ${COMMIT_FILE}`);
  const stamped = text.replace('"unknown";', `${JSON.stringify(origin.commit)};`);
  Deno.writeTextFileSync(sources + COMMIT_FILE, stamped);

  const info = JSON.parse(await mustRun(Deno.execPath(), ["info", "--json"])) as {
    denoDir: string;
  };
  for (const { folder, name } of graph.packages) {
    if (!folder.startsWith(`${info.denoDir}/`)) {
      throw new Error(`Cannot copy ${name}: ${folder} is not in ${info.denoDir}`);
    }
    copyCode(folder, denoDir + folder.slice(info.denoDir.length));
  }
  setTimes(folder, origin.epochSeconds);
  // Download the runtime once.
  Deno.mkdirSync(`${info.denoDir}/dl`, { recursive: true });
  Deno.symlinkSync(`${info.denoDir}/dl`, `${denoDir}/dl`);
  return { sources, denoDir };
}

interface Manifest extends Record<string, unknown> {
  imports: Record<string, string>;
}
interface Lock {
  version: string;
  specifiers: Record<string, string>;
  npm: Record<string, unknown>;
  workspace: { dependencies: string[] };
}

const KEPT = ["name", "version", "license", "exports", "nodeModulesDir", "unstable"];

/** Removes test and tool imports: Deno requires every package in these files. */
export function reduceManifest(
  manifest: Manifest,
  lock: Lock,
  graph: Graph,
): { manifest: Manifest; lock: Lock } {
  const ids = new Set(graph.packages.map(({ name, version }) => `${name}@${version}`));
  const imported = (specifier: string) =>
    graph.imported.some((id) => specifier === `npm:${id}` || specifier.startsWith(`npm:${id}/`));
  const pick = <T>(from: Record<string, T>, keep: (key: string, value: T) => boolean) =>
    Object.fromEntries(Object.entries(from).filter(([key, value]) => keep(key, value)));
  return {
    manifest: {
      ...pick(manifest, (key) => KEPT.includes(key)),
      imports: pick(manifest.imports, (_, specifier) => imported(specifier)),
    },
    lock: {
      version: lock.version,
      specifiers: pick(lock.specifiers, imported),
      npm: pick(lock.npm, (id) => ids.has(id)),
      workspace: { dependencies: lock.workspace.dependencies.filter(imported) },
    },
  };
}

function copyFile(from: string, to: string): void {
  Deno.mkdirSync(to.slice(0, to.lastIndexOf("/")), { recursive: true });
  Deno.copyFileSync(from, to);
}

function copyCode(from: string, to: string): void {
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) copyCode(`${from}/${name}`, `${to}/${name}`);
    else if (CODE.test(name)) copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}
