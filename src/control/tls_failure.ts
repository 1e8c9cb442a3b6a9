import type { LaneEndpoint } from "../io/lane_link.ts";
import type { Credentials } from "./tls_files.ts";

/** What is said of a peer that answers with something else. */
export const NO_TLS = "the upstream does not speak TLS";

/** Time for the second handshake that finds out why a certificate was refused. */
const EXPLAIN_MS = 1500;

/**
 * The two sides do not fit together (certificates, protocols), which no other attempt will change. The
 * message is for the operator.
 */
export class UpstreamRefused extends Error {}

/** Operating system's errors in words. */
const ERRORS: Record<string, string> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset by the upstream",
  EPIPE: "connection closed by the upstream",
  ETIMEDOUT: "connection timed out",
  EHOSTUNREACH: "host unreachable",
  ENETUNREACH: "network unreachable",
};

/** Alerts of TLS (RFC 8446 section 6.2) in words; the peer sent them. */
const ALERTS: Record<string, string> = {
  CertificateRequired: "the upstream wants a client certificate",
  BadCertificate: "the upstream refuses the client certificate, or wants one",
  UnknownCA: "the upstream does not know the authority of the client certificate",
  CertificateExpired: "the upstream says that the client certificate has expired",
  ProtocolVersion: "no TLS version in common (1.2 or later is needed)",
  UnrecognisedName: "the upstream does not know this server name",
  NoApplicationProtocol: "the upstream speaks neither HTTP/2 nor DNS here (ALPN)",
};

/**
 * Why a connection ended that the upstream closed without a word. Before any answer that may well be
 * the client certificate: in TLS 1.3 servers look at it after the handshake, and not all say so.
 */
export function explainEnd(endpoint: LaneEndpoint, answered: boolean): string {
  if (answered) return "connection closed by the upstream";
  return "connection closed by the upstream before any answer " +
    (endpoint.tls.certFile === null
      ? "(it may want a client certificate)"
      : "(it may not accept the client certificate)");
}

/**
 * Why a connection that stood has broken. A reset before any answer may have overtaken the alert that
 * says what is wrong with the client certificate.
 */
export function explainBreak(
  error: Error & { code?: string },
  endpoint: LaneEndpoint,
  answered: boolean,
): string {
  const reset = error.code === "ECONNRESET" || error.code === "EPIPE";
  return reset && !answered ? explainEnd(endpoint, false) : explainFailure(error);
}

/** Whether the peer has refused the client certificate. */
export function isRefusal({ message }: Error): boolean {
  const alert = alertIn(message);
  return alert !== undefined && alert in ALERTS;
}

function alertIn(message: string): string | undefined {
  return /received fatal alert: (\w+)/.exec(message)?.[1];
}

/** Says in words why a connection failed. */
export function explainFailure(error: Error & { code?: string }, endpoint?: LaneEndpoint): string {
  const { code = "", message } = error;
  const alert = alertIn(message);
  if (alert !== undefined) return ALERTS[alert] ?? `the upstream refuses the handshake: ${alert}`;
  if (/corrupt message|InvalidContentType|not.*TLS|unsupported protocol/i.test(message)) {
    return NO_TLS;
  }
  if (/^bind /.test(message)) {
    return `Cannot send from ${endpoint?.source}: it is no address of this host (${code})`;
  }
  if (/before secure TLS connection/.test(message)) return "TLS handshake closed by the upstream";
  return ERRORS[code] ?? message;
}

/**
 * Says why a certificate was refused. `node:tls` has one code for all reasons, while the runtime's
 * own API tells them apart but always trusts its built-in authorities besides the given ones. So
 * the connection itself is made by the first, and a refusal explained by trying the second.
 */
export async function explainRefusal(
  endpoint: LaneEndpoint,
  { ca }: Credentials,
): Promise<string> {
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

function wordsFor(message: string): string {
  const time = (pattern: RegExp): string =>
    new Date(Number(pattern.exec(message)?.[1]) * 1000).toISOString().slice(0, 10);
  if (message.includes("UnknownIssuer")) return "certificate is signed by an unknown authority";
  if (/not valid after \d+/.test(message)) {
    return `certificate has expired (on ${time(/not valid after (\d+)/)})`;
  }
  if (/not valid before \d+/.test(message)) {
    return `certificate is not valid before ${time(/not valid before (\d+)/)}`;
  }
  if (message.includes("CaUsedAsEndEntity")) {
    return "certificate is an authority's (CA:TRUE), not a server's";
  }
  const detail = /invalid peer certificate: (.*)/.exec(message)?.[1];
  return detail === undefined
    ? "certificate cannot be verified"
    : `certificate is refused: ${detail}`;
}

function closeQuietly(connection: { close(): void } | null): void {
  try {
    connection?.close();
  } catch {
    // Closed already, or consumed by the handshake.
  }
}
