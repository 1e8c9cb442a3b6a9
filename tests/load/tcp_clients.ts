/** TCP clients that open a connection for each query, or keep theirs as long as the server does. */
import * as codec from "dns-packet";
import { readFrames } from "../support/processes/drivers.ts";

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
    fresh: number;
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
      const frames = readFrames(connection);
      let next = frames.next();
      // Awaited after a query was written, which may fail first.
      next.catch(() => {});
      for (let answers = 0; going; answers++) {
        const name = names[asked++ % names.length]!;
        const questions = [{ name, type: "A" as const }];
        const query = codec.streamEncode({ type: "query", id: 1, flags: 0x100, questions });
        await connection.write(query);
        if ((await next).done) {
          if (answers === 0) counts.unserved++;
          else counts.askedAgain++;
          return;
        }
        counts.answers++;
        if (!keep) return;
        next = frames.next();
        next.catch(() => {});
        // Detects the end of the connection at once, as event-driven programs do.
        if (await endsWithin(next, pauseMs)) {
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

/** Whether the server ends the connection within this time. */
function endsWithin(next: Promise<IteratorResult<Uint8Array>>, ms: number): Promise<boolean> {
  const pause = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), ms));
  return Promise.race([next.then(({ done }) => done === true), pause]);
}
