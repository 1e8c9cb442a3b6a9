import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { connect, type ConnectionOptions } from "node:tls";
import type { LaneEndpoint } from "../../../io/lane_link.ts";
import type { Credentials } from "./files.ts";

/** Time for the second handshake that finds out why a certificate was refused. */
const EXPLAIN_MS = 1500;
/**
 * Such handshakes at a time, each for another server: their descriptors are of those that the process
 * keeps for itself (`FILE_SHARES.process`).
 */
const MAX_EXPLANATIONS = 2;
const UNVERIFIED = "certificate cannot be verified";

/** Explanations under way, by endpoint. */
const explanations = new Map<string, Promise<string>>();

/**
 * Says why a certificate was refused, by a second connection; connections to one server that failed
 * together share it. Never rejects.
 */
export function explainRefusal(endpoint: LaneEndpoint, credentials: Credentials): Promise<string> {
  const key = JSON.stringify(endpoint);
  const known = explanations.get(key);
  if (known !== undefined) return known;
  if (explanations.size >= MAX_EXPLANATIONS) return Promise.resolve(UNVERIFIED);
  const explanation = endpoint.source === null
    ? explainByHandshake(endpoint, credentials)
    : explainByCertificate(endpoint, endpoint.source);
  explanations.set(key, explanation);
  void explanation.finally(() => explanations.delete(key));
  return explanation;
}

/**
 * `node:tls` has one code for all reasons, while the runtime's own API tells them apart but always
 * trusts its built-in authorities besides the given ones. So the connection itself is made by the
 * first, and a refusal explained by trying the second.
 */
async function explainByHandshake(endpoint: LaneEndpoint, { ca }: Credentials): Promise<string> {
  const { address, port, tls } = endpoint;
  let connection: Deno.TcpConn | Deno.TlsConn | null = null;
  const signal = AbortSignal.timeout(EXPLAIN_MS);
  const end = () => closeQuietly(connection);
  signal.addEventListener("abort", end);
  try {
    connection = await Deno.connect({ hostname: address, port, signal });
    connection = await Deno.startTls(connection, {
      hostname: tls.serverName === "" ? address.replace(/%.*/, "") : tls.serverName,
      caCerts: ca === undefined ? [] : [ca],
    });
    await connection.handshake();
    return "certificate is signed by an unknown authority";
  } catch (error) {
    return wordsFor((error as Error).message);
  } finally {
    signal.removeEventListener("abort", end);
    end();
  }
}

/**
 * The runtime's own API cannot send from a given address. So here the certificate is fetched without
 * a check, and looked at; nothing is sent to the server.
 */
function explainByCertificate(endpoint: LaneEndpoint, source: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const { serverName } = endpoint.tls;
  const socket = connect(
    {
      host: endpoint.address,
      port: endpoint.port,
      localAddress: source,
      ...(isIP(serverName) || serverName === "" ? {} : { servername: serverName }),
      ALPNProtocols: [endpoint.tls.http === null ? "dot" : "h2"],
      rejectUnauthorized: false,
    } as ConnectionOptions,
  );
  const end = (why: string) => {
    clearTimeout(timer);
    socket.destroy();
    resolve(why);
  };
  const timer = setTimeout(() => end(UNVERIFIED), EXPLAIN_MS);
  socket.on("error", () => end(UNVERIFIED));
  socket.on("close", () => end(UNVERIFIED));
  socket.once("secureConnect", () => {
    try {
      end(faultOf(new X509Certificate(socket.getPeerCertificate().raw)));
    } catch {
      end(UNVERIFIED);
    }
  });
  return promise;
}

function faultOf({ validFrom, validTo, ca }: X509Certificate): string {
  const nowMs = Date.now();
  if (Date.parse(validTo) < nowMs) return expired(Date.parse(validTo));
  if (Date.parse(validFrom) > nowMs) return notYetValid(Date.parse(validFrom));
  if (ca) return AN_AUTHORITY;
  return "certificate is signed by an unknown authority, or one in between is missing";
}

const AN_AUTHORITY = "certificate is an authority's (CA:TRUE), not a server's";

function expired(ms: number): string {
  return `certificate has expired (on ${dayOf(ms)})`;
}

function notYetValid(ms: number): string {
  return `certificate is not valid before ${dayOf(ms)}`;
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** The runtime's reason in words. */
function wordsFor(message: string): string {
  if (message.includes("UnknownIssuer")) return "certificate is signed by an unknown authority";
  const [, after] = /not valid after (\d+)/.exec(message) ?? [];
  if (after !== undefined) return expired(Number(after) * 1000);
  const [, before] = /not valid before (\d+)/.exec(message) ?? [];
  if (before !== undefined) return notYetValid(Number(before) * 1000);
  if (message.includes("CaUsedAsEndEntity")) return AN_AUTHORITY;
  const detail = /invalid peer certificate: (.*)/.exec(message)?.[1];
  return detail === undefined ? UNVERIFIED : `certificate is refused: ${detail}`;
}

function closeQuietly(connection: { close(): void } | null): void {
  try {
    connection?.close();
  } catch {
    // Closed already, or consumed by the handshake.
  }
}
