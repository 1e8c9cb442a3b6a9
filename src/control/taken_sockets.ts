import type { ListenerConfig } from "../config/types.ts";
import { describeSocket, type InheritedSocket, sameAddress } from "../io/linux/inherited.ts";
import { listenPlaces } from "../io/linux/listen.ts";
import type { InheritedSource } from "../io/linux/listener_sockets.ts";
import { openLibc } from "../sys/libc.ts";
import type { SharedSocket } from "./takeover.ts";

/** The sockets of a nodens that this one takes over from, until it serves them. */
export class TakenSockets implements InheritedSource {
  readonly #libc = openLibc();
  readonly #ports = new Set<number>();
  #sockets: (InheritedSocket & { plane: number })[] = [];

  /**
   * Closes what is no socket for queries.
   *
   * @param planes - data planes that share them
   */
  constructor(sockets: readonly SharedSocket[], planes: number) {
    for (const { fd, plane } of sockets) {
      const found = describeSocket(this.#libc, { fd, name: "", kept: false });
      if ("unfit" in found) {
        this.#libc.close(fd);
        continue;
      }
      this.#sockets.push({ ...found, plane: plane % planes });
      this.#ports.add(found.address.port);
    }
  }

  of(listener: ListenerConfig, plane: number): InheritedSocket[] {
    return listenPlaces(this.#libc, listener).flatMap(({ kind, target }) =>
      this.#sockets.filter((socket) =>
        socket.plane === plane && socket.kind === kind && sameAddress(socket.address, target)
      )
    );
  }

  /** Also of ports that were taken over once: the one before may hold sockets of it still. */
  hasPort(port: number): boolean {
    return this.#ports.has(port);
  }

  /** Lets go of them: what is served has descriptors of its own. */
  close(): void {
    for (const { fd } of this.#sockets) this.#libc.close(fd);
    this.#sockets = [];
  }
}
