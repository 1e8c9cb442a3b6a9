import { compile, ROOT, TARGETS } from "../../../release/compile.ts";
import { type Graph, readGraph } from "../../../release/graph.ts";
import { readOrigin } from "../../../release/origin.ts";
import { PERMISSIONS } from "../../../release/permissions.ts";
import { stage, type Staging } from "../../../release/staging.ts";
import { withFolder } from "../run/folder.ts";
import { IMAGE, type ImageRoot } from "./image_root.ts";

export interface Program {
  command: string;
  args: string[];
}

/** Deno and the sources, with the executable's permissions and without a network. */
const SOURCES: Program = {
  command: "/usr/bin/deno",
  args: ["run", "--cached-only", "--frozen", ...PERMISSIONS, `${IMAGE.sources}main.ts`],
};

/** Copies nodens into a root: the executable, or Deno and the sources if it cannot be compiled. */
export function putNodens(root: Pick<ImageRoot, "copy">): Promise<Program> {
  return withStaging(async (staging, { work, graph }) => {
    const output = `${work}/nodens`;
    const target = TARGETS.find(({ machine }) => machine === Deno.build.arch);
    if (target === undefined) throw new Error(`Cannot compile for ${Deno.build.arch}`);
    if (!await compile(staging, { graph, target, output })) return putStaged(root, staging);
    root.copy(output, IMAGE.executable);
    return { command: IMAGE.executable, args: [] };
  });
}

/** Copies Deno and the sources into roots. */
export function putSources(...roots: readonly ImageRoot[]): Promise<Program> {
  return withStaging((staging) => {
    for (const root of roots) putStaged(root, staging);
    return SOURCES;
  });
}

function withStaging<T>(
  use: (staging: Staging, made: { work: string; graph: Graph }) => T | Promise<T>,
): Promise<T> {
  return withFolder(async (work) => {
    const [graph, origin] = [await readGraph(ROOT), await readOrigin(ROOT)];
    return await use(await stage(work, { root: ROOT, graph, origin }), { work, graph });
  });
}

function putStaged(root: Pick<ImageRoot, "copy">, staging: Staging): Program {
  root.copy(Deno.realPathSync(Deno.execPath()), SOURCES.command);
  root.copy(staging.sources, IMAGE.sources);
  root.copy(staging.denoDir, IMAGE.denoDir);
  return SOURCES;
}
