import type { Certificate } from "./certificates.ts";
import { buildGo, goReasons } from "./go_program.ts";
import { decode, queryBytes } from "../messages/messages.ts";
import { askUdp } from "../processes/drivers.ts";
import { freePort } from "./ports.ts";
import { startProcess } from "../processes/process.ts";
import { missing, skipFor } from "../run/require.ts";

/** Options for `Deno.test` that skip it if the server or an executable is unavailable. */
export function skipUnlessCluster(...binaries: string[]): { ignore: boolean } {
  return skipFor([
    ...goReasons(),
    ...missing(binaries),
  ]);
}

export interface ServerCounts {
  /** TCP and TLS connections: total, currently open, and maximum open. */
  accepted: number;
  open: number;
  most: number;
  queries: number;
}

/** A server that behaves like CoreDNS on the wire; `go/cluster_dns.go` documents its answers. */
export interface ClusterServer {
  readonly port: number;
  /** DNS over TLS; 0 without a certificate. */
  readonly tlsPort: number;
  readonly pid: number;
  counts(): Promise<ServerCounts>;
  stop(): Promise<unknown>;
}

/** Starts the server; builds it the first time. */
export async function startCluster(certificate?: Certificate): Promise<ClusterServer> {
  const program = buildGo("cluster_dns");
  const port = await freePort();
  const tlsPort = certificate === undefined ? 0 : await freePort();
  const encrypted = certificate === undefined ? [] : [
    ...["-tls", `127.0.0.1:${tlsPort}`, "-cert", certificate.certFile, "-key", certificate.keyFile],
  ];
  const process = await startProcess(program, {
    args: ["-dns", `127.0.0.1:${port}`, ...encrypted],
    ready: (output) => output.includes("ready\n"),
  });
  return {
    port,
    tlsPort,
    pid: process.pid,
    async counts() {
      const answer = decode(await askUdp(countsQuery(), { port }));
      const text = String((answer.answers![0] as { data: Uint8Array[] }).data[0]);
      return Object.fromEntries(
        text.split(" ").map((pair) => pair.split("=")).map(([key, value]) => [key, Number(value)]),
      ) as unknown as ServerCounts;
    },
    stop: process.stop,
  };
}

/** The question for the counts: class CH, which the codec cannot set. */
function countsQuery(): Uint8Array {
  const query = queryBytes({ name: "counts", type: "TXT", id: 0x4321 });
  query[query.length - 1] = 3;
  return query;
}
