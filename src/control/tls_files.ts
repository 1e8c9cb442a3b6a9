import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFailure } from "../corefile/read_failure.ts";
import type { TlsEndpoint } from "../io/contract.ts";
import { MAX_CERTIFICATES_BYTES, readRegularText } from "../sys/regular_file.ts";

/** What a connection is made with: authorities, and a client certificate with its key. PEM. */
export interface Credentials {
  /** Undefined where the host has none: then the runtime's built-in ones are used (Mozilla's). */
  ca?: string;
  cert?: string;
  key?: string;
}

/** Where systems keep their authorities: Debian, Fedora, openSUSE, OpenELEC, RHEL, Alpine and BSD. */
const SYSTEM_AUTHORITIES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/tls/cacert.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

const CERTIFICATE = "-----BEGIN CERTIFICATE-----";

/**
 * Reads the PEM files of an endpoint, anew for every connection so that rotated certificates are
 * taken up. Throws an error that names the file, and never shows what is in it.
 */
export async function readCredentials(
  tls: Pick<TlsEndpoint, "caFile" | "certFile" | "keyFile">,
): Promise<Credentials> {
  const credentials: Credentials = {};
  if (tls.caFile === null) {
    const ca = await readSystemAuthorities();
    if (ca !== null) credentials.ca = ca;
  } else {
    credentials.ca = await readPem(tls.caFile);
    if (!credentials.ca.includes(CERTIFICATE)) {
      throw new Error(`Cannot use "${tls.caFile}": it holds no certificate (PEM)`);
    }
  }
  if (tls.certFile === null || tls.keyFile === null) return credentials;
  credentials.cert = await readPem(tls.certFile);
  credentials.key = await readPem(tls.keyFile);
  checkPair(tls.certFile, credentials.cert, { file: tls.keyFile, pem: credentials.key });
  return credentials;
}

/** A pair that does not fit would show up as a handshake that fails for no reason. */
function checkPair(certFile: string, cert: string, key: { file: string; pem: string }): void {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(cert);
  } catch {
    throw new Error(`Cannot use "${certFile}": it holds no certificate (PEM)`);
  }
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(key.pem);
  } catch {
    throw new Error(`Cannot use "${key.file}": it holds no private key without passphrase (PEM)`);
  }
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new Error(`Cannot use "${key.file}": it is not the key of "${certFile}"`);
  }
}

async function readSystemAuthorities(): Promise<string | null> {
  for (const file of SYSTEM_AUTHORITIES) {
    try {
      const text = await readRegularText(file, MAX_CERTIFICATES_BYTES);
      if (text.includes(CERTIFICATE)) return text;
    } catch {
      // Not this kind of system.
    }
  }
  return null;
}

async function readPem(file: string): Promise<string> {
  try {
    return await readRegularText(file, MAX_CERTIFICATES_BYTES);
  } catch (error) {
    throw new Error(`Cannot read "${file}": ${readFailure(error)}`);
  }
}
