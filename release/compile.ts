/** Compiles like `deno task compile`, but reproducibly, from a staged copy. */
import { Buffer } from "node:buffer";
import { mustRun, runCommand } from "./command.ts";
import { type Graph, ROOTS } from "./graph.ts";
import type { Origin } from "./origin.ts";
import { PERMISSIONS } from "./permissions.ts";
import { stage, type Staging } from "./staging.ts";
import { V8_FLAGS } from "./v8_flags.ts";

/** The folder with deno.json; ends with a slash. */
export const ROOT: string = new URL("../", import.meta.url).pathname;

export interface Target {
  /** Name in `uname -m`. */
  readonly machine: string;
  /** Name in `deno compile --target`. */
  readonly triple: string;
  readonly debian: string;
}

export const TARGETS: readonly Target[] = ([["x86_64", "amd64"], ["aarch64", "arm64"]] as const)
  .map(([machine, debian]) => ({ machine, debian, triple: `${machine}-unknown-linux-gnu` }));

export const NO_RUNTIME = "the runtime to embed (denort) cannot be downloaded here";

/**
 * Options of every executable besides permissions and modules.
 *
 * Without `--no-code-cache`, Deno would trust V8 code in /tmp under a name that anybody can create
 * first. `deno task check` checks the types.
 */
const OPTIONS = ["--frozen", "--no-check", "--no-code-cache", "--exclude-unused-npm"];

const NEAR_BYTES = 8 * 1024 * 1024;
const FAILED_DOWNLOAD = /denort|download|error sending request|dns error/i;

/** Arguments of `deno`, by default those of `deno task compile`. */
export function compileArguments(output: string, more: readonly string[] = []): string[] {
  const [main, ...others] = ROOTS;
  const included = others.flatMap((path) => ["--include", path]);
  return [
    ...["compile", ...OPTIONS, V8_FLAGS, ...PERMISSIONS, ...included],
    ...[...more, "--output", output, main],
  ];
}

/**
 * Compiles a staged copy, and compares the embedded files with the import graph.
 *
 * If the runtime cannot be downloaded, Deno itself replaces it, and the file does not run as
 * nodens. Returns whether it runs. Throws an error with Deno's output or the wrong files.
 */
export async function compile(
  staging: Staging,
  { graph, target, output }: { graph: Graph; target: Target; output: string },
): Promise<boolean> {
  const args = compileArguments(output, ["--cached-only", "--target", target.triple]);
  const run = (more: Record<string, string>) =>
    runCommand(Deno.execPath(), args, {
      cwd: staging.sources,
      env: { NO_COLOR: "1", DENO_DIR: staging.denoDir, ...more },
    });
  const deno = realPath(Deno.execPath());
  let result = await run({});
  // Possibly downloaded separately, or Deno itself.
  let runnable = result.ok && realPath(Deno.env.get("DENORT_BIN") ?? "") !== deno;
  if (!result.ok && FAILED_DOWNLOAD.test(result.text)) {
    runnable = false;
    result = await run({ DENORT_BIN: deno ?? Deno.execPath() });
  }
  if (!result.ok) throw new Error(`Cannot compile:\n${result.text.trim()}`);
  const faults = compareEmbedded(parseListing(result.text), graph);
  if (faults.length > 0) throw new Error(`Cannot use what was compiled:\n${faults.join("\n")}`);
  const executable = Buffer.from(Deno.readFileSync(output));
  const missing = notInside(executable, staging, graph);
  if (missing !== undefined) throw new Error(`Cannot find ${missing} in what was compiled`);
  return runnable;
}

/**
 * A module missing from the executable; Deno's listing only states intentions. Texts are close
 * together, in path order.
 */
function notInside(executable: Buffer, { sources }: Staging, graph: Graph): string | undefined {
  const read = (path: string) => Buffer.from(Deno.readFileSync(sources + path));
  const [firstPath] = graph.modules as [string];
  const first = executable.indexOf(read(firstPath));
  if (first === -1) return firstPath;
  const after = executable.subarray(first, first + NEAR_BYTES);
  const before = executable.subarray(Math.max(0, first - NEAR_BYTES), first);
  return graph.modules.find((path) => {
    const text = read(path);
    return !after.includes(text) && !before.includes(text);
  });
}

/** Stages, compiles, and if possible starts the result. */
export async function compileOnce(
  work: string,
  options: { graph: Graph; origin: Origin; target: Target; output: string },
): Promise<boolean> {
  const { origin, target, output } = options;
  const runnable = await compile(await stage(work, { root: ROOT, ...options }), options);
  if (runnable && target.machine === Deno.build.arch) {
    const version = await mustRun(output, ["-version"], { env: { DENO_DIR: work } });
    if (!version.includes(origin.commit)) {
      throw new Error(`Cannot use ${output}: its -version says\n${version}`);
    }
  }
  return runnable;
}

function realPath(path: string): string | null {
  try {
    return Deno.realPathSync(path);
  } catch {
    return null;
  }
}

/** A row of the listing, `├── name (1KB)`, with two characters per enclosing folder. */
const ROW = /^((?:│ | {2})*)[├└]─[─┬] (.+?) \([^()]*\)$/;

/** Embedded paths in the output of `deno compile`; `name/*` is a whole folder. */
export function parseListing(text: string): string[] {
  const paths: string[] = [];
  const folders: string[] = [];
  for (const line of text.split("\n")) {
    const [, indent, name] = ROW.exec(line) ?? [];
    if (indent === undefined || name === undefined) continue;
    folders.length = indent.length / 2;
    if (line.includes("─┬ ")) folders.push(name);
    else paths.push([...folders, name].join("/"));
  }
  return paths;
}

export function compareEmbedded(listing: readonly string[], graph: Graph): string[] {
  const wanted = [
    "deno.json",
    ...graph.modules,
    ...graph.packages.map(({ name, version }) =>
      `.deno_compile_node_modules/localhost/${name}/${version}/*`
    ),
  ];
  // Nothing staged is superfluous, so a folder covers all its files.
  const covers = (listed: string, path: string) =>
    listed === path || (listed.endsWith("/*") && path.startsWith(listed.slice(0, -1)));
  return [
    ...wanted.filter((path) => !listing.some((listed) => covers(listed, path)))
      .map((path) => `not embedded: ${path}`),
    ...listing.filter((listed) => !wanted.some((path) => covers(listed, path)))
      .map((path) => `embedded in vain: ${path}`),
  ];
}
