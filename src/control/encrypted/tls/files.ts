import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { type Clock, systemClock } from "../../../base/clock.ts";
import { readFailure } from "../../../corefile/read_failure.ts";
import type { TlsEndpoint } from "../../../engine/io.ts";
import { fileState, MAX_CERTIFICATES_BYTES, readRegularText } from "../../../sys/regular_file.ts";
import { boundedReads } from "./bounded_reads.ts";

/** Authorities, client certificate and key (PEM). */
export interface Credentials {
  /** Default: Mozilla's. */
  ca?: string;
  cert?: string;
  key?: string;
}

type PemFiles = Pick<TlsEndpoint, "caFile" | "certFile" | "keyFile">;

/** Debian, Fedora, openSUSE, OpenELEC, RHEL, Alpine and BSD. */
const SYSTEM_AUTHORITIES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/tls/cacert.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

const CERTIFICATE = "-----BEGIN CERTIFICATE-----";
const MAX_CACHED = 64;
/** Normally under 1 ms; leaves 2.5 s for handshakes. */
const READ_MS = 1000;

/** Test options of `CredentialFiles`. */
export interface CredentialFilesOptions {
  clock?: Clock;
  stat?: (path: string) => Promise<Deno.FileInfo>;
  read?: (path: string) => Promise<string>;
}

interface Loaded {
  state: string;
  text: string | Error;
}

/** Caches upstreams' PEM files. */
export class CredentialFiles {
  readonly #cache = new Map<string, Loaded>();
  readonly #readBounded: ReturnType<typeof boundedReads>;
  readonly #options: Required<CredentialFilesOptions>;

  constructor(options: CredentialFilesOptions = {}) {
    const read = (file: string) => readRegularText(file, MAX_CERTIFICATES_BYTES);
    this.#options = { clock: systemClock, stat: Deno.stat, read, ...options };
    this.#readBounded = boundedReads(READ_MS, this.#options.clock);
  }

  /** Errors name the file, never its content. */
  async read(tls: PemFiles): Promise<{ credentials: Credentials; version: string }> {
    const { caFile, certFile, keyFile } = tls;
    const credentials: Credentials = {};
    const version = await this.version(tls);
    const ca = caFile === null ? await this.#readSystemAuthorities() : await this.#readPem(caFile);
    if (caFile !== null && !ca!.includes(CERTIFICATE)) throw unusable(caFile, NO_CERTIFICATE);
    if (ca !== null) credentials.ca = ca;
    if (certFile === null || keyFile === null) return { credentials, version };
    credentials.cert = await this.#readPem(certFile);
    credentials.key = await this.#readPem(keyFile);
    checkPair(certFile, credentials.cert, { file: keyFile, pem: credentials.key });
    return { credentials, version };
  }

  /** Changes with the files. Rejects with `FileHangs`. */
  async version({ caFile, certFile, keyFile }: PemFiles): Promise<string> {
    const files = [caFile, certFile, keyFile].filter((file) => file !== null);
    const loaded = await Promise.all(files.map((file) => this.#load(file)));
    return loaded.map(({ state }) => state).join("; ");
  }

  async #readSystemAuthorities(): Promise<string | null> {
    for (const file of SYSTEM_AUTHORITIES) {
      // A hanging file must not select the built-in authorities.
      const { text } = await this.#load(file);
      if (typeof text === "string" && text.includes(CERTIFICATE)) return text;
    }
    return null;
  }

  async #readPem(file: string): Promise<string> {
    const { text } = await this.#load(file);
    if (typeof text === "string") return text;
    throw new Error(`Cannot read "${file}": ${readFailure(text)}`);
  }

  #load(file: string): Promise<Loaded> {
    const { stat, read, clock } = this.#options;
    return this.#readBounded(file, async () => {
      const { text: state, fresh } = await stat(file).then(
        (info) => fileState(info, clock.wall()),
        () => ({ text: "missing", fresh: true }),
      );
      const cached = this.#cache.get(file);
      if (cached?.state === state) return cached;
      const text = await read(file).catch((error: Error) => error);
      this.#cache.delete(file);
      if (!fresh && typeof text === "string") this.#cache.set(file, { state, text });
      if (this.#cache.size > MAX_CACHED) this.#cache.delete(this.#cache.keys().next().value!);
      return { state, text };
    });
  }
}

const NO_CERTIFICATE = "it contains no certificate (PEM)";

function unusable(file: string, why: string): Error {
  return new Error(`Cannot use "${file}": ${why}`);
}

/** A mismatch would fail without a reason. */
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
