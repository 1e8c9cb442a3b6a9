import type { ListenerConfig } from "../../config/types.ts";
import type { LogLevel } from "../../engine/handler.ts";
import { addressesToBind, inspectDescriptor, nameSocket } from "../../io/linux/listen.ts";
import type { InheritedSocket, ListenTarget } from "../../io/sockets.ts";
import { F, FD_CLOEXEC } from "../../sys/constants.ts";
import { type Libc, openLibc } from "../../sys/libc.ts";
import { sameAddress } from "../../sys/sockaddr.ts";
import type { DriverKind } from "../plane/messages.ts";
import { type HandedDescriptor, handedDescriptors } from "./service_environment.ts";

type Log = (level: LogLevel, line: string) => void;

/** Hidden from child processes. */
const VARIABLES = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] as const;

/** Inherited sockets and their data plane limit; the portable driver warns instead. */
export function inheritSockets(
  { listeners }: { listeners: readonly ListenerConfig[] },
  { driver, workers, log }: { driver: DriverKind; workers: number; log: Log },
): { sockets: InheritedSockets | null; workers: number } {
  const descriptors = readDescriptors(log);
  if (descriptors.length === 0) return { sockets: null, workers };
  if (driver === "portable") {
    const what = descriptors.length === 1
      ? "a socket that was"
      : `${descriptors.length} sockets that were`;
    log(
      "warning",
      `the portable driver cannot use ${what} handed over, and the ports are in use by whoever` +
        " opened them (use the linux driver, or disable the socket unit)",
    );
    return { sockets: null, workers };
  }
  const sockets = new InheritedSockets(openLibc(), descriptors, log);
  return { sockets, workers: sockets.assign(listeners, workers) };
}

function readDescriptors(log: Log): HandedDescriptor[] {
  try {
    return handedDescriptors((name) => Deno.env.get(name), Deno.pid);
  } catch (error) {
    log("warning", (error as Error).message);
    return [];
  } finally {
    for (const name of VARIABLES) Deno.env.delete(name);
  }
}

/** Socket activation's sockets, kept for returning listeners. */
export class InheritedSockets {
  readonly #libc: Libc;
  readonly #log: Log;
  #sockets: InheritedSocket[] = [];
  #planes = 1;

  constructor(libc: Libc, descriptors: readonly HandedDescriptor[], log: Log) {
    this.#libc = libc;
    this.#log = log;
    for (const descriptor of descriptors) {
      const found = inspectDescriptor(libc, descriptor);
      if (!("unfit" in found)) {
        libc.fcntl(found.fd, F.SETFD, FD_CLOEXEC);
        this.#sockets.push(found);
        continue;
      }
      const { fd, name } = descriptor;
      const which = name === "" ? `descriptor ${fd}` : `descriptor ${fd} (${name})`;
      const what = found.ours ? "closed" : "ignored";
      log("warning", `${which} was handed over and is ${what}: ${found.unfit}`);
      if (found.ours) libc.close(fd);
    }
  }

  /** Closes unused ones; returns how many of `planes` can run without sharing. */
  assign(listeners: readonly ListenerConfig[], planes: number): number {
    const places = listeners.flatMap((listener) => addressesToBind(this.#libc, listener));
    const byPlace = Map.groupBy(
      this.#sockets,
      ({ kind, address }) =>
        places.find((place) => place.kind === kind && sameAddress(place.target, address)),
    );
    for (const socket of byPlace.get(undefined) ?? []) {
      this.#log("warning", `${nameSocket(socket)} is closed: ${remedy(socket)}`);
      this.#libc.close(socket.fd);
    }
    byPlace.delete(undefined);
    this.#sockets = [...byPlace.values()].flat();
    this.#planes = planes;
    for (const sockets of byPlace.values()) {
      // Without SO_REUSEPORT the last bound socket gets everything.
      const usable = sockets.every(({ reusePort }) => reusePort) ? sockets.length : 1;
      if (usable >= this.#planes) continue;
      this.#planes = usable;
      const lines = planes === 2 ? "twice" : `${planes} times`;
      this.#log(
        "warning",
        `-workers ${planes}: running ${usable}, as only that many can use ` +
          `${
            nameSocket(sockets[0]!)
          } (write its line ${lines} in the socket unit, with ReusePort=yes)`,
      );
    }
    return this.#planes;
  }

  of(listener: ListenTarget, plane: number): InheritedSocket[] {
    return addressesToBind(this.#libc, listener).flatMap(({ kind, target }) =>
      this.#sockets
        .filter((socket) => kind === socket.kind && sameAddress(target, socket.address))
        .filter((_, i) => i % this.#planes === plane)
    );
  }

  get descriptors(): number[] {
    return this.#sockets.map(({ fd }) => fd);
  }

  hasPort(port: number): boolean {
    return this.#sockets.some(({ address }) => address.port === port);
  }
}

function remedy({ address, kind }: InheritedSocket): string {
  const host = address.hostname();
  const line = kind === "udp" ? "ListenDatagram" : "ListenStream";
  return `no server block listens there, so its queries would not be answered ("bind ${host}" with` +
    ` port ${address.port} in the Corefile, or remove ${line}= from the socket unit)`;
}
