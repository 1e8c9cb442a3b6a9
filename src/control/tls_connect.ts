import { isIP } from "node:net";
import { checkServerIdentity, connect, type PeerCertificate, type TLSSocket } from "node:tls";
import type { LaneEndpoint } from "../io/lane.ts";
import { readCredentials } from "./tls_files.ts";
import { explainFailure, explainRefusal } from "./tls_failure.ts";

/**
 * Opens a TLS connection (1.2 or later) to an IP address and verifies that the peer is who it should
 * be: by name where the endpoint has one, else by the address.
 *
 * Rejects with an error whose message is for the operator. The socket that it resolves to has a
 * listener for errors, so none ends the process.
 */
export async function connectTls(
  endpoint: LaneEndpoint,
  options: { handshakeMs: number; signal: AbortSignal },
): Promise<TLSSocket> {
  const credentials = await readCredentials(endpoint.tls);
  options.signal.throwIfAborted();
  return await new Promise((resolve, reject) => {
    const { serverName, http } = endpoint.tls;
    let phase = "connection";
    let settled = false;
    const socket = connect({
      host: endpoint.address,
      port: endpoint.port,
      ...(endpoint.source === null ? {} : { localAddress: endpoint.source }),
      ...(isIP(serverName) || serverName === "" ? {} : { servername: serverName }),
      ...credentials,
      ALPNProtocols: [http === null ? "dot" : "h2"],
      minVersion: "TLSv1.2",
      rejectUnauthorized: true,
      checkServerIdentity: (_host, certificate) => checkName(endpoint, certificate),
    });
    const finish = (work: () => void): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      options.signal.removeEventListener("abort", abort);
      work();
    };
    const fail = (why: string): void =>
      finish(() => {
        socket.destroy();
        reject(new Error(why));
      });
    const abort = (): void => fail("closed");
    const timer = setTimeout(() => fail(`${phase} timed out`), options.handshakeMs);
    options.signal.addEventListener("abort", abort);
    socket.setNoDelay(true);
    socket.once("connect", () => {
      phase = "TLS handshake";
      socket.setNoDelay(true);
    });
    socket.on("error", (error: Error & { code?: string }) => {
      if (settled) return;
      const unverified = error.code !== undefined && UNVERIFIED.has(error.code);
      if (!unverified) fail(explainFailure(error, endpoint));
      else void explainRefusal(endpoint, credentials).then(fail);
    });
    socket.once("close", () => {
      // An error has been told before, and may still be being explained.
      if (!socket.errored) fail(`${phase} closed by the upstream`);
    });
    socket.once("secureConnect", () =>
      finish(() => {
        if (!socket.authorized) {
          socket.destroy();
          reject(new Error("certificate cannot be verified"));
        } else if (http !== null && socket.alpnProtocol !== "h2") {
          socket.destroy();
          reject(new Error("the upstream does not speak HTTP/2"));
        } else resolve(socket);
      }));
  });
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

/** Names are looked for in the subject alternative names alone (RFC 8310 section 8.1). */
function checkName(endpoint: LaneEndpoint, certificate: PeerCertificate): Error | undefined {
  const wanted = endpoint.tls.serverName || endpoint.address.replace(/%.*/, "");
  const names = certificate.subjectaltname ?? "";
  if (names === "") return new Error(`certificate is for no name at all, not ${wanted}`);
  if (checkServerIdentity(wanted, certificate) === undefined) return undefined;
  const carried = names.replaceAll(/\b(?:DNS|IP Address):/g, "");
  return new Error(`certificate is for ${carried.slice(0, 200)}, not ${wanted}`);
}
