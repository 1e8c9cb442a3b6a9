import type { Config } from "../config/types.ts";
import type { Companion, Deliver, Delivery, Follower } from "../plugins/companion.ts";

/** Followers of all companions for one configuration. */
export class Followers {
  readonly #config: Config;
  readonly #byCompanion = new Map<Companion, Follower>();

  constructor(
    config: Config,
    { companions, deliver, previous }: {
      companions: readonly Companion[];
      deliver: Deliver;
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

  areOf(config: Config): boolean {
    return config.blocks === this.#config.blocks;
  }

  prepare(): Promise<Delivery[]> {
    return this.#collect((follower) => follower.prepare());
  }

  again(): Promise<Delivery[]> {
    return this.#collect((follower) => follower.again?.() ?? []);
  }

  start(): void {
    for (const follower of this.#byCompanion.values()) follower.start();
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#byCompanion.values()].map((follower) => follower.stop()));
  }

  async #collect(of: (follower: Follower) => Promise<Delivery[]> | Delivery[]) {
    return (await Promise.all([...this.#byCompanion.values()].map(of))).flat();
  }
}
