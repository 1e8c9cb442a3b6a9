import { listenersAt } from "../../config/own_address.ts";
import type { Config, ListenerConfig } from "../../config/types.ts";
import type { ServerAddress } from "../../upstream/options.ts";
import type { ForwardOptions } from "./options.ts";

/** Zones of listeners that are compared for one server; what lies beyond is for `loop` to find. */
const MAX_COMPARED = 100_000;

/** Names that are asked: those of a zone. */
interface Names {
  zone: string;
  /** Zones below that are not. */
  except: readonly string[];
}

/** What a configuration forwards to itself. */
export class OwnListeners {
  readonly #config: Pick<Config, "blocks" | "listeners">;
  readonly #named: (options: ForwardOptions) => readonly ServerAddress[];
  readonly #interfaces: () => readonly string[];
  #addresses: readonly string[] | null = null;

  /**
   * @param named - the upstreams that a directive names, those that are left out included
   * @param interfaces - addresses of this machine
   */
  constructor(
    config: Pick<Config, "blocks" | "listeners">,
    named: (options: ForwardOptions) => readonly ServerAddress[],
    interfaces: () => readonly string[],
  ) {
    this.#config = config;
    this.#named = named;
    this.#interfaces = interfaces;
  }

  /** Server blocks that listen at the address of a server. */
  blocksAt(server: { address: string; port: number }): number[] {
    return this.#listenersAt(server).flatMap(({ zones }) => zones.map(({ block }) => block));
  }

  /**
   * Whether a query that a directive of `block` sends to `server` comes back to that block, at once
   * or by way of other blocks.
   */
  leadsBack(block: number, options: ForwardOptions, server: ServerAddress): boolean {
    // Nearly always there is nobody.
    if (server.transport !== "dns" || this.#listenersAt(server).length === 0) return false;
    const seen = new Set<string>();
    const waiting: { names: Names; server: ServerAddress }[] = [];
    const add = (options: ForwardOptions, all: Names, servers: readonly ServerAddress[]) => {
      const names = narrow(all, options);
      if (names === null) return;
      for (const server of servers) if (server.transport === "dns") waiting.push({ names, server });
    };
    for (const zone of this.#config.blocks[block]!.zones) {
      add(options, { zone, except: [] }, [server]);
    }
    let compared = 0;
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      for (const listener of this.#listenersAt(next.server)) {
        compared += listener.zones.length * (1 + next.names.except.length);
        if (compared > MAX_COMPARED) return false;
        for (const arrival of arrivals(listener, next.names)) {
          if (arrival.block === block) return true;
          const names = { zone: arrival.zone, except: next.names.except };
          const key = `${arrival.block} ${names.zone} ${names.except.join(" ")}`;
          if (seen.has(key)) continue;
          seen.add(key);
          for (const { name, options } of this.#config.blocks[arrival.block]!.plugins) {
            if (name !== "forward") continue;
            const further = options as ForwardOptions;
            add(further, names, this.#named(further));
          }
        }
      }
    }
    return false;
  }

  #listenersAt(server: { address: string; port: number }): ListenerConfig[] {
    return listenersAt(
      this.#config.listeners,
      server,
      () => this.#addresses ??= this.#interfaces(),
    );
  }
}

/** Which blocks of a listener get queries for these names, each with the zone of its share. */
function arrivals(
  { zones }: ListenerConfig,
  { zone, except }: Names,
): { zone: string; block: number }[] {
  const found: { zone: string; block: number }[] = [];
  let above: { zone: string; block: number } | null = null;
  for (const one of zones) {
    if (isWithin(zone, one.zone)) {
      if (above === null || one.zone.length > above.zone.length) above = one;
    } else if (isWithin(one.zone, zone) && !except.some((out) => isWithin(one.zone, out))) {
      found.push(one);
    }
  }
  if (above !== null) found.push({ zone, block: above.block });
  return found;
}

/** Those of the names that a directive forwards, or null if none is. */
function narrow(all: Names, { from, except: own }: ForwardOptions): Names | null {
  if (!isWithin(all.zone, from) && !isWithin(from, all.zone)) return null;
  const zone = isWithin(all.zone, from) ? all.zone : from;
  const except = [...new Set([...all.except, ...own])];
  return except.some((out) => isWithin(zone, out)) ? null : { zone, except };
}

function isWithin(name: string, zone: string): boolean {
  return zone === "." || name === zone || name.endsWith(`.${zone}`);
}
