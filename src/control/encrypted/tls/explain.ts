import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { connect } from "node:tls";
import type { Clock } from "../../../base/clock.ts";
import type { LaneEndpoint } from "../../../io/lane_link.ts";
import type { Credentials } from "./files.ts";

/** Time for the second handshake. */
const EXPLAIN_MS = 1500;
/** Explanations at a time, one a server; their descriptors come from `FILE_SHARES.process`. */
const MAX_EXPLANATIONS = 2;

const UNVERIFIED = "certificate cannot be verified";
const UNKNOWN_AUTHORITY = "certificate is signed by an unknown authority";
const AN_AUTHORITY = "certificate is an authority's (CA:TRUE), not a server's";

/** Running explanations by endpoint. */
const explanations = new Map<string, Promise<string>>();

/** The server name and protocol to send in a handshake (SNI, ALPN). */
export function handshakeOptions({ tls: { serverName, http } }: LaneEndpoint) {
  return {
    ...serverName !== "" && !isIP(serverName) && { servername: serverName },
    ALPNProtocols: [http === null ? "dot" : "h2"],
  };
}

/**
 * Explains a refused certificate by a second connection, which connections that failed together share.
 * Never rejects.
 */
export function explainRefusal(
  endpoint: LaneEndpoint,
  { credentials, clock }: { credentials: Credentials; clock: Clock },
): Promise<string> {
  const key = JSON.stringify(endpoint);
  const running = explanations.get(key);
  if (running !== undefined) return running;
  if (explanations.size >= MAX_EXPLANATIONS) return Promise.resolve(UNVERIFIED);
  const limit = new AbortController();
  const cancel = clock.after(EXPLAIN_MS, () => limit.abort());
  const explanation = endpoint.source === null
    ? explainByHandshake(endpoint, credentials, limit.signal)
    : explainByCertificate(endpoint, endpoint.source, limit.signal);
  explanations.set(key, explanation);
  void explanation.finally(() => {
    cancel();
    explanations.delete(key);
  });
  return explanation;
}

/**
 * `node:tls` has one code for all reasons. The runtime's own API distinguishes them, but always trusts
 * its built-in authorities as well, so it cannot make the connection itself.
 */
async function explainByHandshake(
  { address, port, tls: { serverName } }: LaneEndpoint,
  { ca }: Credentials,
  signal: AbortSignal,
): Promise<string> {
  let connection: Deno.TcpConn | Deno.TlsConn | null = null;
  const close = () => {
    try {
      connection?.close();
    } catch {
      // Closed already, or consumed by the handshake.
    }
  };
  signal.addEventListener("abort", close);
  try {
    connection = await Deno.connect({ hostname: address, port, signal });
    connection = await Deno.startTls(connection, {
      hostname: serverName === "" ? address.replace(/%.*/, "") : serverName,
      caCerts: ca === undefined ? [] : [ca],
    });
    await connection.handshake();
    return UNKNOWN_AUTHORITY;
  } catch (error) {
    return explainMessage((error as Error).message);
  } finally {
    close();
  }
}

function explainMessage(message: string): string {
  if (message.includes("UnknownIssuer")) return UNKNOWN_AUTHORITY;
  const [, after] = /not valid after (\d+)/.exec(message) ?? [];
  if (after !== undefined) return expired(Number(after) * 1000);
  const [, before] = /not valid before (\d+)/.exec(message) ?? [];
  if (before !== undefined) return notYetValid(Number(before) * 1000);
  if (message.includes("CaUsedAsEndEntity")) return AN_AUTHORITY;
  const detail = /invalid peer certificate: (.*)/.exec(message)?.[1];
  return detail === undefined ? UNVERIFIED : `certificate is refused: ${detail}`;
}

/**
 * The runtime's own API cannot choose the source address. So the certificate is fetched unverified and
 * inspected; nothing is sent to the server.
 */
function explainByCertificate(
  endpoint: LaneEndpoint,
  source: string,
  signal: AbortSignal,
): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const { address: host, port } = endpoint;
  const options = { host, port, localAddress: source, rejectUnauthorized: false };
  const socket = connect({ ...options, ...handshakeOptions(endpoint) });
  const end = (why: string) => {
    socket.destroy();
    resolve(why);
  };
  signal.addEventListener("abort", () => end(UNVERIFIED));
  socket.on("error", () => end(UNVERIFIED));
  socket.on("close", () => end(UNVERIFIED));
  socket.once("secureConnect", () => {
    try {
      end(explainCertificate(new X509Certificate(socket.getPeerCertificate().raw)));
    } catch {
      end(UNVERIFIED);
    }
  });
  return promise;
}

function explainCertificate({ validFrom, validTo, ca }: X509Certificate): string {
  const nowMs = Date.now();
  if (Date.parse(validTo) < nowMs) return expired(Date.parse(validTo));
  if (Date.parse(validFrom) > nowMs) return notYetValid(Date.parse(validFrom));
  return ca ? AN_AUTHORITY : `${UNKNOWN_AUTHORITY}, or an intermediate certificate is missing`;
}

function expired(ms: number): string {
  return `certificate has expired (on ${dayOf(ms)})`;
}

function notYetValid(ms: number): string {
  return `certificate is not valid before ${dayOf(ms)}`;
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
