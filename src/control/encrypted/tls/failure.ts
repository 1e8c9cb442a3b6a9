import type { LaneEndpoint } from "../../../io/lane_link.ts";

/** Reason for another protocol. */
export const NO_TLS = "the upstream does not speak TLS";

/** Mismatch of certificates or protocols: retrying is useless. */
export class UpstreamRefused extends Error {}

const ERRORS: Record<string, string> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset by the upstream",
  EPIPE: "connection closed by the upstream",
  ETIMEDOUT: "connection timed out",
  EHOSTUNREACH: "host unreachable",
  ENETUNREACH: "network unreachable",
};

/** Alerts from the peer (RFC 8446 section 6.2). */
const ALERTS: Record<string, string> = {
  CertificateRequired: "the upstream wants a client certificate",
  BadCertificate: "the upstream refuses the client certificate, or wants one",
  UnknownCA: "the upstream does not know the authority of the client certificate",
  CertificateExpired: "the upstream says that the client certificate has expired",
  ProtocolVersion: "no TLS version in common (1.2 or later is needed)",
  UnrecognisedName: "the upstream does not know this server name",
  NoApplicationProtocol: "the upstream speaks neither HTTP/2 nor DNS here (ALPN)",
};

/** Explains a close without error: perhaps a client certificate refused under TLS 1.3. */
export function explainEnd(endpoint: LaneEndpoint, answered: boolean): string {
  if (answered) return "connection closed by the upstream";
  return "connection closed by the upstream before any answer " +
    (endpoint.tls.certFile === null
      ? "(it may want a client certificate)"
      : "(it may not accept the client certificate)");
}

/** Explains an error after the handshake; a reset may overtake an alert. */
export function explainBreak(
  error: Error & { code?: string },
  endpoint: LaneEndpoint,
  answered: boolean,
): string {
  const reset = error.code === "ECONNRESET" || error.code === "EPIPE";
  return reset && !answered ? explainEnd(endpoint, false) : explainFailure(error, endpoint);
}

/** Whether an error is a lasting mismatch. */
export function isRefusal({ message }: Error): boolean {
  const alert = alertIn(message);
  return alert !== undefined && alert in ALERTS;
}

function alertIn(message: string): string | undefined {
  return /received fatal alert: (\w+)/.exec(message)?.[1];
}

/** Explains a connection's error. */
export function explainFailure(error: Error & { code?: string }, endpoint: LaneEndpoint): string {
  const { code = "", message } = error;
  const alert = alertIn(message);
  if (alert !== undefined) return ALERTS[alert] ?? `the upstream refuses the handshake: ${alert}`;
  if (/corrupt message|InvalidContentType|not.*TLS|unsupported protocol/i.test(message)) {
    return NO_TLS;
  }
  if (/^bind /.test(message)) {
    return `Cannot send from ${endpoint.source}: it is not an address of this host (${code})`;
  }
  if (/before secure TLS connection/.test(message)) return "TLS handshake closed by the upstream";
  return ERRORS[code] ?? message;
}
