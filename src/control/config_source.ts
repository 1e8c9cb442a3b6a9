import type { HostView } from "../config/host.ts";
import { type LoadedConfig, readConfig } from "../loading/load.ts";

/** Reads the Corefile and hashes it to detect changes. */
export interface ConfigSource {
  /** Hexadecimal SHA-512, imports included. */
  hash: string;
  /** Without imports, as last read. */
  text: string;
  /** Throws `CorefileErrors` or a read error; always updates `hash`. */
  read(): Promise<LoadedConfig>;
}

/** The Corefile in `file`, or made by `text`. */
export function configSource({ file, text: make, defaultPort, kernelHits = false, host }: {
  file: string;
  text: (() => string) | null;
  defaultPort: number;
  kernelHits?: boolean;
  host: HostView;
}): ConfigSource {
  const source: ConfigSource = {
    hash: "",
    text: "",
    async read() {
      const read = new Map<string, string>();
      const view: HostView = {
        ...host,
        readTextFile(path) {
          const text = host.readTextFile(path);
          read.set(path, text);
          return text;
        },
      };
      try {
        const text = make?.() ?? readText(file, host);
        source.text = text;
        read.set("", text);
        const loaded = await readConfig({ file, text, defaultPort, kernelHits }, view);
        for (const path of [...read.keys()]) {
          if (path !== "" && !loaded.imports.includes(host.absolute(path))) read.delete(path);
        }
        return loaded;
      } finally {
        const bytes = new TextEncoder().encode(JSON.stringify([...read].sort()));
        source.hash = new Uint8Array(await crypto.subtle.digest("SHA-512", bytes)).toHex();
      }
    },
  };
  return source;
}

function readText(file: string, host: HostView): string {
  try {
    return host.readTextFile(file);
  } catch (error) {
    throw new Error(`Cannot read "${file}": ${(error as Error).message}`);
  }
}
