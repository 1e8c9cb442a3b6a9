import { MAX_MESSAGE_SIZE } from "../../dns/constants.ts";
import { MAX_RECORDS } from "../../dns/response_scan.ts";
import type { BufferPool } from "../../engine/buffer_pool.ts";
import { Memory } from "../../engine/memory.ts";
import { type DatagramHandler, type Endpoint, NO_SOCKET } from "../../engine/io.ts";

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
  readonly #most: number;
  readonly #buffers: () => BufferPool;
  #open = 0;
  /** Datagrams from somebody else than the upstream that was asked. */
  unexpected = 0;

  /**
   * @param most - sockets that may be open at a time
   * @param buffers - what replies are received into
   */
  constructor(run: (work: () => void) => void, most: number, buffers: () => BufferPool) {
    this.#run = run;
    this.#most = most;
    this.#buffers = buffers;
  }

  open(endpoint: Endpoint, handler: DatagramHandler): number {
    if (this.#open >= this.#most) return NO_SOCKET;
    const { address, source } = endpoint;
    const any = address.family === 4 ? "0.0.0.0" : "::";
    let socket: Deno.DatagramConn;
    try {
      socket = Deno.listenDatagram({
        transport: "udp",
        hostname: source?.hostname() ?? any,
        port: 0,
      });
    } catch (error) {
      return isShortage(error) ? NO_SOCKET : -1;
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
    const buffer = this.#buffers().take(MAX_MESSAGE_SIZE);
    try {
      while (entry.handler !== null) {
        const [bytes, from] = await entry.socket.receive(buffer.bytes);
        const { hostname, port } = from as Deno.NetAddr;
        if (hostname !== entry.to.hostname || port !== entry.to.port) {
          this.unexpected++;
          continue;
        }
        this.#run(() => {
          this.#memory.bytes.set(bytes);
          entry.handler?.reply(this.#memory, bytes.length);
        });
      }
    } catch {
      // Closed by `release`, or the upstream's host refused.
      if (entry.handler !== null) this.#run(() => entry.handler?.failed());
    } finally {
      this.#buffers().give(buffer);
    }
  }
}

/** Whether ports or descriptors have run out. */
function isShortage(error: unknown): boolean {
  return error instanceof Deno.errors.AddrInUse ||
    ["EMFILE", "ENFILE"].includes((error as { code?: string }).code ?? "");
}
