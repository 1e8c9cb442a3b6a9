/**
 * Clients over TCP that never stop: some open a connection for each query, some keep theirs as long
 * as the server does. What happens to them is counted.
 */
import * as codec from "dns-packet";

/** What became of connections and queries. */
export interface TcpCounts {
  connections: number;
  answers: number;
  /** Connections that were not opened. */
  refused: number;
  /** Connections that ended with a reset. */
  reset: number;
  /** Connections that had just been opened, and were closed without an answer. */
  unserved: number;
  /** Queries that crossed the server's FIN on a connection that was open for longer: asked again. */
  askedAgain: number;
}

/** Runs clients of both kinds, and counts until `stop`. */
export function startTcpClients(
  { port, names, fresh, kept, pauseMs }: {
    port: number;
    names: readonly string[];
    /** Clients with a connection a query. */
    fresh: number;
    /** Clients that keep their connections. */
    kept: number;
    /** Pause of those between two queries. */
    pauseMs: number;
  },
): { counts: TcpCounts; stop(): Promise<void> } {
  const counts: TcpCounts = {
    connections: 0,
    answers: 0,
    refused: 0,
    reset: 0,
    unserved: 0,
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
      for (let answers = 0; going; answers++) {
        const name = names[asked++ % names.length]!;
        const questions = [{ name, type: "A" as const }];
        await connection.write(
          codec.streamEncode({ type: "query", id: 1, flags: 0x100, questions }),
        );
        if (!await readAnswer(connection)) {
          if (answers === 0) counts.unserved++;
          else counts.askedAgain++;
          return;
        }
        counts.answers++;
        if (!keep) return;
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
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

/** Reads one frame; false where the server has closed its side before. */
async function readAnswer(connection: Deno.TcpConn): Promise<boolean> {
  const buffer = new Uint8Array(4096);
  for (let filled = 0;;) {
    const count = await connection.read(buffer.subarray(filled));
    if (count === null) return false;
    filled += count;
    if (filled >= 2 && filled >= 2 + ((buffer[0]! << 8) | buffer[1]!)) return true;
  }
}
