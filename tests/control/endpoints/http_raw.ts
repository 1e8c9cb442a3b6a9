/** HTTP over a plain TCP connection, for requests that no client library sends. */
export class RawHttp {
  readonly conn: Deno.TcpConn;
  #text = "";
  #ended = false;
  #closed = false;

  private constructor(conn: Deno.TcpConn) {
    this.conn = conn;
  }

  static async open(port: number, hostname = "127.0.0.1"): Promise<RawHttp> {
    return new RawHttp(await Deno.connect({ hostname, port }));
  }

  /** Sends text unchanged. */
  async send(text: string): Promise<void> {
    const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
    for (let at = 0; at < bytes.length;) at += await this.conn.write(bytes.subarray(at));
  }

  /** Reads one response, by its content length; "" if the server has closed. */
  async response(): Promise<string> {
    for (;;) {
      const headEnd = this.#text.indexOf("\r\n\r\n");
      if (headEnd >= 0) {
        const length = Number(/^content-length: (\d+)/im.exec(this.#text)?.[1] ?? 0);
        const end = headEnd + 4 + length;
        if (this.#text.length >= end) {
          const whole = this.#text.slice(0, end);
          this.#text = this.#text.slice(end);
          return whole;
        }
      }
      if (!await this.#read()) return "";
    }
  }

  /** Reads until the server closes. */
  async rest(): Promise<string> {
    while (await this.#read());
    return this.#text;
  }

  close(): void {
    if (!this.#closed) this.conn.close();
    this.#closed = true;
  }

  async #read(): Promise<boolean> {
    if (this.#ended) return false;
    const buffer = new Uint8Array(65536);
    const count = await this.conn.read(buffer).catch(() => null);
    if (count === null) this.#ended = true;
    else this.#text += String.fromCharCode(...buffer.subarray(0, count));
    return count !== null;
  }
}
