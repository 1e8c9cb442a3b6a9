import { doneWithin } from "../../base/deadline.ts";
import type { LogLevel } from "../../engine/handler.ts";
import type { MetricRegistry } from "../../metrics/registry.ts";
import { type HttpAddress, httpAddressText, literalHost } from "../../plugins/http_address.ts";
import type { Libc } from "../../sys/libc.ts";
import { HttpAddressServer, type HttpCounts, type HttpTarget } from "./http/address.ts";
import type { HttpConnection } from "./http/connection.ts";
import { defaultHttpLimits, HTTP_LIMITS, type HttpLimits } from "./http/limits.ts";
import { countHttp } from "./http/counts.ts";
import { boundKernelBuffers } from "./http/kernel_buffers.ts";
import { HttpTurns } from "./http/turns.ts";

/** A path of an address, and who answers there. */
export interface HttpRoute extends HttpAddress, HttpTarget {
  path: string;
}

/** How the servers are run. */
export interface HttpServersOptions {
  registry: MetricRegistry;
  log: (level: LogLevel, line: string) => void;
  /** Most connections over all addresses, which share them; default: no such limit. */
  mostConnections?: number;
  /** Bounds what the kernel keeps for slow readers; null if there is no FFI. */
  libc?: Libc | null;
  /** Default: as they ship. */
  limits?: HttpLimits;
}

interface Listening {
  port: number;
  server: HttpAddressServer;
}

/** The HTTP servers of the control plane: one for each address, however many directives name it. */
export class HttpServers {
  readonly #limits: HttpLimits;
  readonly #counts: HttpCounts;
  readonly #turns: HttpTurns<HttpConnection>;
  readonly #mostConnections: number;
  readonly #libc: Libc | null;
  #open = new Map<string, Listening>();
  /** Closed already, but their sockets may be open for a moment still. */
  readonly #leaving = new Set<Listening>();

  constructor(options: HttpServersOptions) {
    this.#limits = options.limits ?? defaultHttpLimits();
    this.#mostConnections = options.mostConnections ?? Infinity;
    this.#counts = countHttp(options);
    this.#turns = new HttpTurns(this.#limits);
    this.#libc = options.libc ?? null;
  }

  /**
   * Serves these routes and no others from now on. What is new is opened first; where that fails,
   * everything stays as it was. Throws an error that names the address and what would do.
   *
   * @param shared - another nodens may have the same addresses, for a moment
   */
  apply(routes: readonly HttpRoute[], shared = false): void {
    const wanted = new Map<string, { address: HttpAddress; paths: Map<string, HttpTarget> }>();
    for (const { path, handler, probe = false, localOnly = false, ...route } of routes) {
      const address = { host: literalHost(route.host), port: route.port };
      const key = httpAddressText(address);
      const entry = wanted.get(key) ?? { address, paths: new Map<string, HttpTarget>() };
      entry.paths.set(path, { handler, probe, localOnly });
      wanted.set(key, entry);
    }
    // A server of this process makes way in a moment.
    const own = new Set([...this.#open.values(), ...this.#leaving].map(({ port }) => port));
    const next = new Map<string, Listening>();
    const opened: Listening[] = [];
    try {
      for (const [key, { address }] of wanted) {
        const known = this.#open.get(key);
        if (known !== undefined) {
          next.set(key, known);
          continue;
        }
        if (!shared && !own.has(address.port)) checkFree(address);
        const listening = this.#listen(address);
        opened.push(listening);
        next.set(key, listening);
      }
    } catch (error) {
      for (const listening of opened) void this.#shutDown(listening);
      throw error;
    }
    const share = Math.floor(this.#mostConnections / Math.max(1, wanted.size));
    const { connections } = this.#limits;
    const most = Math.min(connections, Math.max(HTTP_LIMITS.connections.min, share));
    for (const [key, { paths }] of wanted) {
      const { server } = next.get(key)!;
      server.targets = paths;
      server.mostConnections = most;
    }
    for (const [key, listening] of this.#open) {
      if (!next.has(key)) void this.#shutDown(listening);
    }
    this.#open = next;
  }

  /** Addresses that are listened on: `127.0.0.1:9153`. */
  get addresses(): string[] {
    return [...this.#open.keys()];
  }

  /** Closes everything; requests under way are answered, for `limitMs` at most. */
  async stop(limitMs: number): Promise<void> {
    const servers = [...this.#open.values()];
    this.#open = new Map();
    await doneWithin(Promise.all(servers.map((listening) => this.#shutDown(listening))), limitMs);
  }

  #listen(address: HttpAddress): Listening {
    const { host, port } = address;
    const listen = (hostname: string) => Deno.listen({ hostname, port, reusePort: true });
    try {
      const listener = host === "" ? onBoth(listen) : listen(host);
      if (this.#libc !== null) {
        boundKernelBuffers(this.#libc, listener.addr as Deno.NetAddr);
      }
      const server = new HttpAddressServer(listener, {
        limits: this.#limits,
        counts: this.#counts,
        turns: this.#turns,
      });
      return { port, server };
    } catch (error) {
      throw cannotListen(address, error as Error);
    }
  }

  async #shutDown(listening: Listening): Promise<void> {
    this.#leaving.add(listening);
    try {
      await listening.server.stop();
    } finally {
      this.#leaving.delete(listening);
    }
  }
}

/**
 * Sockets share their ports, so that two processes can overlap. That hides a stranger's
 * server, so it is tried without first.
 */
function checkFree(address: HttpAddress): void {
  const { host, port } = address;
  const listen = (hostname: string) => Deno.listen({ hostname, port }).close();
  try {
    if (host === "") onBoth(listen);
    else listen(host);
  } catch (error) {
    throw cannotListen(address, error as Error);
  }
}

/** On all addresses of both families, or of IPv4 on a host without IPv6. */
function onBoth<T>(listen: (hostname: string) => T): T {
  try {
    return listen("::");
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) throw error;
    return listen("0.0.0.0");
  }
}

function cannotListen(address: HttpAddress, error: Error): Error {
  return new Error(`Cannot listen on ${httpAddressText(address)} (HTTP): ${reason(error)}`);
}

function reason(error: Error): string {
  if (error instanceof Deno.errors.AddrInUse) {
    return "address already in use (another server listens there: stop it, or choose another port)";
  }
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return "address not available (no interface of this host has the address)";
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return "permission denied (ports below 1024 need CAP_NET_BIND_SERVICE or root)";
  }
  return error.message.replace(/ \(os error \d+\)$/, "");
}
