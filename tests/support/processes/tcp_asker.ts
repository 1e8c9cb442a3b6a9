/**
 * Queries a server over one TCP connection, fifty times a second, until SIGTERM or for a minute;
 * reconnects. Then prints the results as JSON.
 */
import * as codec from "dns-packet";
import type { NodeRig } from "../namespaces/node_rig.ts";

export interface Asked {
  answers: number;
  /** Closed or refused by the peer. */
  ended: number;
  /** No answer or close within three seconds. */
  hung: number;
}

export async function startAsker(rig: NodeRig, server: string, name: string) {
  const { pathname } = new URL(import.meta.url);
  const asker = await rig.startIn(
    rig.nodes[0]!.pods[0]!.namespace,
    Deno.execPath(),
    ["run", "-A", pathname, server, name],
    { ready: (output) => output.includes("ASKING") },
  );
  return {
    async stop(): Promise<Asked> {
      await asker.stop();
      const asked: Asked = JSON.parse(asker.output.trim().split("\n").at(-1)!);
      if (asked.hung > 0) throw new Error(`questions without an answer: ${asker.output}`);
      return asked;
    },
  };
}

const PAUSE_MS = 20;
const LIMIT_MS = 3000;
const MINUTE_MS = 60_000;

if (import.meta.main) {
  const [server = "", name = ""] = Deno.args;
  const asked: Asked = { answers: 0, ended: 0, hung: 0 };
  const ending = { atMs: performance.now() + MINUTE_MS };
  Deno.addSignalListener("SIGTERM", () => ending.atMs = 0);
  write("ASKING");
  while (performance.now() < ending.atMs) await onOneConnection({ server, name }, asked, ending);
  write(JSON.stringify(asked));
  Deno.exit(0);
}

async function onOneConnection(
  { server, name }: { server: string; name: string },
  asked: Asked,
  ending: { readonly atMs: number },
): Promise<void> {
  let connection: Deno.TcpConn | null = null;
  try {
    connection = await Deno.connect({ hostname: server, port: 53 });
    const questions = [{ name, type: "A" as const }];
    const query = codec.streamEncode({ type: "query", id: 1, flags: 0x100, questions });
    while (performance.now() < ending.atMs) {
      await connection.write(query);
      const read = await Promise.race([connection.read(new Uint8Array(1024)), after(LIMIT_MS)]);
      if (read === undefined) {
        asked.hung++;
        return;
      }
      if (read === null) throw new Error("it was closed");
      asked.answers++;
      await after(PAUSE_MS);
    }
  } catch {
    asked.ended++;
    await after(PAUSE_MS);
  } finally {
    connection?.close();
  }
}

function after(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), ms));
}

function write(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
