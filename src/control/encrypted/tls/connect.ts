import { X509Certificate } from "node:crypto";
import { connect as connectTcp, isIP } from "node:net";
import { checkServerIdentity, connect, type PeerCertificate, type TLSSocket } from "node:tls";
import type { Clock } from "../../../base/clock.ts";
import type { LaneEndpoint } from "../../../io/lane_link.ts";
import { explainFailure, isRefusal, NO_TLS, UpstreamRefused } from "./failure.ts";
import type { Credentials } from "./files.ts";
import { type SecureConnection, TlsTransport } from "./connection.ts";

const EXPLAIN_MS = 1500;
/** One per server; descriptors come from `FILE_SHARES.process`. */
const MAX_EXPLANATIONS = 2;
const UNVERIFIED = "certificate cannot be verified";

const explanations = new Map<string, Promise<string>>();

const REFUSED_CODES = new Set([
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
]);

class WrongName extends Error {}

/**
 * Opens a verified TLS connection (1.2 or later). Rejects with `UpstreamRefused` if retrying is
 * useless. Both sockets have `error` listeners.
 */
export async function connectTls(
  endpoint: LaneEndpoint,
  { credentials, handshakeMs, signal, clock }: {
    credentials: Credentials;
    /** TCP and TLS together. */
    handshakeMs: number;
    signal: AbortSignal;
    clock: Clock;
  },
): Promise<SecureConnection> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<SecureConnection>();
  let phase = "connection";
  let socket: TLSSocket | null = null;
  const tcp = connectTcp({
    host: endpoint.address,
    port: endpoint.port,
    ...endpoint.source !== null && { localAddress: endpoint.source },
  });
  let settled = false;
  const failed = (error: Error & { code?: string }): void => {
    if (settled) return;
    if (REFUSED_CODES.has(error.code ?? "")) {
      tcp.destroy();
      void explainRefusal(endpoint, clock).then((why) => reject(new UpstreamRefused(why)));
      return;
    }
    const why = explainFailure(error, endpoint);
    const refused = isRefusal(error) || why === NO_TLS || error instanceof WrongName;
    reject(refused ? new UpstreamRefused(why) : new Error(why));
  };
  tcp.on("error", failed);
  tcp.once("close", () => {
    // The explanation of an error may still run.
    if (!tcp.errored && !socket?.errored) reject(new Error(`${phase} closed by the upstream`));
  });
  tcp.once("connect", () => {
    phase = "TLS handshake";
    tcp.setNoDelay(true);
    const transport = new TlsTransport(tcp);
    transport.on("error", failed);
    const secure = connect({
      ...handshakeOptions(endpoint),
      ...credentials,
      socket: transport,
      minVersion: "TLSv1.2",
      rejectUnauthorized: true,
      checkServerIdentity: (_host: string, certificate: PeerCertificate) =>
        checkName(endpoint, certificate),
    });
    socket = secure;
    secure.on("error", failed);
    secure.once("secureConnect", () => {
      if (!secure.authorized) reject(new UpstreamRefused(UNVERIFIED));
      else if (endpoint.tls.http !== null && secure.alpnProtocol !== "h2") {
        reject(new UpstreamRefused("the upstream does not speak HTTP/2"));
      } else resolve({ socket: secure, transport });
    });
  });
  const cancel = clock.after(handshakeMs, () => reject(new Error(`${phase} timed out`)));
  const abort = () => reject(new Error("closed"));
  signal.addEventListener("abort", abort);
  try {
    return await promise;
  } catch (error) {
    (socket as TLSSocket | null)?.destroy();
    tcp.destroy();
    throw error;
  } finally {
    settled = true;
    cancel();
    signal.removeEventListener("abort", abort);
  }
}

/** Only subject alternative names (RFC 8310 section 8.1). */
function checkName(endpoint: LaneEndpoint, certificate: PeerCertificate): Error | undefined {
  const wanted = endpoint.tls.serverName || endpoint.address.replace(/%.*/, "");
  const names = certificate.subjectaltname ?? "";
  if (names === "") return new WrongName(`certificate has no name at all, not ${wanted}`);
  if (checkServerIdentity(wanted, certificate) === undefined) return undefined;
  const carried = names.replaceAll(/\b(?:DNS|IP Address):/g, "");
  return new WrongName(`certificate is for ${carried.slice(0, 200)}, not ${wanted}`);
}

/** SNI and ALPN. */
function handshakeOptions({ tls: { serverName, http } }: LaneEndpoint) {
  return {
    ...serverName !== "" && !isIP(serverName) && { servername: serverName },
    ALPNProtocols: [http === null ? "dot" : "h2"],
  };
}

/** Explains a refused certificate over a shared connection. Never rejects. */
function explainRefusal(endpoint: LaneEndpoint, clock: Clock): Promise<string> {
  const key = JSON.stringify(endpoint);
  const running = explanations.get(key);
  if (running !== undefined) return running;
  if (explanations.size >= MAX_EXPLANATIONS) return Promise.resolve(UNVERIFIED);
  const { promise, resolve } = Promise.withResolvers<string>();
  const { address: host, port, source } = endpoint;
  const socket = connect({
    host,
    port,
    ...source !== null && { localAddress: source },
    ...handshakeOptions(endpoint),
    rejectUnauthorized: false,
  });
  const end = (why: string) => {
    cancel();
    explanations.delete(key);
    socket.destroy();
    resolve(why);
  };
  const cancel = clock.after(EXPLAIN_MS, () => end(UNVERIFIED));
  socket.on("error", () => end(UNVERIFIED));
  socket.on("close", () => end(UNVERIFIED));
  socket.once("secureConnect", () => {
    try {
      const { raw } = socket.getPeerCertificate();
      end(explainCertificate(new X509Certificate(raw), clock.wall()));
    } catch {
      end(UNVERIFIED);
    }
  });
  explanations.set(key, promise);
  return promise;
}

function explainCertificate({ validFrom, validTo, ca }: X509Certificate, nowMs: number): string {
  if (Date.parse(validTo) < nowMs) return `certificate has expired (on ${dayOf(validTo)})`;
  if (Date.parse(validFrom) > nowMs) return `certificate is not valid before ${dayOf(validFrom)}`;
  return ca
    ? "certificate is an authority's (CA:TRUE), not a server's"
    : "certificate is signed by an unknown authority, or an intermediate certificate is missing";
}

function dayOf(date: string): string {
  return new Date(date).toISOString().slice(0, 10);
}
