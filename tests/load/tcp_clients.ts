/** TCP clients that open a connection for each query, or keep theirs as long as the server does. */
import * as codec from "dns-packet";

/** Results of connections and queries. */
export interface TcpCounts {
  connections: number;
  answers: number;
  refused: number;
  reset: number;
  /** New connections that were closed without an answer. */
  unserved: number;
  /** Connections that the server closed between two queries. */
  closed: number;
  /** Queries on older connections that crossed the server's FIN. */
  askedAgain: number;
}

/** Runs clients of both kinds until `stop`. */
export function startTcpClients(
  { port, names, fresh, kept, pauseMs }: {
    port: number;
    names: readonly string[];
    /** Clients with a connection for each query. */
    fresh: number;
    /** Clients that keep their connections. */
    kept: number;
    /** Pause between two queries of the latter. */
    pauseMs: number;
  },
): { counts: TcpCounts; stop(): Promise<void> } {
  const counts: TcpCounts = {
    connections: 0,
    answers: 0,
    refused: 0,
    reset: 0,
    unserved: 0,
    closed: 0,
    askedAgain: 0,
  };
  let going = true;
  let asked = 0;

  async function onOneConnection(keep: boolean): Promise<void> {
    let connection: Deno.TcpConn;
    try {
      connection = await Deno.connect({ hostname: "127.0.0.1", port });
    } catch {
      counts.refused++;
      return;
    }
    counts.connections++;
    try {
      const reader = new FrameReader(connection);
      for (let answers = 0; going; answers++) {
        const name = names[asked++ % names.length]!;
        const questions = [{ name, type: "A" as const }];
        const query = codec.streamEncode({ type: "query", id: 1, flags: 0x100, questions });
        await connection.write(query);
        if (!await reader.next()) {
          if (answers === 0) counts.unserved++;
          else counts.askedAgain++;
          return;
        }
        counts.answers++;
        if (!keep) return;
        // Detects the end of the connection at once, as event-driven programs do.
        if (await reader.endsWithin(pauseMs)) {
          counts.closed++;
          return;
        }
      }
    } catch {
      counts.reset++;
    } finally {
      connection.close();
    }
  }

  const run = async (keep: boolean) => {
    while (going) await onOneConnection(keep);
  };
  const clients = [
    ...Array.from({ length: fresh }, () => run(false)),
    ...Array.from({ length: kept }, () => run(true)),
  ];
  return {
    counts,
    async stop() {
      going = false;
      await Promise.all(clients);
    },
  };
}

/** Reads frames, which come one at a time. */
class FrameReader {
  readonly #connection: Deno.TcpConn;
  readonly #buffer = new Uint8Array(4096);
  #reading: Promise<number | null> | null = null;

  constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  /** Waits for a frame; returns false if the server has ended the connection. */
  async next(): Promise<boolean> {
    const frame: number[] = [];
    for (;;) {
      const count = await this.#read();
      this.#reading = null;
      if (count === null) return false;
      frame.push(...this.#buffer.subarray(0, count));
      if (frame.length >= 2 && frame.length >= 2 + ((frame[0]! << 8) | frame[1]!)) return true;
    }
  }

  /** Whether the server ends the connection within this time. */
  async endsWithin(ms: number): Promise<boolean> {
    const pause = new Promise<false>((resolve) => setTimeout(() => resolve(false), ms));
    return await Promise.race([this.#read().then((count) => count === null), pause]);
  }

  #read(): Promise<number | null> {
    return this.#reading ??= this.#connection.read(this.#buffer);
  }
}
