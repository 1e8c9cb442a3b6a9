/** Only a hang takes this long. */
const LIMIT_MS = 10_000;

/** Sends messages to one server over UDP and TCP. */
export class BatteryClient {
  readonly #port: number;
  readonly #socket: Deno.DatagramConn;
  #stream: Deno.TcpConn | null = null;

  constructor(port: number) {
    this.#port = port;
    this.#socket = Deno.listenDatagram({ hostname: "127.0.0.1", port: 0, transport: "udp" });
  }

  /**
   * Sends a message and then `marker`; returns the responses that arrive before the marker's. A
   * closed connection means no answer; the next message opens another.
   */
  async ask(
    transport: "udp" | "tcp",
    message: Uint8Array,
    marker: Uint8Array | null,
  ): Promise<Uint8Array | null> {
    const send = transport === "udp" ? this.#sendUdp : this.#sendTcp;
    const receive = transport === "udp" ? this.#receiveUdp : this.#receiveTcp;
    await send.call(this, message);
    if (marker !== null) await send.call(this, marker);
    const answer = await limited(receive.call(this));
    if (marker === null) {
      if (answer === null) throw new Error("Cannot get a response: the connection was closed");
      return answer;
    }
    if (answer === null || answer[0] === marker[0] && answer[1] === marker[1]) return null;
    await limited(receive.call(this));
    return answer;
  }

  close(): void {
    this.#socket.close();
    this.#stream?.close();
  }

  async #sendUdp(message: Uint8Array): Promise<void> {
    await this.#socket.send(message, { hostname: "127.0.0.1", port: this.#port, transport: "udp" });
  }

  async #receiveUdp(): Promise<Uint8Array | null> {
    const [bytes] = await this.#socket.receive(new Uint8Array(65535));
    return bytes;
  }

  async #sendTcp(message: Uint8Array): Promise<void> {
    const stream = this.#stream ??= await Deno.connect({ hostname: "127.0.0.1", port: this.#port });
    const frame = Uint8Array.from([message.length >> 8, message.length & 255, ...message]);
    for (let at = 0; at < frame.length;) {
      const count = await stream.write(frame.subarray(at)).catch(closedOf);
      if (count === null) return;
      at += count;
    }
  }

  async #receiveTcp(): Promise<Uint8Array | null> {
    const size = await this.#read(2);
    return size === null ? null : await this.#read(size[0]! << 8 | size[1]!);
  }

  async #read(size: number): Promise<Uint8Array | null> {
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size;) {
      const count = await this.#stream!.read(bytes.subarray(at)).catch(closedOf);
      if (count === null) {
        this.#stream!.close();
        this.#stream = null;
        return null;
      }
      at += count;
    }
    return bytes;
  }
}

/** A connection that the server closed without reading our data counts as closed. */
function closedOf(error: unknown): null {
  if (error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe) {
    return null;
  }
  throw error;
}

async function limited<T>(promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`Cannot get a response in ${LIMIT_MS} ms`)),
      LIMIT_MS,
    );
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}
