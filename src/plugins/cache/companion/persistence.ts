import type { Config } from "../../../config/types.ts";
import type { CacheOptions } from "../options.ts";
import type { Keeper, Plane } from "../../companion.ts";
import { type CachePlace, type Log, PersistedCache } from "./persisted_cache.ts";

/** Persists the caches that have a `persist` option: restores at start, writes every interval. */
export class Persistence implements Keeper {
  readonly #planes: readonly Plane[];
  readonly #log: Log;
  #kept: PersistedCache[] = [];
  #shared: boolean;
  #stopping = false;

  /** @param shared - another process keeps the same caches, until `own` is called */
  constructor(planes: readonly Plane[], log: Log, shared = false) {
    this.#planes = planes;
    this.#log = log;
    this.#shared = shared;
  }

  /** Begins to read, and to write every interval; queries are answered meanwhile. */
  start(config: Config): void {
    for (const place of placesOf(config)) this.#add(place);
  }

  /** Restores its caches, which are empty again, from the files. */
  restarted(plane: Plane): void {
    if (!this.#stopping) this.#kept.forEach((cache) => cache.load([plane]));
  }

  /**
   * Brings what is under way to an end before the data planes change over to another configuration,
   * and writes the content of caches that will not keep it, within `limitMs`. The function that it
   * resolves with goes on, with whichever configuration is served then.
   */
  async hold(next: Config, limitMs: number): Promise<(config: Config) => void> {
    const places = placesOf(next);
    const held = this.#kept.map((cache) =>
      cache.hold({ save: !places.some((place) => cache.goesOnAs(place)), limitMs })
    );
    await Promise.all(held.map(({ quiet }) => quiet));
    return (config) => {
      const left = placesOf(config);
      const kept = this.#kept;
      this.#kept = [];
      kept.forEach((cache, i) => {
        const at = left.findIndex((place) => cache.goesOnAs(place));
        if (at < 0) {
          cache.end();
        } else {
          cache.move(left.splice(at, 1)[0]!);
          this.#kept.push(cache);
        }
        held[i]!.release();
      });
      for (const place of left) this.#add(place);
    };
  }

  #add(place: CachePlace): void {
    const cache = new PersistedCache(place, {
      planes: this.#planes,
      log: this.#log,
      shared: this.#shared,
    });
    this.#kept.push(cache);
    cache.start();
  }

  /** Reads what the other process has written. */
  async follow(): Promise<void> {
    await Promise.all(this.#kept.map((cache) => cache.follow()));
  }

  /** Writes the files from now on: the other process is gone. */
  own(): void {
    this.#shared = false;
    for (const cache of this.#kept) cache.own();
  }

  /** Resolves when nothing is being read or written. */
  async settled(): Promise<void> {
    await Promise.all(this.#kept.map((cache) => cache.settled()));
  }

  /** Writes everything once more, as far as that is done within `limitMs`. */
  async stop(limitMs: number): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#kept.map((cache) => cache.stop(limitMs)));
    this.#kept = [];
  }
}

function placesOf(config: Config): CachePlace[] {
  return config.blocks.flatMap(({ zones, plugins }, block) =>
    plugins.flatMap(({ name, options }, position) => {
      if (name !== "cache" || (options as CacheOptions).persist === null) return [];
      return [{
        block,
        position,
        zones: [...zones].sort().join(" "),
        options: options as CacheOptions,
      }];
    })
  );
}
