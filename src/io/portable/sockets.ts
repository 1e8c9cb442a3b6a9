import { MAX_MESSAGE_SIZE } from "../../dns/constants.ts";
import { MAX_RECORDS } from "../../dns/response_scan.ts";
import { Memory } from "../../engine/memory.ts";
import type { DatagramHandler, Endpoint } from "../contract.ts";

/** Most sockets open at a time. */
export const MAX_SOCKETS = 1024;

interface Entry {
  readonly socket: Deno.DatagramConn;
  readonly to: Deno.NetAddr;
  handler: DatagramHandler | null;
}

/** UDP sockets towards upstreams, one a query. The sender of each reply is compared by hand. */
export class PortableSockets {
  readonly #entries: (Entry | null)[] = [];
  readonly #free: number[] = [];
  readonly #run: (work: () => void) => void;
  readonly #memory = new Memory(MAX_MESSAGE_SIZE + 1 + 2 * MAX_RECORDS);
  #open = 0;
  /** Datagrams from somebody else than the upstream that was asked. */
  unexpected = 0;

  constructor(run: (work: () => void) => void) {
    this.#run = run;
  }

  open(endpoint: Endpoint, handler: DatagramHandler): number {
    if (this.#open >= MAX_SOCKETS) return -1;
    const { address, source } = endpoint;
    const any = address.family === 4 ? "0.0.0.0" : "::";
    let socket: Deno.DatagramConn;
    try {
      socket = Deno.listenDatagram({
        transport: "udp",
        hostname: source?.hostname() ?? any,
        port: 0,
      });
    } catch {
      return -1;
    }
    const to: Deno.NetAddr = {
      transport: "udp",
      hostname: address.hostname(),
      port: address.port,
    };
    const entry = { socket, to, handler };
    const index = this.#free.pop() ?? this.#entries.length;
    this.#entries[index] = entry;
    this.#open++;
    void this.#receive(entry);
    return index;
  }

  send(index: number, memory: Memory, offset: number, length: number): boolean {
    const entry = this.#entries[index]!;
    entry.socket.send(memory.bytes.slice(offset, offset + length), entry.to).catch(() => {
      this.#run(() => entry.handler?.failed());
    });
    return true;
  }

  release(index: number): void {
    const entry = this.#entries[index];
    if (entry === null || entry === undefined) return;
    entry.handler = null;
    entry.socket.close();
    this.#entries[index] = null;
    this.#free.push(index);
    this.#open--;
  }

  close(): void {
    this.#entries.forEach((_, index) => this.release(index));
  }

  async #receive(entry: Entry): Promise<void> {
    const buffer = new Uint8Array(MAX_MESSAGE_SIZE);
    while (entry.handler !== null) {
      try {
        const [bytes, from] = await entry.socket.receive(buffer);
        const { hostname, port } = from as Deno.NetAddr;
        if (hostname !== entry.to.hostname || port !== entry.to.port) {
          this.unexpected++;
          continue;
        }
        this.#run(() => {
          this.#memory.bytes.set(bytes);
          entry.handler?.reply(this.#memory, bytes.length);
        });
      } catch {
        // Closed by `release`, or the upstream's host refused.
        if (entry.handler !== null) this.#run(() => entry.handler?.failed());
        return;
      }
    }
  }
}
