import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import type { Clock } from "../../base/clock.ts";

/** For the whole answer. */
const LIMIT_MS = 10_000;
/** Thousands of usual pods, or forty of etcd's largest; costs time, not memory. */
const MAX_BYTES = 64 * 2 ** 20;
const MAX_REASON = 200;
const CUT_SHORT = "its answer is cut short";

/** Address and name of the kubelet. */
export interface KubeletAddress {
  readonly host: string;
  readonly port: number;
  /** Alternative to the address in the certificate; "" for none. */
  readonly nodeName: string;
}

/** Credentials of both sides. */
export interface KubeletTrust {
  readonly token: string;
  /** PEM; null: the certificate is not checked. */
  readonly ca: string | null;
}

/** Passes the body of `/pods` on. Rejects with the reason. */
export async function requestPods(
  { host, port, nodeName }: KubeletAddress,
  { token, ca }: KubeletTrust,
  { onBytes, signal, clock }: {
    onBytes: (bytes: Uint8Array) => void;
    signal: AbortSignal;
    clock: Clock;
  },
): Promise<void> {
  const done = Promise.withResolvers<void>();
  let answered = false;
  const sent = request({
    host,
    port,
    path: "/pods",
    agent: false,
    headers: { authorization: `Bearer ${token}`, accept: "application/json" },
    minVersion: "TLSv1.2",
    rejectUnauthorized: ca !== null,
    ...ca !== null && {
      ca,
      checkServerIdentity: (_host: string, certificate: PeerCertificate) =>
        nameFault([host, nodeName], certificate),
    },
  }, (response) => {
    answered = true;
    // Reading it reports the same.
    response.on("error", () => {});
    const { statusCode = 0 } = response;
    if (statusCode === 200) readBody(response, onBytes).then(done.resolve, done.reject);
    else {
      readReason(response).then((reason) => done.reject(new Error(refusal(statusCode, reason))));
    }
  });
  sent.on("close", () => answered || done.reject(new Error(CUT_SHORT)));
  sent.on("error", (error) => done.reject(new Error(explain(error))));
  const cancel = clock.after(
    LIMIT_MS,
    () => done.reject(new Error(`it has not answered within ${LIMIT_MS / 1000} s`)),
  );
  const abort = () => done.reject(new Error("stopped"));
  signal.addEventListener("abort", abort);
  try {
    sent.end();
    await done.promise;
  } finally {
    cancel();
    signal.removeEventListener("abort", abort);
    sent.destroy();
  }
}

async function readBody(
  response: IncomingMessage,
  onBytes: (bytes: Uint8Array) => void,
): Promise<void> {
  let size = 0;
  try {
    for await (const bytes of response as AsyncIterable<Uint8Array>) {
      size += bytes.length;
      if (size > MAX_BYTES) throw new Error(`its answer is larger than ${MAX_BYTES} bytes`);
      onBytes(bytes);
    }
  } catch (error) {
    const cut = (error as { code?: string }).code === "ECONNRESET";
    throw cut ? new Error(CUT_SHORT) : error;
  }
  if (!response.complete) throw new Error(CUT_SHORT);
}

async function readReason(response: IncomingMessage): Promise<string> {
  let text = "";
  try {
    for await (const bytes of response as AsyncIterable<Uint8Array>) {
      text += new TextDecoder().decode(bytes.subarray(0, MAX_REASON));
      if (text.length >= MAX_REASON) break;
    }
  } catch {
    // The text read before is shown.
  }
  return printable(text);
}

function printable(text: string): string {
  return text.slice(0, MAX_REASON).replaceAll(/[^!-~]+/g, " ").trim();
}

function refusal(status: number, reason: string): string {
  const said = reason === "" ? "" : `: ${reason}`;
  if (status === 401) return `it does not accept the token (HTTP 401${said})`;
  if (status !== 403) return `HTTP ${status}${said}`;
  return `the service account may not get nodes/pods, before Kubernetes 1.33 nodes/proxy (HTTP 403${said})`;
}

function nameFault(names: readonly string[], certificate: PeerCertificate): Error | undefined {
  const wanted = names.filter((name) => name !== "");
  if (wanted.some((name) => checkServerIdentity(name, certificate) === undefined)) return undefined;
  const carried = printable(certificate.subjectaltname ?? "no name");
  return new Error(`its certificate is for ${carried}, not ${wanted.join(" or ")}`);
}

const UNVERIFIED = new Set([
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
]);

function explain(error: Error & { code?: string }): string {
  const { code = "", message } = error;
  if (!UNVERIFIED.has(code)) return code === "ECONNREFUSED" ? "connection refused" : message;
  return "its certificate cannot be verified (-clients-ca FILE with the authority of the kubelet's" +
    " certificate; without one: -clients-insecure)";
}
