import type { Config } from "../config/types.ts";
import type { Companion, Deliver, Delivery, Follower } from "../plugins/companion.ts";

/** Everything that follows the files and names of one configuration. */
export class Followers {
  readonly #config: Config;
  readonly #byCompanion = new Map<Companion, Follower>();

  constructor(
    config: Config,
    { companions, deliver, previous }: {
      companions: readonly Companion[];
      deliver: Deliver;
      /** Those of the configuration that is served until now; null for the first. */
      previous: Followers | null;
    },
  ) {
    this.#config = config;
    for (const companion of companions) {
      const before = previous === null ? null : previous.#byCompanion.get(companion) ?? null;
      const follower = companion.follow?.(config, { deliver, previous: before });
      if (follower !== undefined) this.#byCompanion.set(companion, follower);
    }
  }

  /** Whether they follow this configuration, whose listeners may be in another order. */
  areOf(config: Config): boolean {
    return config.blocks === this.#config.blocks;
  }

  /** What the handlers get before their first query. */
  prepare(): Promise<Delivery[]> {
    return this.#collect((follower) => follower.prepare());
  }

  /** The buffers once more, for a data plane whose thread has lost them. */
  again(): Promise<Delivery[]> {
    return this.#collect((follower) => follower.again?.() ?? []);
  }

  /** From now on tells the data planes of changes. */
  start(): void {
    for (const follower of this.#byCompanion.values()) follower.start();
  }

  /** Stops following, at once; resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    await Promise.all([...this.#byCompanion.values()].map((follower) => follower.stop()));
  }

  async #collect(of: (follower: Follower) => Promise<Delivery[]> | Delivery[]) {
    return (await Promise.all([...this.#byCompanion.values()].map(of))).flat();
  }
}
