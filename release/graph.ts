import { mustRun } from "./command.ts";

export interface Package {
  readonly name: string;
  readonly version: string;
  readonly needs: readonly string[];
  readonly folder: string;
}

export interface Graph {
  /** Paths relative to the sources' root, sorted. */
  readonly modules: readonly string[];
  readonly packages: readonly Package[];
  readonly imported: readonly string[];
}

/** Entry modules of all threads. */
export const ROOTS = [
  "main.ts",
  "src/control/plane/worker.ts",
  "src/plugins/hosts/companion/worker.ts",
  "src/control/encrypted/worker.ts",
  "src/lazy_modules.ts",
] as const;

export interface Info {
  modules: {
    specifier: string;
    error?: string;
    npmPackage?: string;
    dependencies?: { code?: { specifier?: string; error?: string } }[];
  }[];
  redirects: Record<string, string>;
  npmPackages: Record<
    string,
    { name: string; version: string; dependencies: string[]; localPath: string }
  >;
}

export async function readGraph(root: string): Promise<Graph> {
  const infos = await Promise.all(ROOTS.map(async (path) => {
    // Deno resolves types too; only this lock file has them.
    const args = ["info", "--json", "--lock=dev.lock", "--frozen", path];
    return JSON.parse(await mustRun(Deno.execPath(), args, { cwd: root })) as Info;
  }));
  return follow(infos, new URL(`file://${root}`).href);
}

/** Follows each root's imports. `base` ends with a slash. */
export function follow(infos: readonly Info[], base: string): Graph {
  const modules = new Set<string>();
  const imported = new Set<string>();
  const packages = new Map<string, Package>();

  function addPackage(info: Info, id: string): void {
    const found = info.npmPackages[id];
    if (found === undefined) throw new Error(`Cannot find the package ${id} that is imported`);
    if (packages.has(id)) return;
    const { name, version, dependencies: needs, localPath: folder } = found;
    packages.set(id, { name, version, needs, folder });
    for (const one of needs) addPackage(info, one);
  }

  infos.forEach((info, i) => {
    const bySpecifier = new Map(info.modules.map((module) => [module.specifier, module]));
    const waiting = new Set([base + ROOTS[i]]);
    for (const named of waiting) {
      const specifier = info.redirects[named] ?? named;
      if (specifier.startsWith("node:")) continue;
      const module = bySpecifier.get(specifier);
      if (module === undefined) throw new Error(`Cannot find the module ${specifier}`);
      if (module.error !== undefined) throw new Error(failure(specifier, module.error));
      if (module.npmPackage !== undefined) {
        imported.add(module.npmPackage);
        addPackage(info, module.npmPackage);
        continue;
      }
      if (!specifier.startsWith(base)) throw new Error(`${specifier} is not one of our files`);
      const path = specifier.slice(base.length);
      modules.add(path);
      for (const { code } of module.dependencies ?? []) {
        if (code?.error !== undefined) throw new Error(`${path}: ${code.error}`);
        if (code?.specifier !== undefined) waiting.add(code.specifier);
      }
    }
  });
  return {
    modules: [...modules].sort(),
    packages: [...packages.values()].sort((a, b) => a.name < b.name ? -1 : 1),
    imported: [...imported].sort(),
  };
}

function failure(specifier: string, why: string): string {
  const hint = specifier.startsWith("npm:") ? " (can the package registry be reached?)" : "";
  return `Cannot load ${specifier}: ${why}${hint}`;
}
