import { IndexTable } from "../../base/index_table.ts";
import { MAX_MESSAGE_SIZE } from "../../dns/constants.ts";
import { MAX_RECORDS } from "../../dns/response_scan.ts";
import type { BufferPool } from "../../engine/buffer_pool.ts";
import { type DatagramHandler, type Endpoint, NO_SOCKET } from "../../engine/io.ts";
import { Memory } from "../../engine/memory.ts";

interface Entry {
  readonly socket: Deno.DatagramConn;
  readonly to: Deno.NetAddr;
  handler: DatagramHandler | null;
}

/** UDP, one per query; senders are checked. */
export class PortableSockets {
  unexpected = 0;
  readonly #entries = new IndexTable<Entry>();
  readonly #run: (work: () => void) => void;
  readonly #memory = new Memory(MAX_MESSAGE_SIZE + 1 + 2 * MAX_RECORDS);
  readonly #limit: number;
  readonly #buffers: () => BufferPool;

  constructor(run: (work: () => void) => void, limit: number, buffers: () => BufferPool) {
    this.#run = run;
    this.#limit = limit;
    this.#buffers = buffers;
  }

  open({ address, source }: Endpoint, handler: DatagramHandler): number {
    if (this.#entries.size >= this.#limit) return NO_SOCKET;
    const hostname = source?.hostname() ?? (address.family === 4 ? "0.0.0.0" : "::");
    let socket: Deno.DatagramConn;
    try {
      socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
    } catch (error) {
      return isShortage(error) ? NO_SOCKET : -1;
    }
    const to = { transport: "udp", hostname: address.hostname(), port: address.port } as const;
    const entry = { socket, to, handler };
    void this.#receive(entry);
    return this.#entries.add(entry);
  }

  send(index: number, memory: Memory, offset: number, length: number): boolean {
    const entry = this.#entries.get(index)!;
    entry.socket.send(memory.bytes.slice(offset, offset + length), entry.to).catch(() => {
      this.#run(() => entry.handler?.failed());
    });
    return true;
  }

  release(index: number): void {
    const entry = this.#entries.remove(index);
    if (entry === null) return;
    entry.handler = null;
    entry.socket.close();
  }

  close(): void {
    for (const entry of this.#entries) {
      entry.handler = null;
      entry.socket.close();
    }
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
      // Released, or refused by the upstream.
      if (entry.handler !== null) this.#run(() => entry.handler?.failed());
    } finally {
      this.#buffers().give(buffer);
    }
  }
}

function isShortage(error: unknown): boolean {
  return error instanceof Deno.errors.AddrInUse ||
    ["EMFILE", "ENFILE"].includes((error as { code?: string }).code ?? "");
}
