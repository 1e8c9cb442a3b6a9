import type { LaneEndpoint } from "../../../io/lane_link.ts";

/** What is said of a peer that answers with something else. */
export const NO_TLS = "the upstream does not speak TLS";

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
