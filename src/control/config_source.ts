import type { HostView } from "../config/host.ts";
import type { LoadedConfig } from "../loading/load.ts";
import { readConfig } from "../loading/read.ts";

/** Where the Corefile comes from. */
export interface ConfigSourceOptions {
  file: string;
  /** Makes the text to serve in place of the file, which is then only a name; null for the file. */
  text: (() => string) | null;
  /** Port of blocks that name none. */
  defaultPort: number;
  host: HostView;
}

/** Reads the Corefile, whenever it is asked to, and knows whether it is another one than before. */
export class ConfigSource {
  /** SHA-512 of the Corefile and all that it imports, as it was read last, in hexadecimal. */
  hash = "";
  readonly #options: ConfigSourceOptions;

  constructor(options: ConfigSourceOptions) {
    this.#options = options;
  }

  /**
   * Reads it. Throws `CorefileErrors` with every fault, or an error that says why it cannot be read;
   * `hash` is of what was read either way.
   */
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
      read.set("", text);
      const loaded = await readConfig({ file, text, defaultPort }, view);
      // Other files that were read are followed by those who need them.
      for (const path of [...read.keys()]) {
        if (path !== "" && !loaded.imports.includes(host.absolute(path))) read.delete(path);
      }
      return loaded;
    } finally {
      this.hash = await digest(read);
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

async function digest(texts: ReadonlyMap<string, string>): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify([...texts].sort()));
  return new Uint8Array(await crypto.subtle.digest("SHA-512", bytes)).toHex();
}
