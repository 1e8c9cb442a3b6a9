/**
 * Makes a release's executable. It has the same options as `deno task compile` in deno.json, but is
 * made of a staged copy, so that the same commit gives the same file.
 */
import { Buffer } from "node:buffer";
import { mustRun, runCommand } from "./command.ts";
import { compareEmbedded, parseListing } from "./embedded.ts";
import { type Graph, ROOTS } from "./graph.ts";
import type { Origin } from "./origin.ts";
import { PERMISSIONS } from "./permissions.ts";
import { stage, type Staging } from "./staging.ts";
import type { Target } from "./targets.ts";
import { V8_FLAGS } from "./v8_flags.ts";

/** The folder with deno.json, with a slash at its end. */
export const ROOT: string = new URL("../", import.meta.url).pathname;

/** What came of compiling. */
export interface Compiled {
  /** Whether the file is nodens; else it only shows what would be embedded. */
  readonly runnable: boolean;
  /** Bytes of the file. */
  readonly size: number;
}

/** Said wherever an executable could not be made. */
export const NO_RUNTIME = "the runtime to embed (denort) cannot be downloaded here";

/**
 * Options of every executable, besides rights and modules.
 *
 * Deno would keep V8's compiled code in /tmp under a name that anybody can take before a nodens that
 * runs as root, and trust what it finds there: hence `--no-code-cache`. `deno task check` checks the
 * types.
 */
const OPTIONS = [
  "--frozen",
  "--no-check",
  "--no-code-cache",
  "--exclude-unused-npm",
];

/** More than all modules take. */
const NEAR_BYTES = 8 * 1024 * 1024;
/** What a failed download looks like. */
const NO_DOWNLOAD = /denort|download|error sending request|dns error/i;

/**
 * The arguments of `deno` that make an executable. Without `more`, they are the command of
 * `deno task compile`, which a test compares with deno.json.
 */
export function compileArguments(output: string, more: readonly string[] = []): string[] {
  const [main, ...others] = ROOTS;
  const included = others.flatMap((path) => ["--include", path]);
  return [
    ...["compile", ...OPTIONS, V8_FLAGS, ...PERMISSIONS, ...included],
    ...[...more, "--output", output, main],
  ];
}

/**
 * Compiles what has been staged, and compares what went in with the graph of imports.
 *
 * Where the runtime cannot be downloaded, Deno itself takes its place: then everything is embedded
 * and compared in the same way, but the file does not run as nodens. Throws with Deno's own words,
 * and where too much or too little is embedded.
 */
export async function compile(
  staging: Staging,
  options: { graph: Graph; target: Target; output: string },
): Promise<Compiled> {
  const { graph, target, output } = options;
  const run = (more: Record<string, string>) =>
    runCommand(
      Deno.execPath(),
      compileArguments(output, ["--cached-only", "--target", target.triple]),
      {
        cwd: staging.sources,
        env: { NO_COLOR: "1", DENO_DIR: staging.denoDir, ...more },
      },
    );
  let result = await run({});
  // DENORT_BIN may name the runtime part that was downloaded by other means, or Deno itself.
  let runnable = result.ok && realPath(Deno.env.get("DENORT_BIN") ?? "") !== execPath();
  if (!result.ok && NO_DOWNLOAD.test(result.text)) {
    runnable = false;
    result = await run({ DENORT_BIN: execPath() ?? Deno.execPath() });
  }
  if (!result.ok) throw new Error(`Cannot compile:\n${result.text.trim()}`);
  const faults = compareEmbedded(parseListing(result.text), graph);
  if (faults.length > 0) throw new Error(`Cannot use what was compiled:\n${faults.join("\n")}`);
  const executable = Buffer.from(Deno.readFileSync(output));
  const missing = notInside(executable, staging, graph);
  if (missing !== undefined) throw new Error(`Cannot find ${missing} in what was compiled`);
  return { runnable, size: executable.length };
}

/**
 * A module whose text is not in the executable; what Deno lists is only what it means to embed.
 *
 * Texts lie together, most of them in the order of their paths: so the search begins at the first.
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

/** Copies the sources, compiles, and runs what came out where this machine can. */
export async function compileOnce(
  work: string,
  options: { graph: Graph; origin: Origin; target: Target; output: string },
): Promise<Compiled> {
  const staging = await stage(work, { root: ROOT, ...options });
  const compiled = await compile(staging, options);
  const own = options.target.machine === Deno.build.arch;
  if (compiled.runnable && own) {
    const said = await mustRun(options.output, ["-version"], { env: { DENO_DIR: work } });
    if (!said.includes(options.origin.commit)) {
      throw new Error(`Cannot use ${options.output}: its -version says\n${said}`);
    }
  }
  return compiled;
}

/** The real file of Deno, which may have been started through a link. */
function execPath(): string | null {
  return realPath(Deno.execPath());
}

/** The file that a path leads to; null where it leads nowhere. */
function realPath(path: string): string | null {
  try {
    return Deno.realPathSync(path);
  } catch {
    return null;
  }
}
