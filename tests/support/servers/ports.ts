import { tmpdir } from "node:os";
import { FIRST_SOURCE_PORT } from "../../../bench/servers/server.ts";

/** Below the ports that the kernel assigns. */
const PORTS = { first: 10_000, past: FIRST_SOURCE_PORT };
const ATTEMPTS = 200;
/** Longer than any test uses a port. */
const KEPT_MS = 600_000;

/**
 * A port that is free on all addresses over UDP and TCP, and reserved from other tests for ten
 * minutes, so that stopped servers stay unreachable.
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

/** Creates the file that reserves a port, or replaces an expired one. */
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
  // Binding the wildcard fails if any address has the port.
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
