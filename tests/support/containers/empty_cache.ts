/** Home and cache of a machine on which Deno has fetched nothing yet. */
export class EmptyCache {
  readonly #folder = Deno.makeTempDirSync({ prefix: "nodens_cache_" });
  /**
   * Deno replaces the runtime part of executables, which may not be downloadable: tests inspect
   * the embedded files and never run the result.
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

  /** `name@version` of the fetched packages, sorted. */
  packages(): string[] {
    const npm = `${this.env.DENO_DIR}/npm`;
    const below = (path: string) =>
      [...Deno.readDirSync(`${npm}/${path}`)].filter(({ isDirectory }) => isDirectory)
        .map(({ name }) => `${path}/${name}`);
    return below("").flatMap(below)
      .flatMap((path) => path.includes("/@") ? below(path) : [path])
      .flatMap(below)
      .map((path) => path.replace(/^\/+[^/]+\//, "").replace(/\/([^/]+)$/, "@$1"))
      .sort();
  }

  remove(): void {
    Deno.removeSync(this.#folder, { recursive: true });
  }
}
