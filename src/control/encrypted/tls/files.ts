import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { type Clock, systemClock } from "../../../base/clock.ts";
import { readFailure } from "../../../corefile/read_failure.ts";
import type { TlsEndpoint } from "../../../engine/io.ts";
import { fileState, MAX_CERTIFICATES_BYTES, readRegularText } from "../../../sys/regular_file.ts";
import { BoundedReads, FileHangs } from "./bounded_reads.ts";

/** Authorities, and a client certificate with its key, as PEM text. */
export interface Credentials {
  /** Undefined if the host has none: then the runtime's are used (Mozilla's). */
  ca?: string;
  cert?: string;
  key?: string;
}

type PemFiles = Pick<TlsEndpoint, "caFile" | "certFile" | "keyFile">;

/** Authorities of Debian, Fedora, openSUSE, OpenELEC, RHEL, Alpine and BSD. */
const SYSTEM_AUTHORITIES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/tls/cacert.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

const CERTIFICATE = "-----BEGIN CERTIFICATE-----";
const MISSING = "missing";
/** Cached texts: those of a configuration and some before it. */
const MAX_CACHED = 64;
/** A read takes under a millisecond; 2.5 s are left for it and the handshakes together. */
const READ_MS = 1000;

/** Replaced by tests. */
export interface CredentialFilesOptions {
  clock?: Clock;
  stat?: (path: string) => Promise<Deno.FileInfo>;
  read?: (path: string) => Promise<string>;
}

/** The PEM files of upstreams. Each connection gets their current content, cached until they change. */
export class CredentialFiles {
  readonly #cache = new Map<string, { state: string; text: string }>();
  readonly #reads: BoundedReads;
  readonly #stat: (path: string) => Promise<Deno.FileInfo>;
  readonly #read: (path: string) => Promise<string>;

  constructor(
    { clock = systemClock, stat = Deno.stat, read = readPemText }: CredentialFilesOptions = {},
  ) {
    this.#reads = new BoundedReads(READ_MS, clock);
    this.#stat = stat;
    this.#read = read;
  }

  /** Reads the files of an endpoint. Throws an error that names the file, never its content. */
  async read(tls: PemFiles): Promise<{ credentials: Credentials; version: string }> {
    const { caFile, certFile, keyFile } = tls;
    const credentials: Credentials = {};
    const version = await this.version(tls);
    if (caFile === null) {
      const ca = await this.#readSystemAuthorities();
      if (ca !== null) credentials.ca = ca;
    } else {
      credentials.ca = await this.#readPem(caFile);
      if (!credentials.ca.includes(CERTIFICATE)) throw unusable(caFile, NO_CERTIFICATE);
    }
    if (certFile === null || keyFile === null) return { credentials, version };
    credentials.cert = await this.#readPem(certFile);
    credentials.key = await this.#readPem(keyFile);
    checkPair(certFile, credentials.cert, { file: keyFile, pem: credentials.key });
    return { credentials, version };
  }

  /**
   * A text that changes with the configured files; the system's rarely change. Rejects with
   * `FileHangs`.
   */
  async version({ caFile, certFile, keyFile }: PemFiles): Promise<string> {
    const files = [caFile, certFile, keyFile].filter((file) => file !== null);
    return (await Promise.all(files.map((file) => this.#stateOf(file)))).map(({ text }) => text)
      .join("; ");
  }

  async #readSystemAuthorities(): Promise<string | null> {
    for (const file of SYSTEM_AUTHORITIES) {
      try {
        const text = await this.#readText(file);
        if (text.includes(CERTIFICATE)) return text;
      } catch (error) {
        // A file that hangs must not switch nodens to the built-in authorities.
        if (error instanceof FileHangs) throw error;
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
    const cached = this.#cache.get(file);
    if (cached?.state === state) return cached.text;
    const text = await this.#reads.run("text", file, this.#read);
    this.#cache.delete(file);
    if (!fresh) this.#cache.set(file, { state, text });
    if (this.#cache.size > MAX_CACHED) this.#cache.delete(this.#cache.keys().next().value!);
    return text;
  }

  async #stateOf(file: string): Promise<{ text: string; fresh: boolean }> {
    try {
      return fileState(await this.#reads.run("state", file, this.#stat), Date.now());
    } catch (error) {
      if (error instanceof FileHangs) throw error;
      return { text: MISSING, fresh: true };
    }
  }
}

function readPemText(file: string): Promise<string> {
  return readRegularText(file, MAX_CERTIFICATES_BYTES);
}

const NO_CERTIFICATE = "it contains no certificate (PEM)";

function unusable(file: string, why: string): Error {
  return new Error(`Cannot use "${file}": ${why}`);
}

/** A mismatch would otherwise show as a handshake that fails for no reason. */
function checkPair(certFile: string, cert: string, key: { file: string; pem: string }): void {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(cert);
  } catch {
    throw unusable(certFile, NO_CERTIFICATE);
  }
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(key.pem);
  } catch {
    throw unusable(key.file, "it contains no private key without passphrase (PEM)");
  }
  if (!certificate.checkPrivateKey(privateKey)) {
    throw unusable(key.file, `it is not the key of "${certFile}"`);
  }
}
