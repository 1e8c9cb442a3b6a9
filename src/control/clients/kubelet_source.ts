import { type Clock, systemClock } from "../../base/clock.ts";
import { readFailure } from "../../corefile/read_failure.ts";
import {
  MAX_CERTIFICATES_BYTES,
  MAX_SYSTEM_FILE_BYTES,
  readRegularText,
} from "../../sys/regular_file.ts";
import type { NameSource, NamesRead } from "./client_names.ts";
import { type KubeletAddress, requestPods } from "./kubelet_request.ts";
import { PodListReader } from "./pod_list.ts";

const EVERY_MS = 10_000;
/** A busy node reuses addresses within minutes. */
const KEPT_MS = 300_000;

const HOST = "(host)";

/** `KubeletSource` options. */
export interface KubeletOptions extends KubeletAddress {
  readonly tokenFile: string;
  readonly caFile: string | null;
  readonly interfaces: () => string[];
  readonly clock?: Clock;
}

/** Pods of this node, from its kubelet. */
export class KubeletSource implements NameSource {
  readonly label: string;
  readonly everyMs = EVERY_MS;
  readonly keptMs = KEPT_MS;
  readonly #options: KubeletOptions;

  constructor(options: KubeletOptions) {
    const { host, port } = options;
    this.#options = options;
    this.label = `the pods of the kubelet at ${host.includes(":") ? `[${host}]` : host}:${port}`;
  }

  async read(signal: AbortSignal): Promise<NamesRead> {
    const { tokenFile, caFile, interfaces, clock = systemClock } = this.#options;
    // Kubernetes replaces both files.
    const token = (await readFile(tokenFile, MAX_SYSTEM_FILE_BYTES)).trim();
    if (!/^[!-~]+$/.test(token)) throw new Error(`${tokenFile} has no token`);
    const ca = caFile === null ? null : await readFile(caFile, MAX_CERTIFICATES_BYTES);
    const reader = new PodListReader();
    const onBytes = (bytes: Uint8Array) => reader.push(bytes);
    await requestPods(this.#options, { token, ca }, { onBytes, signal, clock });
    const pods = reader.end().sort((a, b) => a.address < b.address ? -1 : 1);
    // Pods in the host's network share its addresses.
    const host = interfaces().map((address) => ({ address, name: HOST }));
    return { names: [...pods, ...host], skipped: "" };
  }
}

async function readFile(path: string, maxBytes: number): Promise<string> {
  try {
    return await readRegularText(path, maxBytes);
  } catch (error) {
    throw new Error(`${path}: ${readFailure(error)}`);
  }
}
