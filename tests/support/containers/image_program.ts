import { compile, ROOT, TARGETS } from "../../../release/compile.ts";
import { readGraph } from "../../../release/graph.ts";
import { readOrigin } from "../../../release/origin.ts";
import { PERMISSIONS } from "../../../release/permissions.ts";
import { stage, type Staging } from "../../../release/staging.ts";
import { IMAGE, type ImageRoot } from "./image_root.ts";

/** How nodens is started in a root. */
export interface Program {
  command: string;
  args: string[];
}

/** Deno and the sources, run with the same rights and without a network. */
const SOURCES: Program = {
  command: "/usr/bin/deno",
  args: ["run", "--cached-only", "--frozen", ...PERMISSIONS, `${IMAGE.sources}main.ts`],
};

/**
 * Puts nodens into a root: the executable, or Deno and the sources where it cannot be made.
 */
export async function putNodens(root: Pick<ImageRoot, "copy">): Promise<Program> {
  const work = Deno.makeTempDirSync({ prefix: "nodens_image_" });
  try {
    const graph = await readGraph(ROOT);
    const staging = await stage(work, { root: ROOT, graph, origin: await readOrigin(ROOT) });
    const output = `${work}/nodens`;
    const target = TARGETS.find(({ machine }) => machine === Deno.build.arch);
    if (target === undefined) throw new Error(`Cannot compile for ${Deno.build.arch}`);
    const runnable = await compile(staging, { graph, target, output });
    if (runnable) {
      root.copy(output, IMAGE.executable);
      return { command: IMAGE.executable, args: [] };
    }
    putStaged(root, staging);
    return SOURCES;
  } finally {
    Deno.removeSync(work, { recursive: true });
  }
}

/** Puts Deno and the sources into roots, to be run in the place of the executable. */
export async function putSources(...roots: readonly ImageRoot[]): Promise<Program> {
  const work = Deno.makeTempDirSync({ prefix: "nodens_image_" });
  try {
    const [graph, origin] = [await readGraph(ROOT), await readOrigin(ROOT)];
    const staging = await stage(work, { root: ROOT, graph, origin });
    for (const root of roots) putStaged(root, staging);
    return SOURCES;
  } finally {
    Deno.removeSync(work, { recursive: true });
  }
}

function putStaged(root: Pick<ImageRoot, "copy">, staging: Staging): void {
  root.copy(Deno.realPathSync(Deno.execPath()), SOURCES.command);
  root.copy(staging.sources, IMAGE.sources);
  root.copy(staging.denoDir, IMAGE.denoDir);
}
