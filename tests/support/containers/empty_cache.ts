/** What a fresh machine has of Deno: a home and a cache with nothing in them. */
export class EmptyCache {
  readonly #folder = Deno.makeTempDirSync({ prefix: "nodens_cache_" });
  /**
   * Environment of a `deno` that has fetched nothing yet, and is found in PATH.
   *
   * Deno itself stands in for the runtime part of executables, which may not be downloadable: so a
   * test sees what is embedded, and never runs the result.
   */
  readonly env: Record<"DENO_DIR" | "HOME" | "DENORT_BIN" | "NO_COLOR" | "PATH", string>;

  constructor() {
    const deno = Deno.realPathSync(Deno.execPath());
    this.env = {
      DENO_DIR: `${this.#folder}/deno`,
      HOME: `${this.#folder}/home`,
      DENORT_BIN: deno,
      NO_COLOR: "1",
      PATH: `${deno.slice(0, deno.lastIndexOf("/"))}:${Deno.env.get("PATH") ?? ""}`,
    };
    for (const path of [this.env.DENO_DIR, this.env.HOME]) Deno.mkdirSync(path);
  }

  /** `name@version` of the packages that have been fetched, sorted. */
  packages(): string[] {
    const found: string[] = [];
    const below = (path: string) =>
      [...Deno.readDirSync(path)].filter(({ isDirectory }) => isDirectory).map(({ name }) => name);
    const npm = `${this.env.DENO_DIR}/npm`;
    for (const registry of below(npm)) {
      const top = below(`${npm}/${registry}`);
      const names = top.flatMap((name) =>
        name.startsWith("@")
          ? below(`${npm}/${registry}/${name}`).map((one) => `${name}/${one}`)
          : [name]
      );
      for (const name of names) {
        for (const version of below(`${npm}/${registry}/${name}`)) found.push(`${name}@${version}`);
      }
    }
    return found.sort();
  }

  remove(): void {
    Deno.removeSync(this.#folder, { recursive: true });
  }
}
