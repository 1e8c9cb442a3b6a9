import { connect as connectTcp, isIP } from "node:net";
import { checkServerIdentity, connect, type PeerCertificate, type TLSSocket } from "node:tls";
import type { LaneEndpoint } from "../../../io/lane_link.ts";
import type { Credentials } from "./files.ts";
import { TlsTransport } from "./transport.ts";
import { explainRefusal } from "./explain.ts";
import { explainFailure, isRefusal, NO_TLS, UpstreamRefused } from "./failure.ts";

/** How a connection is made. */
export interface ConnectOptions {
  credentials: Credentials;
  /** Time for the TCP and TLS handshakes together. */
  handshakeMs: number;
  signal: AbortSignal;
}

/** A TLS connection, and what is below it. */
export interface SecureConnection {
  readonly socket: TLSSocket;
  readonly transport: TlsTransport;
}

/**
 * Opens a TLS connection (1.2 or later) to an IP address and verifies that the peer is who it should
 * be: by name where the endpoint has one, else by the address.
 *
 * Rejects with an error whose message is for the operator, an `UpstreamRefused` where another attempt
 * would fail likewise. Both sockets have listeners for errors, so none ends the thread.
 */
export async function connectTls(
  endpoint: LaneEndpoint,
  options: ConnectOptions,
): Promise<SecureConnection> {
  options.signal.throwIfAborted();
  return await new Promise((resolve, reject) => {
    const { http } = endpoint.tls;
    let phase = "connection";
    let settled = false;
    let socket: TLSSocket | null = null;
    const tcp = connectTcp({
      host: endpoint.address,
      port: endpoint.port,
      ...(endpoint.source === null ? {} : { localAddress: endpoint.source }),
    });
    const finish = (work: () => void): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      options.signal.removeEventListener("abort", abort);
      work();
    };
    const fail = (error: Error): void =>
      finish(() => {
        socket?.destroy();
        tcp.destroy();
        reject(error);
      });
    const abort = (): void => fail(new Error("closed"));
    const failed = (error: Error & { code?: string }): void => {
      if (settled) return;
      if (error.code !== undefined && UNVERIFIED.has(error.code)) {
        tcp.destroy();
        void explainRefusal(endpoint, options.credentials)
          .then((why) => fail(new UpstreamRefused(why)));
        return;
      }
      const why = explainFailure(error, endpoint);
      const refused = isRefusal(error) || why === NO_TLS || error instanceof WrongName;
      fail(refused ? new UpstreamRefused(why) : new Error(why));
    };
    const timer = setTimeout(
      () => fail(new Error(`${phase} timed out`)),
      options.handshakeMs,
    );
    options.signal.addEventListener("abort", abort);
    tcp.on("error", failed);
    tcp.once("close", () => {
      // An error has been told before, and may still be being explained.
      if (!tcp.errored && !socket?.errored) fail(new Error(`${phase} closed by the upstream`));
    });
    tcp.once("connect", () => {
      if (settled) return;
      phase = "TLS handshake";
      tcp.setNoDelay(true);
      const transport = new TlsTransport(tcp);
      transport.on("error", failed);
      socket = connect({ ...tlsOptions(endpoint, options.credentials), socket: transport });
      socket.on("error", failed);
      socket.once("secureConnect", () => {
        if (!socket!.authorized) fail(new UpstreamRefused("certificate cannot be verified"));
        else if (http !== null && socket!.alpnProtocol !== "h2") {
          fail(new UpstreamRefused("the upstream does not speak HTTP/2"));
        } else finish(() => resolve({ socket: socket!, transport }));
      });
    });
  });
}

function tlsOptions(endpoint: LaneEndpoint, credentials: Credentials) {
  const { serverName, http } = endpoint.tls;
  return {
    ...(isIP(serverName) || serverName === "" ? {} : { servername: serverName }),
    ...credentials,
    ALPNProtocols: [http === null ? "dot" : "h2"],
    minVersion: "TLSv1.2",
    rejectUnauthorized: true,
    checkServerIdentity: (_host: string, certificate: PeerCertificate) =>
      checkName(endpoint, certificate),
  } as const;
}

/** Codes of a certificate that was refused for whatever reason; the runtime does not tell which. */
const UNVERIFIED = new Set([
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
]);

/** The certificate is valid, but for somebody else. */
class WrongName extends Error {}

/** Names are looked for in the subject alternative names alone (RFC 8310 section 8.1). */
function checkName(endpoint: LaneEndpoint, certificate: PeerCertificate): Error | undefined {
  const wanted = endpoint.tls.serverName || endpoint.address.replace(/%.*/, "");
  const names = certificate.subjectaltname ?? "";
  if (names === "") return new WrongName(`certificate is for no name at all, not ${wanted}`);
  if (checkServerIdentity(wanted, certificate) === undefined) return undefined;
  const carried = names.replaceAll(/\b(?:DNS|IP Address):/g, "");
  return new WrongName(`certificate is for ${carried.slice(0, 200)}, not ${wanted}`);
}
