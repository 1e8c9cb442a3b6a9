import type { Config } from "../../../config/types.ts";
import { type Keeper, type Plane, usesOf } from "../../companion.ts";
import type { CacheOptions } from "../options.ts";
import { type CacheDirective, PersistedCache, type PersistenceOptions } from "./persisted_cache.ts";

/** Restores caches at start; writes them periodically. */
export class Persistence implements Keeper {
  readonly #options: PersistenceOptions;
  #caches: PersistedCache[] = [];
  #stopping = false;

  constructor(options: PersistenceOptions) {
    this.#options = { ...options };
  }

  start(config: Config): void {
    for (const directive of directivesOf(config)) this.#add(directive);
  }

  restarted(plane: Plane): void {
    if (!this.#stopping) this.#caches.forEach((cache) => cache.load([plane]));
  }

  /** Writes caches that are dropped. */
  async hold(next: Config, limitMs: number): Promise<(config: Config) => void> {
    const directives = directivesOf(next);
    const held = await Promise.all(this.#caches.map(async (cache) => {
      const save = !directives.some((directive) => cache.isSame(directive));
      return { cache, resume: await cache.hold({ save, limitMs }) };
    }));
    return (config) => {
      const left = directivesOf(config);
      this.#caches = [];
      for (const { cache, resume } of held) {
        const at = left.findIndex((directive) => cache.isSame(directive));
        if (at < 0) {
          cache.end();
        } else {
          cache.move(left.splice(at, 1)[0]!);
          this.#caches.push(cache);
        }
        resume();
      }
      for (const directive of left) this.#add(directive);
    };
  }

  /** False if the file still has what was flushed. */
  async rewrite(directive: CacheDirective, flushAgain: () => Promise<void>): Promise<boolean> {
    const cache = this.#caches.find((one) => one.isSame(directive));
    return await cache?.rewrite(flushAgain) ?? false;
  }

  async follow(): Promise<void> {
    await Promise.all(this.#caches.map((cache) => cache.follow()));
  }

  own(): void {
    this.#options.shared = false;
  }

  async settled(): Promise<void> {
    await Promise.all(this.#caches.map((cache) => cache.idle()));
  }

  async stop(limitMs: number): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#caches.map((cache) => cache.stop(limitMs)));
    this.#caches = [];
  }

  #add(directive: CacheDirective): void {
    const cache = new PersistedCache(directive, this.#options);
    this.#caches.push(cache);
    cache.start();
  }
}

function directivesOf(config: Config): CacheDirective[] {
  return usesOf<CacheOptions>(config, "cache").filter(({ options }) => options.persist !== null);
}
