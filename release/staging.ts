import { mustRun } from "./command.ts";
import type { Graph } from "./graph.ts";
import type { Origin } from "./origin.ts";

/** A copy of what nodens is made of, and of nothing else, in which all files bear one time. */
export interface Staging {
  /** The folder with main.ts, with a slash at its end. */
  readonly sources: string;
  /** A DENO_DIR that holds the packages. */
  readonly denoDir: string;
}

/**
 * Files of packages that can run; types and texts cannot. Deno takes a LICENSE for code as well, and
 * would embed why it is none, with this machine's paths in it.
 */
const CODE = /\.(?:[cm]?js|json)$/;
/** The file that holds the commit. */
const COMMIT_FILE = "src/cli/commit.ts";

/**
 * Copies the modules and packages of `graph` into `folder`, with the commit written in.
 *
 * `deno compile` embeds the times of files; so the same sources give the same executable.
 */
export async function stage(
  folder: string,
  options: { root: string; graph: Graph; origin: Origin },
): Promise<Staging> {
  const { root, graph, origin } = options;
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
  const stamped = text.replace(/"unknown";/, `${JSON.stringify(origin.commit)};`);
  if (!/"unknown";/.test(text)) throw new Error(`Cannot write the commit into ${COMMIT_FILE}`);
  Deno.writeTextFileSync(sources + COMMIT_FILE, stamped);

  const info = JSON.parse(await mustRun(Deno.execPath(), ["info", "--json"])) as {
    denoDir: string;
  };
  for (const { folder, name } of graph.packages) {
    if (!folder.startsWith(`${info.denoDir}/`)) {
      throw new Error(`Cannot copy ${name}: ${folder} is not in ${info.denoDir}`);
    }
    // The lock file tells Deno the rest, so what the registry says of a package is not needed.
    copyFolder(folder, denoDir + folder.slice(info.denoDir.length));
  }
  setTimes(folder, origin.epochSeconds);
  // The runtime to embed is downloaded once and not for each staging.
  Deno.mkdirSync(`${info.denoDir}/dl`, { recursive: true });
  Deno.symlinkSync(`${info.denoDir}/dl`, `${denoDir}/dl`);
  return { sources, denoDir };
}

/** The parts of deno.json and of deno.lock that matter here. */
interface Manifest extends Record<string, unknown> {
  imports: Record<string, string>;
}
interface Lock {
  version: string;
  specifiers: Record<string, string>;
  npm: Record<string, unknown>;
  workspace: { dependencies: string[] };
}

/** Members of deno.json that a running nodens has a use for. */
const KEPT = ["name", "version", "license", "exports", "nodeModulesDir", "unstable"];

/**
 * Leaves out what only tests and tools import: Deno wants every package that these two files name,
 * and without a network embeds none where one is missing.
 */
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

/** Copies the code in a package's folder. */
function copyFolder(from: string, to: string): void {
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) copyFolder(`${from}/${name}`, `${to}/${name}`);
    else if (CODE.test(name)) copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}

function setTimes(folder: string, epochSeconds: number): void {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) setTimes(path, epochSeconds);
    Deno.utimeSync(path, epochSeconds, epochSeconds);
  }
}
