import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFailure } from "../../../corefile/read_failure.ts";
import type { TlsEndpoint } from "../../../engine/io.ts";
import { BoundedLooks, FileHangs } from "./bounded_looks.ts";
import { fileState, MAX_CERTIFICATES_BYTES, readRegularText } from "../../../sys/regular_file.ts";

/** What a connection is made with: authorities, and a client certificate with its key. PEM. */
export interface Credentials {
  /** Undefined if the host has none: then the runtime's built-in ones are used (Mozilla's). */
  ca?: string;
  cert?: string;
  key?: string;
}

/** The PEM files of an upstream. */
type PemFiles = Pick<TlsEndpoint, "caFile" | "certFile" | "keyFile">;

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
/** State of a file that cannot be looked at. */
const MISSING = "missing";
/** Files whose text is kept: those of a configuration, and of some before it. */
const MAX_KEPT = 64;
/**
 * Time for each look at a file: they take under a millisecond, and 2.5 s are left for it and the
 * handshakes together.
 */
const LOOK_MS = 1000;

/** What differs in tests. */
export interface CredentialFilesOptions {
  limitMs?: number;
  stat?: (path: string) => Promise<Deno.FileInfo>;
  read?: (path: string) => Promise<string>;
}

/**
 * The PEM files of upstreams. Each connection is made with what they hold at that time, so replaced
 * ones are taken up; they are read again only where something about them has changed.
 */
export class CredentialFiles {
  readonly #kept = new Map<string, { state: string; text: string }>();
  readonly #looks: BoundedLooks;
  readonly #stat: (path: string) => Promise<Deno.FileInfo>;
  readonly #read: (path: string) => Promise<string>;

  constructor(
    { limitMs = LOOK_MS, stat = Deno.stat, read = readPemText }: CredentialFilesOptions = {},
  ) {
    this.#looks = new BoundedLooks(limitMs);
    this.#stat = stat;
    this.#read = read;
  }

  /**
   * Reads the files of an endpoint. `version` is the same text as long as they are the same. Throws an
   * error that names the file, and never shows what is in it.
   */
  async read(tls: PemFiles): Promise<{ credentials: Credentials; version: string }> {
    const credentials: Credentials = {};
    const version = await this.version(tls);
    if (tls.caFile === null) {
      const ca = await this.#readSystemAuthorities();
      if (ca !== null) credentials.ca = ca;
    } else {
      credentials.ca = await this.#readPem(tls.caFile);
      if (!credentials.ca.includes(CERTIFICATE)) {
        throw new Error(`Cannot use "${tls.caFile}": it holds no certificate (PEM)`);
      }
    }
    if (tls.certFile === null || tls.keyFile === null) return { credentials, version };
    credentials.cert = await this.#readPem(tls.certFile);
    credentials.key = await this.#readPem(tls.keyFile);
    checkPair(tls.certFile, credentials.cert, { file: tls.keyFile, pem: credentials.key });
    return { credentials, version };
  }

  /**
   * State of the files that the configuration names; those of the system change too seldom. Rejects
   * with `FileHangs` where one cannot be looked at.
   */
  async version({ caFile, certFile, keyFile }: PemFiles): Promise<string> {
    const files = [caFile, certFile, keyFile].filter((file) => file !== null);
    return (await Promise.all(files.map(async (file) => (await this.#stateOf(file)).text))).join(
      "; ",
    );
  }

  async #readSystemAuthorities(): Promise<string | null> {
    for (const file of SYSTEM_AUTHORITIES) {
      try {
        const text = await this.#readText(file);
        if (text.includes(CERTIFICATE)) return text;
      } catch (error) {
        // The built-in authorities must not take the place of the system's only because of that.
        if (error instanceof FileHangs) throw error;
        // Not this kind of system.
      }
    }
    return null;
  }

  async #readPem(file: string): Promise<string> {
    try {
      return await this.#readText(file);
    } catch (error) {
      if (error instanceof FileHangs) throw error;
      throw new Error(`Cannot read "${file}": ${readFailure(error)}`);
    }
  }

  async #readText(file: string): Promise<string> {
    const { text: state, fresh } = await this.#stateOf(file);
    const kept = this.#kept.get(file);
    if (kept?.state === state) return kept.text;
    const text = await this.#looks.look("text", file, this.#read);
    this.#kept.delete(file);
    if (!fresh) this.#kept.set(file, { state, text });
    if (this.#kept.size > MAX_KEPT) this.#kept.delete(this.#kept.keys().next().value!);
    return text;
  }

  async #stateOf(file: string): Promise<{ text: string; fresh: boolean }> {
    try {
      return fileState(await this.#looks.look("state", file, this.#stat), Date.now());
    } catch (error) {
      if (error instanceof FileHangs) throw error;
      return { text: MISSING, fresh: true };
    }
  }
}

function readPemText(file: string): Promise<string> {
  return readRegularText(file, MAX_CERTIFICATES_BYTES);
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
