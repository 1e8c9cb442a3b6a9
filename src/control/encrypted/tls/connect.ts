import { connect as connectTcp } from "node:net";
import { checkServerIdentity, connect, type PeerCertificate, type TLSSocket } from "node:tls";
import type { Clock } from "../../../base/clock.ts";
import type { LaneEndpoint } from "../../../io/lane_link.ts";
import { explainRefusal, handshakeOptions } from "./explain.ts";
import { explainFailure, isRefusal, NO_TLS, UpstreamRefused } from "./failure.ts";
import type { Credentials } from "./files.ts";
import { TlsTransport } from "./transport.ts";

/** How to connect. `handshakeMs` limits the TCP and TLS handshakes together. */
export interface ConnectOptions {
  credentials: Credentials;
  handshakeMs: number;
  signal: AbortSignal;
  clock: Clock;
}

/** A TLS connection and its transport. */
export interface SecureConnection {
  readonly socket: TLSSocket;
  readonly transport: TlsTransport;
}

/** Codes of a refused certificate; the runtime does not distinguish reasons. */
const UNVERIFIED = new Set([
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
]);

/** The certificate is valid, but for another name. */
class WrongName extends Error {}

/**
 * Opens a TLS connection (1.2 or later) and verifies the peer's identity: its name, or else its
 * address. Rejects with an error for the operator; with `UpstreamRefused` if another attempt would fail
 * as well. Both sockets have `error` listeners, so no error ends the thread.
 */
export async function connectTls(
  endpoint: LaneEndpoint,
  { credentials, handshakeMs, signal, clock }: ConnectOptions,
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
    if (UNVERIFIED.has(error.code ?? "")) {
      tcp.destroy();
      void explainRefusal(endpoint, { credentials, clock })
        .then((why) => reject(new UpstreamRefused(why)));
      return;
    }
    const why = explainFailure(error, endpoint);
    const refused = isRefusal(error) || why === NO_TLS || error instanceof WrongName;
    reject(refused ? new UpstreamRefused(why) : new Error(why));
  };
  tcp.on("error", failed);
  tcp.once("close", () => {
    // After an error the explanation may still be running.
    if (!tcp.errored && !socket?.errored) reject(new Error(`${phase} closed by the upstream`));
  });
  tcp.once("connect", () => {
    phase = "TLS handshake";
    tcp.setNoDelay(true);
    const transport = new TlsTransport(tcp);
    transport.on("error", failed);
    const secure = connect({ ...tlsOptions(endpoint, credentials), socket: transport });
    socket = secure;
    secure.on("error", failed);
    secure.once("secureConnect", () => {
      if (!secure.authorized) reject(new UpstreamRefused("certificate cannot be verified"));
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

function tlsOptions(endpoint: LaneEndpoint, credentials: Credentials) {
  return {
    ...handshakeOptions(endpoint),
    ...credentials,
    minVersion: "TLSv1.2",
    rejectUnauthorized: true,
    checkServerIdentity: (_host: string, certificate: PeerCertificate) =>
      checkName(endpoint, certificate),
  } as const;
}

/** Only subject alternative names count (RFC 8310 section 8.1). */
function checkName(endpoint: LaneEndpoint, certificate: PeerCertificate): Error | undefined {
  const wanted = endpoint.tls.serverName || endpoint.address.replace(/%.*/, "");
  const names = certificate.subjectaltname ?? "";
  if (names === "") return new WrongName(`certificate has no name at all, not ${wanted}`);
  if (checkServerIdentity(wanted, certificate) === undefined) return undefined;
  const carried = names.replaceAll(/\b(?:DNS|IP Address):/g, "");
  return new WrongName(`certificate is for ${carried.slice(0, 200)}, not ${wanted}`);
}
