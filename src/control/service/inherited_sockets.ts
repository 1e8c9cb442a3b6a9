import type { ListenerConfig } from "../../config/types.ts";
import type { LogLevel } from "../../engine/handler.ts";
import { inspectDescriptor, nameSocket, sameAddress } from "../../io/linux/inherited.ts";
import { listenPlaces } from "../../io/linux/listen.ts";
import { F, FD_CLOEXEC } from "../../sys/constants.ts";
import { type Libc, openLibc } from "../../sys/libc.ts";
import type { DriverKind } from "../plane/messages.ts";
import {
  type HandedDescriptor,
  handedDescriptors,
  type ReadVariable,
} from "./service_environment.ts";
import type { InheritedSocket, ListenTarget } from "../../io/sockets.ts";

type Log = (level: LogLevel, line: string) => void;

/**
 * Sockets that this process was started with, and how many data planes they allow; null if there
 * are none. The portable driver opens its sockets through the runtime, which takes no descriptors:
 * it leaves them alone, with a warning.
 */
export function inheritSockets(
  { listeners }: { listeners: readonly ListenerConfig[] },
  options: { driver: DriverKind; workers: number; log: Log },
): { sockets: InheritedSockets | null; workers: number } {
  const { driver, workers, log } = options;
  const descriptors = takeHandedDescriptors(log);
  if (descriptors.length === 0) return { sockets: null, workers };
  if (driver === "portable") {
    const what = descriptors.length === 1
      ? "a socket that was"
      : `${descriptors.length} sockets that were`;
    log(
      "warning",
      `the portable driver cannot use ${what} handed over, and whoever opened them has the ports` +
        " (use the linux driver, or disable the socket unit)",
    );
    return { sockets: null, workers };
  }
  const sockets = new InheritedSockets(openLibc(), descriptors, log);
  return { sockets, workers: sockets.assign(listeners, workers) };
}

/** Variables of socket activation, which are not for programs that this one starts. */
const VARIABLES = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] as const;

/**
 * Descriptors that this process was started with, for it alone; the variables that say so are
 * removed. What is wrong with them is logged.
 */
export function takeHandedDescriptors(log: Log): HandedDescriptor[] {
  const read: ReadVariable = (name) => Deno.env.get(name);
  try {
    return handedDescriptors(read, Deno.pid);
  } catch (error) {
    log("warning", (error as Error).message);
    return [];
  } finally {
    for (const name of VARIABLES) Deno.env.delete(name);
  }
}

/**
 * The sockets that a service manager opened for nodens (socket activation), and which listener gets
 * which. They stay open as long as the process runs, so a listener that goes may come back.
 */
export class InheritedSockets {
  readonly #libc: Libc;
  readonly #log: Log;
  #sockets: InheritedSocket[] = [];
  #planes = 1;

  /** Looks at every descriptor; closes those that are of no use, with a warning for each. */
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

  /**
   * Closes what no listener asks for, and says how many data planes can share the others: each needs
   * a socket of its own, since one that they shared would wake all of them for each query.
   *
   * @returns `planes`, or fewer where there are fewer sockets; a warning says so
   */
  assign(listeners: readonly ListenerConfig[], planes: number): number {
    const places = listeners.flatMap((listener) =>
      listenPlaces(this.#libc, listener).map((place) => ({ ...place, listener }))
    );
    const counts = new Map<(typeof places)[number], InheritedSocket[]>();
    this.#sockets = this.#sockets.filter((socket) => {
      const place = places.find(({ kind, target }) =>
        kind === socket.kind && sameAddress(target, socket.address)
      );
      if (place === undefined) {
        this.#log("warning", `${nameSocket(socket)} is closed: ${remedy(socket)}`);
        this.#libc.close(socket.fd);
        return false;
      }
      counts.set(place, [...counts.get(place) ?? [], socket]);
      return true;
    });
    let most = planes;
    for (const [, sockets] of counts) {
      // Without that option the kernel gives everything to the one that was bound last.
      const sharing = sockets.every(({ reusePort }) => reusePort) ? sockets.length : 1;
      if (sharing >= most) continue;
      most = sharing;
      const lines = planes === 2 ? "twice" : `${planes} times`;
      this.#log(
        "warning",
        `-workers ${planes}: running ${most}, as ${nameSocket(sockets[0]!)} is there for no more` +
          ` (write its line ${lines} in the socket unit, with ReusePort=yes)`,
      );
    }
    this.#planes = most;
    return most;
  }

  /** What the listener gets in data plane number `plane`; of several of a kind, each has its share. */
  of(listener: ListenTarget, plane: number): InheritedSocket[] {
    return listenPlaces(this.#libc, listener).flatMap(({ kind, target }) =>
      this.#sockets
        .filter((socket) => kind === socket.kind && sameAddress(target, socket.address))
        .filter((_, i) => i % this.#planes === plane)
    );
  }

  /** Of all of them. */
  get descriptors(): number[] {
    return this.#sockets.map(({ fd }) => fd);
  }

  /** Whether a socket of this port was handed over; others may then be unable to bind it. */
  hasPort(port: number): boolean {
    return this.#sockets.some(({ address }) => address.port === port);
  }
}

function remedy({ address, kind }: InheritedSocket): string {
  const host = address.hostname();
  const line = kind === "udp" ? "ListenDatagram" : "ListenStream";
  return `no server block listens there, so nobody answers what comes to it ("bind ${host}" with` +
    ` port ${address.port} in the Corefile, or take ${line}= for it out of the socket unit)`;
}
