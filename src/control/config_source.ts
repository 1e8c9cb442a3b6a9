import type { HostView } from "../config/host.ts";
import type { LoadedConfig } from "../loading/load.ts";
import { readConfig } from "../loading/read.ts";

/** Location of the Corefile. */
export interface ConfigSourceOptions {
  file: string;
  text: (() => string) | null;
  defaultPort: number;
  host: HostView;
}

/** Reads the Corefile and hashes it to detect changes. */
export class ConfigSource {
  /** Hexadecimal SHA-512 of Corefile and imports. */
  hash = "";
  /** The Corefile without its imports, as last read. */
  text = "";
  readonly #options: ConfigSourceOptions;

  constructor(options: ConfigSourceOptions) {
    this.#options = options;
  }

  /** Throws `CorefileErrors` or a read error; always updates `hash`. */
  async read(): Promise<LoadedConfig> {
    const { file, text: make, defaultPort, host } = this.#options;
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
      this.text = text;
      read.set("", text);
      const loaded = await readConfig({ file, text, defaultPort }, view);
      for (const path of [...read.keys()]) {
        if (path !== "" && !loaded.imports.includes(host.absolute(path))) read.delete(path);
      }
      return loaded;
    } finally {
      const bytes = new TextEncoder().encode(JSON.stringify([...read].sort()));
      this.hash = new Uint8Array(await crypto.subtle.digest("SHA-512", bytes)).toHex();
    }
  }
}

function readText(file: string, host: HostView): string {
  try {
    return host.readTextFile(file);
  } catch (error) {
    throw new Error(`Cannot read "${file}": ${(error as Error).message}`);
  }
}
