import { dnsmasq } from "../../../bench/servers/dnsmasq.ts";
import { pdns } from "../../../bench/servers/pdns.ts";
import type { ServerKind } from "../../../bench/servers/server.ts";
import { unbound } from "../../../bench/servers/unbound.ts";
import { askUdp } from "../processes/drivers.ts";
import { queryBytes } from "../messages/messages.ts";
import { startNamed } from "./named.ts";
import { freePort } from "./ports.ts";
import { startProcess } from "../processes/process.ts";

/** A caching forwarder of another project. */
export type Forwarder = "named" | "unbound" | "dnsmasq" | "pdns_recursor";

/** The forwarders, by executable. */
export const FORWARDERS: readonly Forwarder[] = ["named", "unbound", "dnsmasq", "pdns_recursor"];

const KINDS: Readonly<Record<Exclude<Forwarder, "named">, ServerKind>> = {
  unbound,
  dnsmasq,
  pdns_recursor: pdns,
};
/** Number and time limit of readiness queries. */
const READY = { tries: 50, limitMs: 200 } as const;

export interface RunningForwarder {
  readonly port: number;
  readonly pid: number | null;
  stop(): Promise<unknown>;
}

/**
 * Starts a forwarder to one upstream on loopback.
 * @param options.edit - changes its configuration file before the start; not for named
 */
export async function startForwarder(
  name: Forwarder,
  upstreamPort: number,
  options: { edit?: (text: string) => string } = {},
): Promise<RunningForwarder> {
  if (name === "named") {
    const named = await startNamed({
      standardZones: false,
      statements: `recursion yes; dnssec-validation no; forward only; prefetch 0;
  forwarders { 127.0.0.1 port ${upstreamPort}; };`,
    });
    return { port: named.port, pid: null, stop: () => named.stop() };
  }
  const port = await freePort();
  const directory = Deno.makeTempDirSync({ prefix: `nodens_${name}_` });
  const remove = () => Deno.removeSync(directory, { recursive: true });
  try {
    const upstreams = [{ address: "127.0.0.1", port: upstreamPort }];
    const [command = "", ...args] = KINDS[name].prepare({
      port,
      upstreams,
      directory,
      capacity: 10_000,
    });
    for (const { name: file } of [...Deno.readDirSync(directory)]) {
      const path = `${directory}/${file}`;
      const edited = options.edit?.(Deno.readTextFileSync(path));
      if (edited !== undefined) Deno.writeTextFileSync(path, edited);
    }
    const process = await startProcess(command, { args, cwd: directory, ready: () => true });
    await ready(port);
    const { pid } = process;
    return {
      port,
      pid,
      async stop() {
        await process.stop();
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}

async function ready(port: number): Promise<void> {
  for (let i = 0; i < READY.tries; i++) {
    const query = queryBytes({ name: `ready${i}.example.org`, id: i });
    // Lost if nothing listens yet.
    if (await askUdp(query, { port, limitMs: READY.limitMs }).then(() => true, () => false)) return;
  }
  throw new Error(`Cannot use the server on port ${port}: it does not answer`);
}
