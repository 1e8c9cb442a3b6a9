import { listenersAt } from "../../config/own_address.ts";
import type { Config, ListenerConfig } from "../../config/types.ts";
import { isWithin } from "../../dns/zone.ts";
import type { ServerAddress } from "../../upstream/options.ts";
import type { WholeConfig } from "../setup.ts";
import type { ForwardOptions } from "./options.ts";
import { fileServer, MEANWHILE, resolveTo } from "./resolve_to.ts";

/** Per server; `loop` finds the rest. */
const MAX_COMPARED = 100_000;

interface Names {
  zone: string;
  except: readonly string[];
}

type ListenerZone = ListenerConfig["zones"][number];

/** Detects servers that are own listeners. */
export class OwnListeners {
  readonly #config: Pick<Config, "blocks" | "listeners">;
  readonly #named: (options: ForwardOptions) => readonly ServerAddress[];
  readonly #interfaces: () => readonly string[];
  #addresses: readonly string[] | null = null;

  /** `named`: all servers of a directive. */
  constructor(
    config: Pick<Config, "blocks" | "listeners">,
    named: (options: ForwardOptions) => readonly ServerAddress[],
    interfaces: () => readonly string[],
  ) {
    this.#config = config;
    this.#named = named;
    this.#interfaces = interfaces;
  }

  blocksAt(server: { address: string; port: number }): number[] {
    return this.#listenersAt(server).flatMap(({ zones }) => zones.map(({ block }) => block));
  }

  /** Even through other blocks. */
  leadsBack(block: number, options: ForwardOptions, server: ServerAddress): boolean {
    if (server.transport !== "dns" || this.#listenersAt(server).length === 0) return false;
    const { blocks } = this.#config;
    const seen = new Set<string>();
    const waiting: { names: Names; server: ServerAddress }[] = [];
    const add = (options: ForwardOptions, all: Names, servers: readonly ServerAddress[]) => {
      const names = narrow(all, options);
      if (names === null) return;
      for (const server of servers) if (server.transport === "dns") waiting.push({ names, server });
    };
    for (const zone of blocks[block]!.zones) add(options, { zone, except: [] }, [server]);
    let compared = 0;
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { except } = next.names;
      for (const listener of this.#listenersAt(next.server)) {
        compared += listener.zones.length * (1 + except.length);
        if (compared > MAX_COMPARED) return false;
        for (const arrival of arrivals(listener, next.names)) {
          if (arrival.block === block) return true;
          const key = `${arrival.block} ${arrival.zone} ${except.join(" ")}`;
          if (seen.has(key)) continue;
          seen.add(key);
          for (const { name, options } of blocks[arrival.block]!.plugins) {
            if (name !== "forward") continue;
            const further = options as ForwardOptions;
            add(further, { zone: arrival.zone, except }, this.#named(further));
          }
        }
      }
    }
    return false;
  }

  #listenersAt(server: { address: string; port: number }): ListenerConfig[] {
    const interfaces = () => this.#addresses ??= this.#interfaces();
    return listenersAt(this.#config.listeners, server, interfaces);
  }
}

/** Removes file servers that lead back; warns of these, and of Corefile servers. */
export function leaveOutOwnListeners(
  { config, uses, interfaces, warn }: WholeConfig<ForwardOptions>,
): void {
  const named = new Map(uses.map(({ options }) => [options, options.upstreams]));
  const own = new OwnListeners(config, (options) => named.get(options)!, interfaces);
  for (const { block: { file }, block, line, options } of uses) {
    const index = config.blocks.indexOf(block);
    const leavesOut = (server: ServerAddress) => own.leadsBack(index, options, server);
    const texts = new Set<string>();
    for (const to of options.to) {
      if (to.kind === "server" && leavesOut(to.upstream)) {
        const { address, port } = to.upstream;
        const what = `${address} port ${port} is where this server block listens, so what`;
        warn({ file, line }, `${what} is forwarded there comes back (name another server)`);
      }
      if (to.kind !== "file") continue;
      const out = to.content.servers.filter((address) => leavesOut(fileServer(address)));
      if (out.length > 0) texts.add(leftOutText(to.path, out));
    }
    if (texts.size === 0) continue;
    Object.assign(options, resolveTo(options, { leavesOut }));
    const nobody = options.upstreams.length === 0 &&
      options.to.every(({ kind }) => kind === "file");
    for (const text of texts) {
      warn({ file, line }, nobody ? `${text}; ${MEANWHILE.another}` : text);
    }
  }
}

/** Warning about a file that names own listeners. */
export function leftOutText(path: string, addresses: readonly string[]): string {
  return `${path} names ${addresses.join(", ")}, where nodens itself listens: left out, since ` +
    "what is forwarded there would come back";
}

/** Zones, each with its share of the names. */
function arrivals({ zones }: ListenerConfig, { zone, except }: Names): ListenerZone[] {
  const found: ListenerZone[] = [];
  let above: ListenerZone | null = null;
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

function narrow(all: Names, { from, except: own }: ForwardOptions): Names | null {
  if (!isWithin(all.zone, from) && !isWithin(from, all.zone)) return null;
  const zone = isWithin(all.zone, from) ? all.zone : from;
  const except = [...new Set([...all.except, ...own])];
  return except.some((out) => isWithin(zone, out)) ? null : { zone, except };
}
