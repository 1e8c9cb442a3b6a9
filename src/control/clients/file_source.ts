import { quote } from "../../corefile/quote.ts";
import { readFailure } from "../../corefile/read_failure.ts";
import type { ClientName } from "../../engine/observe/client_table.ts";
import { fileState, readRegularText, requireRegular } from "../../sys/regular_file.ts";
import type { NameSource, NamesRead } from "./client_names.ts";
import { readNameLines, type SkippedLines, skippedText } from "./name_lines.ts";

const EVERY_MS = 2000;
/** Of all files: 65,536 lines of 64 octets. */
const MAX_BYTES = 4 * 2 ** 20;
const MAX_FILES = 256;

/** Names in a file, or in a folder's files without leading dot. */
export class FileSource implements NameSource {
  readonly label: string;
  readonly everyMs = EVERY_MS;
  readonly keptMs = Infinity;
  readonly #path: string;
  #state = "";

  constructor(path: string) {
    this.#path = path;
    this.label = path;
  }

  async read(): Promise<NamesRead | null> {
    let path = this.#path;
    try {
      const files: string[] = [];
      const states: string[] = [];
      let fresh = false;
      let bytes = 0;
      for (path of await listFiles(this.#path)) {
        const stat = await Deno.stat(path);
        if (stat.isDirectory) continue;
        requireRegular(stat, MAX_BYTES);
        bytes += stat.size;
        // File systems ignore fake clocks.
        const state = fileState(stat, Date.now());
        fresh ||= state.fresh;
        states.push(`${path} ${state.text}`);
        files.push(path);
      }
      if (files.length > MAX_FILES) throw new Error(`it has more than ${MAX_FILES} files`);
      if (bytes > MAX_BYTES) throw new Error(`its files are larger than ${MAX_BYTES} bytes`);
      const state = states.join("\n");
      if (state === this.#state) return null;
      const names: ClientName[] = [];
      const skipped: SkippedLines = { count: 0, first: "" };
      for (path of files) {
        const text = await readRegularText(path, MAX_BYTES);
        for (const name of readNameLines(text, shown(path), skipped)) names.push(name);
      }
      this.#state = fresh ? "" : state;
      return { names, skipped: skippedText(skipped) };
    } catch (error) {
      this.#state = "";
      const why = readFailure(error);
      throw new Error(path === this.#path ? why : `${shown(path)}: ${why}`);
    }
  }
}

function shown(path: string): string {
  return /^[!-~]+$/.test(path) ? path : quote(path);
}

async function listFiles(path: string): Promise<string[]> {
  if (!(await Deno.stat(path)).isDirectory) return [path];
  const names: string[] = [];
  for await (const { name } of Deno.readDir(path)) {
    if (name.startsWith(".")) continue;
    names.push(`${path.replace(/(?<=.)\/+$/, "")}/${name}`);
    if (names.length > MAX_FILES) break;
  }
  return names.sort();
}
