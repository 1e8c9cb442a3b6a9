import { REFUSALS } from "../plugins/refusals.ts";
import { Dispenser } from "../corefile/dispenser.ts";
import { CorefileError, type Place } from "../corefile/error.ts";
import { Faults, TooManyFaults } from "../corefile/faults.ts";
import { didYouMean } from "../corefile/nearest.ts";
import { parseCorefile, type ServerBlock } from "../corefile/parser.ts";
import { quote } from "../corefile/quote.ts";
import type { Line } from "../corefile/token.ts";
import { CHAIN } from "../plugins/chain.ts";
import { SETUPS } from "../plugins/setups.ts";
import type { HostView } from "../config/host.ts";
import { collectListeners, type Served } from "./listeners.ts";
import { limitMemory } from "../config/memory_limit.ts";
import type { BlockConfig, Config, EndpointConfig, ReloadConfig } from "../config/types.ts";
import { parseZoneKey } from "../config/zone_key.ts";

/** A configuration that was read, and what is to be told about it. */
export interface LoadedConfig {
  config: Config;
  /** Warnings: legal, but perhaps not meant: `Corefile:3: hosts: …`. */
  warnings: string[];
  /** Absolute paths of the files besides the Corefile that it was read from. */
  imports: string[];
}

/** Most zones of all blocks together. */
const MAX_ZONES = 50_000;
/** Most warnings; the first of them help more than the rest. */
const MAX_WARNINGS = 100;

/** Comments and empty lines that are looked at for what the file holds. */
const MAX_LINES_BEFORE = 1000;

const NAMES: readonly string[] = CHAIN.map(({ name }) => name);

/**
 * Reads a Corefile into a configuration. Throws `CorefileErrors` with every fault found, and
 * `LibraryMissing` where a library must be loaded first (`readConfig` does).
 */
export function loadConfig(
  source: { file: string; text: string; defaultPort: number },
  host: HostView,
): LoadedConfig {
  const loader = new Loader(source, host);
  let loaded: LoadedConfig | null = null;
  try {
    loaded = loader.load();
  } catch (error) {
    if (!(error instanceof TooManyFaults)) throw error;
  }
  if (loaded === null || !loader.faults.empty) throw loader.faults.toErrors(loader.warnings);
  return loaded;
}

/** The line on which a manifest begins, counted from 1, where the file is one; else null. */
function lineOfManifest(text: string): number | null {
  const lines = text.split("\n", MAX_LINES_BEFORE);
  const first = lines.findIndex((line) => !/^(?:---)?\s*(?:#.*)?$/.test(line));
  return /^(?:apiVersion|kind|metadata|data):(?:\s|$)/.test(lines[first] ?? "") ? first + 1 : null;
}

class Loader {
  readonly faults = new Faults();
  readonly #source: { file: string; text: string; defaultPort: number };
  readonly #host: HostView;
  readonly #warnings = new Set<string>();
  #debug = false;
  #reload: ReloadConfig | null = null;
  readonly #endpoints: EndpointConfig[] = [];
  #zones = 0;

  constructor(source: { file: string; text: string; defaultPort: number }, host: HostView) {
    this.#source = source;
    this.#host = host;
  }

  get warnings(): string[] {
    return [...this.#warnings];
  }

  load(): LoadedConfig {
    const { file, text } = this.#source;
    const manifestLine = lineOfManifest(text);
    if (manifestLine !== null) {
      const what = "this is a manifest of Kubernetes (keep what stands below `Corefile: |`)";
      this.faults.add(new CorefileError({ file, line: manifestLine }, "", what));
      throw new TooManyFaults();
    }
    const parsed = parseCorefile(
      { file, text, view: this.#host },
      this.faults,
      (place, what) => this.#warn(place, what),
    );
    const blocks: BlockConfig[] = [];
    const served: Served[] = [];
    for (const block of parsed.blocks) {
      const serves: Served = { keys: this.#readKeys(block), addresses: null, timeouts: null };
      served.push(serves);
      blocks.push(this.#readBlock(block, serves, blocks.length));
    }
    if (parsed.blocks.length === 0 && this.faults.empty) {
      const what = "there is no server block (add one: . { … })";
      this.faults.add(new CorefileError({ file, line: 1 }, "", what));
    }
    const listeners = collectListeners(
      served,
      this.faults,
      (place, what) => this.#warn(place, what),
    );
    const config: Config = {
      file,
      blocks,
      listeners,
      debug: this.#debug,
      ...this.#endpoints.length > 0 && { endpoints: this.#endpoints },
      ...this.#reload !== null && { reload: this.#reload },
    };
    limitMemory(config, this.#host);
    this.#complete(config);
    return {
      config,
      warnings: this.warnings,
      imports: parsed.files,
    };
  }

  #readKeys(block: ServerBlock): Served["keys"] {
    const keys: Served["keys"] = [];
    for (const { text, file, line } of block.keys) {
      if (text.startsWith("*.")) {
        const what = `* in ${quote(text)} is a label like any other`;
        this.#warn({ file, line }, `${what} (${text.slice(2)} has all names below it)`);
      }
      try {
        for (const key of parseZoneKey(text, this.#source.defaultPort)) {
          keys.push({ ...key, file, line });
        }
      } catch (error) {
        this.faults.add(new CorefileError({ file, line }, "", (error as Error).message));
      }
      if (this.#zones + keys.length > MAX_ZONES) {
        const what = `more than ${MAX_ZONES} zones in all server blocks together`;
        this.faults.add(new CorefileError({ file, line }, "", what));
        throw new TooManyFaults();
      }
    }
    this.#zones += keys.length;
    return keys;
  }

  #readBlock({ file, line, lines }: ServerBlock, serves: Served, index: number): BlockConfig {
    const zones = [...new Set(serves.keys.map(({ zone }) => zone))];
    const block: BlockConfig = { file, line, zones, plugins: [] };
    const directives = this.#group(lines);
    let root: string | null = null;
    const answering = CHAIN.map(({ name }) => name as string)
      .filter((name) => directives.has(name) && SETUPS.get(name)?.answers === true);
    // In the order of the chain, which also puts the handlers into it.
    for (const { name } of CHAIN) {
      const uses = directives.get(name);
      const plugin = SETUPS.get(name);
      if (uses === undefined || plugin === undefined) continue;
      const tokens = new Dispenser(name, uses, this.faults);
      this.faults.collect(() =>
        plugin.setup({
          plugin: name,
          tokens,
          zones,
          host: this.#host,
          answeringBehind: answering.slice(answering.indexOf(name) + 1),
          resolvePath: (path) =>
            root === null || path.startsWith("/") ? this.#host.absolute(path) : `${root}/${path}`,
          setRoot: (path) => root = path,
          limitStreams: (timeouts) => {
            const { file, line } = tokens.place;
            serves.timeouts = { file, line, values: { ...serves.timeouts?.values, ...timeouts } };
          },
          addHandler: (options) =>
            block.plugins.push({ name, line: tokens.directiveLine, options }),
          addEndpoint: (endpoint) => this.#endpoints.push({ ...endpoint, block: index }),
          bind: (addresses) => serves.addresses = [...serves.addresses ?? [], ...addresses],
          reloadEvery: (reload) => this.#reload = reload,
          enableDebug: () => this.#debug = true,
          warn: (line, text) => this.#warn({ file: tokens.place.file, line }, `${name}: ${text}`),
        })
      );
    }
    // A directive that has a fault may well be one that answers.
    if (answering.length === 0 && directives.size > 0 && this.faults.empty) {
      const what = "this server block answers nothing: every query is SERVFAIL or REFUSED (add a " +
        "directive that answers: forward . ADDRESS)";
      this.#warn({ file, line }, what);
    }
    return block;
  }

  /** Has each plugin check and decide what depends on other directives. */
  #complete(config: Config): void {
    for (const { name, complete } of SETUPS.values()) {
      if (complete === undefined) continue;
      const uses = config.blocks.flatMap((block) =>
        block.plugins.filter((plugin) => plugin.name === name)
          .map((plugin) => ({ ...plugin, block }))
      );
      if (uses.length === 0) continue;
      complete({
        config,
        uses,
        interfaces: () => this.#interfaces(),
        fault: (place, what) => this.faults.add(new CorefileError(place, name, what)),
        warn: (place, text) => this.#warn(place, `${name}: ${text}`),
      });
    }
  }

  /** The uses of each directive; those that cannot be used are faults. */
  #group(lines: readonly Line[]): Map<string, [Line, ...Line[]]> {
    const directives = new Map<string, [Line, ...Line[]]>();
    for (const line of lines) {
      const [word] = line.words;
      const entry = CHAIN.find(({ name }) => name === word.text);
      const known = directives.get(word.text);
      const refusal = REFUSALS.get(word.text);
      if (refusal !== undefined) {
        this.faults.add(new CorefileError(word, word.text, `not supported: ${refusal}`));
      } else if (entry === undefined) {
        this.faults.add(new CorefileError(word, "", `unknown directive ${this.#hint(word.text)}`));
      } else if (!entry.supported) {
        const what = "this plugin of CoreDNS is not supported yet (take the directive out)";
        this.faults.add(new CorefileError(word, word.text, what));
      } else if (known === undefined) {
        directives.set(word.text, [line]);
      } else {
        known.push(line);
      }
    }
    return directives;
  }

  #hint(word: string): string {
    const hint = didYouMean(word, NAMES);
    if (hint !== "") return quote(word) + hint;
    return /[.:]/.test(word)
      ? `${
        quote(word)
      } (if it is a zone: a comma goes between zones on several lines, and braces ` +
        "around the directives of each server block)"
      : `${quote(word)} ("nodens -plugins" lists what there is)`;
  }

  /** Addresses of this machine; none if they may not be known, which leaves loopback. */
  #interfaces(): string[] {
    try {
      return this.#host.interfaces().map(({ address }) => address);
    } catch {
      return [];
    }
  }

  #warn({ file, line }: Place, text: string): void {
    if (this.#warnings.size < MAX_WARNINGS) this.#warnings.add(`${file}:${line}: ${text}`);
  }
}
