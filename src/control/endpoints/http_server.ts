import type { Clock } from "../../base/clock.ts";
import { doneWithin } from "../../base/deadline.ts";
import type { LogLevel } from "../../engine/handler.ts";
import type { MetricRegistry } from "../../metrics/registry.ts";
import { type HttpAddress, httpAddressText, literalHost } from "../../plugins/http_address.ts";
import type { Libc } from "../../sys/libc.ts";
import { HttpAddressServer, type HttpTarget } from "./http/address.ts";
import type { HttpContext } from "./http/connection.ts";
import { countHttp } from "./http/counts.ts";
import { boundKernelBuffers } from "./http/kernel_buffers.ts";
import { HTTP_LIMITS, type HttpLimits } from "./http/limits.ts";
import { makeScheduler } from "./http/scheduler.ts";

/** Handler of a path at an address. */
export interface HttpRoute extends HttpAddress, HttpTarget {
  path: string;
}

/** Options of `HttpServers`. */
export interface HttpServersOptions {
  registry: MetricRegistry;
  log: (level: LogLevel, line: string) => void;
  maxConnections?: number;
  /** Null without FFI. */
  libc?: Libc | null;
  limits?: HttpLimits;
  clock: Clock;
}

/** HTTP servers, one per address. */
export class HttpServers {
  readonly context: HttpContext;
  readonly #maxConnections: number;
  readonly #libc: Libc | null;
  #open = new Map<string, HttpAddressServer>();
  readonly #stopping = new Set<HttpAddressServer>();

  constructor(options: HttpServersOptions) {
    const { limits = HTTP_LIMITS, clock } = options;
    this.context = {
      limits,
      clock,
      counts: countHttp(options),
      scheduler: makeScheduler(limits, clock),
    };
    this.#maxConnections = options.maxConnections ?? Infinity;
    this.#libc = options.libc ?? null;
  }

  /** Serves exactly these, or throws and changes nothing. `shared`: see `Endpoints`. */
  apply(routes: readonly HttpRoute[], shared = false): void {
    const wanted = Map.groupBy(routes, (route) => httpAddressText(literal(route)));
    // Closing servers may still occupy a port.
    const ownPorts = new Set([...this.#open.values(), ...this.#stopping].map(({ port }) => port));
    const next = new Map<string, HttpAddressServer>();
    const opened: HttpAddressServer[] = [];
    try {
      for (const [key, [first]] of wanted) {
        const address = literal(first!);
        let server = this.#open.get(key);
        if (server === undefined) {
          // Sharing the port would hide a foreign server.
          if (!shared && !ownPorts.has(address.port)) listen(address, false).close();
          opened.push(server = this.#listen(address));
        }
        next.set(key, server);
      }
    } catch (error) {
      for (const server of opened) void this.#stop(server);
      throw error;
    }
    const { connections, leastConnections } = this.context.limits;
    const share = Math.floor(this.#maxConnections / Math.max(1, wanted.size));
    for (const [key, same] of wanted) {
      const server = next.get(key)!;
      server.targets = new Map(same.map((route) => [route.path, route]));
      server.maxConnections = Math.min(connections, Math.max(leastConnections, share));
    }
    for (const [key, server] of this.#open) if (!next.has(key)) void this.#stop(server);
    this.#open = next;
  }

  async stop(limitMs: number): Promise<void> {
    const servers = [...this.#open.values()];
    this.#open = new Map();
    const stopped = Promise.all(servers.map((server) => this.#stop(server)));
    await doneWithin(stopped, limitMs, this.context.clock);
  }

  #listen(address: HttpAddress): HttpAddressServer {
    const listener = listen(address, true);
    if (this.#libc !== null) boundKernelBuffers(this.#libc, listener.addr);
    return new HttpAddressServer(listener, this.context);
  }

  async #stop(server: HttpAddressServer): Promise<void> {
    this.#stopping.add(server);
    try {
      await server.stop();
    } finally {
      this.#stopping.delete(server);
    }
  }
}

function literal({ host, port }: HttpAddress): HttpAddress {
  return { host: literalHost(host), port };
}

/** "": all addresses; only IPv4 if the host lacks IPv6. */
function listen(address: HttpAddress, reusePort: boolean): Deno.TcpListener {
  const { host, port } = address;
  try {
    if (host !== "") return Deno.listen({ hostname: host, port, reusePort });
    try {
      return Deno.listen({ hostname: "::", port, reusePort });
    } catch (error) {
      if (error instanceof Deno.errors.AddrInUse) throw error;
      return Deno.listen({ hostname: "0.0.0.0", port, reusePort });
    }
  } catch (error) {
    const why = reason(error as Error);
    throw new Error(`Cannot listen on ${httpAddressText(address)} (HTTP): ${why}`);
  }
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
