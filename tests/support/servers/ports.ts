import { tmpdir } from "node:os";
import { FIRST_SOURCE_PORT } from "../../../bench/servers/server.ts";

/** Below what sockets get that ask for any port: nobody takes one of these by chance. */
const PORTS = { first: 10_000, past: FIRST_SOURCE_PORT };
const ATTEMPTS = 200;
/** Longer than any test uses a port. */
const KEPT_MS = 600_000;

/**
 * A port that nothing has on any address over UDP or TCP, and that no test beside this one is given
 * for ten minutes: a server that a test takes for dead stays dead.
 */
export function freePort(): number {
  const folder = `${tmpdir()}/nodens_test_ports_${Deno.uid() ?? 0}`;
  Deno.mkdirSync(folder, { recursive: true });
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = PORTS.first + Math.floor(Math.random() * (PORTS.past - PORTS.first));
    if (keepForUs(`${folder}/${port}`) && isFree(port)) return port;
  }
  throw new Error(`Cannot find a free port: ${ATTEMPTS} were taken`);
}

/** Whether the file that stands for a port is made here, or was made too long ago to mean anything. */
function keepForUs(file: string): boolean {
  try {
    Deno.openSync(file, { write: true, createNew: true }).close();
    return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
  const { mtime } = Deno.statSync(file);
  if (mtime !== null && Date.now() - mtime.getTime() < KEPT_MS) return false;
  Deno.utimeSync(file, new Date(), new Date());
  return true;
}

function isFree(port: number): boolean {
  // Binding the wildcard fails where any address has the port.
  return ["0.0.0.0", ...(haveIpv6() ? ["::"] : [])]
    .every((hostname) => canBindTcp(hostname, port) && canBindUdp(hostname, port));
}

/** Whether ::1 can be listened on. */
export function haveIpv6(): boolean {
  return canBindTcp("::1", 0);
}

function canBindTcp(hostname: string, port: number): boolean {
  try {
    Deno.listen({ hostname, port }).close();
    return true;
  } catch {
    return false;
  }
}

function canBindUdp(hostname: string, port: number): boolean {
  try {
    Deno.listenDatagram({ transport: "udp", hostname, port }).close();
    return true;
  } catch {
    return false;
  }
}
