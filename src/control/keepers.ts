import type { Config } from "../config/types.ts";
import type { Companion, Keeper, Plane } from "../plugins/companion.ts";

/** All keepers of the process, as one. */
export class Keepers implements Keeper {
  readonly #keepers: readonly Keeper[];

  constructor(companions: readonly Companion[]) {
    this.#keepers = companions.flatMap(({ keeper }) => keeper ?? []);
  }

  start(config: Config): void {
    for (const keeper of this.#keepers) keeper.start(config);
  }

  async hold(next: Config, limitMs: number): Promise<(config: Config) => void> {
    const goOn = await Promise.all(this.#keepers.map((keeper) => keeper.hold(next, limitMs)));
    return (config) => goOn.forEach((one) => one(config));
  }

  restarted(plane: Plane): void {
    for (const keeper of this.#keepers) keeper.restarted(plane);
  }

  async follow(): Promise<void> {
    await Promise.all(this.#keepers.map((keeper) => keeper.follow()));
  }

  own(): void {
    for (const keeper of this.#keepers) keeper.own();
  }

  async settled(): Promise<void> {
    await Promise.all(this.#keepers.map((keeper) => keeper.settled()));
  }

  async stop(limitMs: number): Promise<void> {
    await Promise.all(this.#keepers.map((keeper) => keeper.stop(limitMs)));
  }
}
