import { loadFor, requireLoaded } from "../base/lazy.ts";
import type { HostView } from "../config/host.ts";
import { limitMemory } from "../config/memory_limit.ts";
import type { BlockConfig, Config } from "../config/types.ts";
import { parseZoneKey } from "../config/zone_key.ts";
import { Dispenser } from "../corefile/dispenser.ts";
import { Faults, TooManyFaults } from "../corefile/error.ts";
import { didYouMean } from "../corefile/nearest.ts";
import { type Line, parseCorefile, type ServerBlock } from "../corefile/parser.ts";
import { quote } from "../corefile/quote.ts";
import { CHAIN } from "../plugins/chain.ts";
import { REFUSALS } from "../plugins/refusals.ts";
import { SETUPS } from "../plugins/setups.ts";
import { collectListeners, type ServedBlock } from "./listeners.ts";

/** A configuration and its warnings. */
export interface LoadedConfig {
  config: Config;
  warnings: string[];
  imports: string[];
}

const MAX_ZONES = 50_000;
/** Comments and blank lines before a Kubernetes manifest. */
const MAX_LINES_BEFORE = 1000;

const NAMES: readonly string[] = CHAIN.map(({ name }) => name);

interface Source {
  readonly file: string;
  readonly text: string;
  readonly defaultPort: number;
  /** The kernel needs memory for hits. */
  readonly kernelHits?: boolean;
}

interface Context {
  readonly source: Source;
  readonly host: HostView;
  readonly faults: Faults;
  readonly config: Config;
  /** In all server blocks so far. */
  zoneCount: number;
}

/** Reads a Corefile, and loads what its directives need. Throws `CorefileErrors`. */
export async function readConfig(source: Source, host: HostView): Promise<LoadedConfig> {
  return await loadFor(() => loadConfig(source, host));
}

/** `readConfig` without loading: throws `NotLoaded` instead. */
export function loadConfig(source: Source, host: HostView): LoadedConfig {
  const faults = new Faults();
  const config: Config = { file: source.file, blocks: [], listeners: [], debug: false };
  try {
    const imports = load({ source, host, faults, config, zoneCount: 0 });
    if (faults.empty) return { config, warnings: faults.warnings, imports };
  } catch (error) {
    if (!(error instanceof TooManyFaults)) throw error;
  }
  throw faults.toErrors();
}

/** Returns imported files. */
function load(context: Context): string[] {
  const { source: { file, text }, host, faults, config } = context;
  const manifestLine = lineOfManifest(text);
  if (manifestLine !== null) {
    const what = "this is a Kubernetes manifest (use the text below `Corefile: |`)";
    faults.at({ file, line: manifestLine }, what);
    return [];
  }
  const { blocks, files } = parseCorefile({ file, text, view: host }, faults);
  const lines = blocks.flatMap(({ lines }) => lines);
  requireLoaded(lines.flatMap(({ words: [{ text }] }) => SETUPS.get(text) ?? []));
  const served = blocks.map((block) => readBlock(context, block));
  if (served.length === 0 && faults.empty) {
    faults.at({ file, line: 1 }, "there is no server block (add one: . { … })");
  }
  config.listeners = collectListeners(served, faults);
  limitMemory(config, host, context.source.kernelHits);
  complete(context);
  return files;
}

function readZones(context: Context, block: ServerBlock): ServedBlock["keys"] {
  const { source, faults } = context;
  const keys: ServedBlock["keys"] = [];
  for (const { text, file, line } of block.keys) {
    const place = { file, line };
    if (text.startsWith("*.")) {
      const what = `* in ${quote(text)} is an ordinary label`;
      faults.warn(place, `${what} (${text.slice(2)} includes all names below it)`);
    }
    try {
      for (const key of parseZoneKey(text, source.defaultPort)) {
        keys.push({ ...key, ...place });
      }
    } catch (error) {
      faults.at(place, (error as Error).message);
    }
    if (context.zoneCount + keys.length > MAX_ZONES) {
      faults.at(place, `more than ${MAX_ZONES} zones in all server blocks together`);
      throw new TooManyFaults();
    }
  }
  context.zoneCount += keys.length;
  return keys;
}

function readBlock(context: Context, source: ServerBlock): ServedBlock {
  const { host, faults, config } = context;
  const { file, line } = source;
  const served: ServedBlock = { keys: readZones(context, source), addresses: null, timeouts: null };
  const zones = [...new Set(served.keys.map(({ zone }) => zone))];
  const [firstZone = ".", ...otherZones] = zones;
  const block: BlockConfig = { file, line, zones, plugins: [] };
  const index = config.blocks.push(block) - 1;
  const directives = group(source.lines, faults);
  const answering = NAMES.filter((name) => directives.has(name) && SETUPS.get(name)?.value.answers);
  let root: string | null = null;
  // Directives are read in chain order.
  for (const name of NAMES) {
    const uses = directives.get(name);
    const setup = SETUPS.get(name);
    if (uses === undefined || setup === undefined) continue;
    const tokens = new Dispenser(name, uses, faults);
    faults.collect(() =>
      setup.value.setup({
        plugin: name,
        tokens,
        zones: [firstZone, ...otherZones],
        host,
        answeringBehind: answering.slice(answering.indexOf(name) + 1),
        resolvePath: (path) =>
          root === null || path.startsWith("/") ? host.absolute(path) : `${root}/${path}`,
        setRoot: (path) => root = path,
        limitStreams: (timeouts) => {
          const { file, line } = tokens.place;
          served.timeouts = { file, line, values: { ...served.timeouts?.values, ...timeouts } };
        },
        addHandler: (options) => block.plugins.push({ name, line: tokens.directiveLine, options }),
        addEndpoint: (endpoint) => (config.endpoints ??= []).push({ ...endpoint, block: index }),
        bind: (addresses) => served.addresses = [...served.addresses ?? [], ...addresses],
        reloadEvery: (reload) => config.reload = reload,
        enableDebug: () => config.debug = true,
        warn: (line, text) => faults.warn({ file: tokens.place.file, line }, `${name}: ${text}`),
      })
    );
  }
  if (answering.length === 0 && directives.size > 0 && faults.empty) {
    const what = "this server block answers nothing: every query is SERVFAIL or REFUSED (add a " +
      "directive that answers: forward . ADDRESS)";
    faults.warn(block, what);
  }
  return served;
}

/** Lets each plugin check what depends on other directives. */
function complete({ config, host, faults }: Context): void {
  for (const [name, setup] of SETUPS) {
    const uses = config.blocks.flatMap((block) =>
      block.plugins.filter((plugin) => plugin.name === name)
        .map((plugin) => ({ ...plugin, block }))
    );
    if (uses.length === 0) continue;
    setup.value.complete?.({
      config,
      uses,
      interfaces: () => addressesOf(host),
      fault: (place, what) => faults.at(place, what, name),
      warn: (place, text) => faults.warn(place, `${name}: ${text}`),
    });
  }
}

function group(lines: readonly Line[], faults: Faults): Map<string, [Line, ...Line[]]> {
  const directives = new Map<string, [Line, ...Line[]]>();
  for (const line of lines) {
    const [word] = line.words;
    const { text } = word;
    const uses = directives.get(text);
    const refusal = REFUSALS.get(text);
    const entry = CHAIN.find(({ name }) => name === text);
    if (uses !== undefined) {
      uses.push(line);
    } else if (refusal !== undefined) {
      faults.at(word, `not supported: ${refusal}`, text);
    } else if (entry === undefined) {
      faults.at(word, `unknown directive ${quote(text)}${hintFor(text)}`);
    } else if (!entry.supported) {
      const what = "this plugin of CoreDNS is not supported yet (take the directive out)";
      faults.at(word, what, text);
    } else {
      directives.set(text, [line]);
    }
  }
  return directives;
}

function addressesOf(host: HostView): string[] {
  try {
    return host.interfaces().map(({ address }) => address);
  } catch {
    return [];
  }
}

/** The first line of a Kubernetes manifest, or null. */
function lineOfManifest(text: string): number | null {
  const lines = text.split("\n", MAX_LINES_BEFORE);
  const first = lines.findIndex((line) => !/^(?:---)?\s*(?:#.*)?$/.test(line));
  return /^(?:apiVersion|kind|metadata|data):(?:\s|$)/.test(lines[first] ?? "") ? first + 1 : null;
}

function hintFor(word: string): string {
  const hint = didYouMean(word, NAMES);
  if (hint !== "") return hint;
  return /[.:]/.test(word)
    ? " (if it is a zone: put a comma between zones on several lines, and braces around the " +
      "directives of each server block)"
    : ' ("nodens -plugins" lists the directives)';
}
