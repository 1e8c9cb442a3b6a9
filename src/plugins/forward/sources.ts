import type { Handler } from "../../engine/handler.ts";
import { labelOf, type ServerAddress } from "../../upstream/options.ts";
import type { ForwardOptions } from "./options.ts";

/**
 * Tells handlers above a `forward` when none of its followed servers is left. A reload replaces
 * servers of the Corefile, and keeps the cache.
 */
export class Sources {
  readonly #from: string;
  /** Last servers. */
  #labels: ReadonlySet<string>;
  #above: readonly Handler[] = [];

  /** @param previous - before a reload */
  constructor({ from, to, upstreams }: ForwardOptions, previous: Sources | null) {
    this.#from = from;
    const follows = to.some(({ kind }) => kind !== "server");
    const continues = follows && previous !== null && previous.#from === from &&
      previous.#labels.size > 0;
    this.#labels = continues ? previous.#labels : labelsOf(upstreams);
  }

  /** Called with the finished chain. */
  join(above: readonly Handler[], { to, upstreams }: ForwardOptions): void {
    this.#above = above;
    // The addresses of names follow.
    if (to.every(({ kind }) => kind !== "name")) this.change(upstreams);
  }

  change(servers: readonly ServerAddress[]): void {
    if (servers.length === 0) return;
    const before = this.#labels;
    this.#labels = labelsOf(servers);
    if (before.size === 0 || !before.isDisjointFrom(this.#labels)) return;
    const zone = this.#from;
    for (const handler of this.#above) {
      handler.sourcesChanged?.(zone, `all servers of forward ${zone} have changed`);
    }
  }
}

function labelsOf(servers: readonly ServerAddress[]): ReadonlySet<string> {
  return new Set(servers.map(labelOf));
}
