import type { Config } from "../config/types.ts";
import type {
  Companion,
  Deliver,
  Delivery,
  Follower,
  Keeper,
  Plane,
} from "../plugins/companion.ts";

/** The followers of all companions for one configuration. */
export class Followers {
  readonly #config: Config;
  readonly #byCompanion = new Map<Companion, Follower>();

  /** `previous` follows the configuration that is served until now; null for the first. */
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

  /** Whether they follow this configuration; its listeners may be in another order. */
  areOf(config: Config): boolean {
    return config.blocks === this.#config.blocks;
  }

  /** What the handlers need before their first query. */
  prepare(): Promise<Delivery[]> {
    return this.#collect((follower) => follower.prepare());
  }

  /** The buffers again, for a data plane whose thread lost them. */
  again(): Promise<Delivery[]> {
    return this.#collect((follower) => follower.again?.() ?? []);
  }

  /** Starts delivering changes. */
  start(): void {
    for (const follower of this.#byCompanion.values()) follower.start();
  }

  /** Stops following at once; resolves when nothing is running any more. */
  async stop(): Promise<void> {
    await Promise.all([...this.#byCompanion.values()].map((follower) => follower.stop()));
  }

  async #collect(of: (follower: Follower) => Promise<Delivery[]> | Delivery[]) {
    return (await Promise.all([...this.#byCompanion.values()].map(of))).flat();
  }
}

/** The keepers of all companions as one. */
export class Keepers implements Keeper {
  readonly #keepers: readonly Keeper[];

  constructor(companions: readonly Companion[]) {
    this.#keepers = companions.flatMap(({ keeper }) => keeper ?? []);
  }

  start(config: Config): void {
    for (const keeper of this.#keepers) keeper.start(config);
  }

  async hold(next: Config, limitMs: number): Promise<(config: Config) => void> {
    const resume = await this.#all((keeper) => keeper.hold(next, limitMs));
    return (config) => resume.forEach((one) => one(config));
  }

  restarted(plane: Plane): void {
    for (const keeper of this.#keepers) keeper.restarted(plane);
  }

  async follow(): Promise<void> {
    await this.#all((keeper) => keeper.follow());
  }

  own(): void {
    for (const keeper of this.#keepers) keeper.own();
  }

  async settled(): Promise<void> {
    await this.#all((keeper) => keeper.settled());
  }

  async stop(limitMs: number): Promise<void> {
    await this.#all((keeper) => keeper.stop(limitMs));
  }

  #all<T>(work: (keeper: Keeper) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#keepers.map(work));
  }
}
