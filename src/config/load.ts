import { CorefileError, CorefileErrors, type Place } from "../corefile/error.ts";
import { Dispenser } from "../corefile/dispenser.ts";
import type { Token } from "../corefile/lexer.ts";
import { suggestion } from "../corefile/nearest.ts";
import { parseCorefile, type ServerBlock } from "../corefile/parser.ts";
import { formatIPv6, parseAddress } from "../dns/address.ts";
import { CHAIN } from "../plugins/chain.ts";
import { SETUPS } from "../plugins/setups.ts";
import type { HostView } from "./host.ts";
import type { BlockConfig, Config, ListenerConfig } from "./types.ts";
import { parseZoneKey, type ZoneKey } from "./zone_key.ts";

/** A configuration that was read, and what is to be told about it. */
export interface LoadedConfig {
  config: Config;
  warnings: string[];
  /** Files besides the Corefile that it was read from. */
  imports: string[];
}

const NAMES = CHAIN.map(({ name }) => name) as readonly string[];

interface Draft {
  block: BlockConfig;
  keys: (ZoneKey & Place)[];
  /** Addresses that `bind` names; null listens on all. */
  addresses: string[] | null;
}

/** Reads a Corefile into a configuration. Throws `CorefileErrors` with every fault found. */
export function loadConfig(
  source: { file: string; text: string; defaultPort: number },
  host: HostView,
): LoadedConfig {
  const parsed = parseCorefile(source.text, source.file, host);
  const errors = parsed.errors;
  const { warnings } = parsed;
  let debug = false;
  const drafts: Draft[] = [];
  for (const block of parsed.blocks) {
    const draft = readKeys(block, source.defaultPort, errors);
    drafts.push(draft);
    for (const [name, tokens] of byDirective(block, errors)) {
      const dispenser = new Dispenser(name, tokens);
      try {
        SETUPS.get(name)!.setup({
          plugin: name,
          tokens: dispenser,
          zones: draft.block.zones,
          host,
          addHandler: (options) =>
            draft.block.plugins.push({ name, line: dispenser.directiveLine, options }),
          bind: (addresses) => draft.addresses = [...draft.addresses ?? [], ...addresses],
          enableDebug: () => debug = true,
          warn: (line, text) => warnings.push(`${source.file}:${line}: ${name}: ${text}`),
        });
      } catch (error) {
        if (!(error instanceof CorefileError)) throw error;
        errors.push(error);
      }
    }
    const order = (name: string) => NAMES.indexOf(name);
    draft.block.plugins.sort((a, b) => order(a.name) - order(b.name));
  }
  const listeners = collectListeners(drafts, errors);
  if (errors.length > 0) {
    errors.sort((a, b) => a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1);
    throw new CorefileErrors(errors);
  }
  const blocks = drafts.map((draft) => draft.block);
  return {
    config: { file: source.file, blocks, listeners, debug },
    warnings,
    imports: parsed.imports,
  };
}

function readKeys(block: ServerBlock, defaultPort: number, errors: CorefileError[]): Draft {
  const keys: (ZoneKey & Place)[] = [];
  for (const { text, file, line } of block.keys) {
    try {
      for (const key of parseZoneKey(text, defaultPort)) keys.push({ ...key, file, line });
    } catch (error) {
      errors.push(new CorefileError({ file, line }, "", (error as Error).message));
    }
  }
  const { file, line } = block.keys[0]!;
  const zones = [...new Set(keys.map(({ zone }) => zone))];
  return { block: { file, line, zones, plugins: [] }, keys, addresses: null };
}

/** Tokens of each known directive, all its uses together. */
function byDirective(block: ServerBlock, errors: CorefileError[]): Map<string, Token[]> {
  const found = new Map<string, Token[]>();
  for (const { name, tokens } of block.directives) {
    const entry = CHAIN.find((plugin) => plugin.name === name);
    if (entry === undefined) {
      const hint = suggestion(name, NAMES);
      errors.push(new CorefileError(tokens[0]!, "", `unknown directive "${name}"${hint}`));
    } else if (!entry.supported) {
      const what = "not supported yet (CoreDNS has this plugin; take it out to go on without)";
      errors.push(new CorefileError(tokens[0]!, name, what));
    } else {
      found.set(name, [...found.get(name) ?? [], ...tokens]);
    }
  }
  const order = (name: string) => NAMES.indexOf(name);
  return new Map([...found].sort(([a], [b]) => order(a) - order(b)));
}

/** Groups zones by address and port; the same zone twice on one is a fault. */
function collectListeners(drafts: readonly Draft[], errors: CorefileError[]): ListenerConfig[] {
  const listeners = new Map<string, ListenerConfig>();
  const taken = new Map<string, { place: Place; address: string }[]>();
  drafts.forEach((draft, block) => {
    const addresses = draft.addresses === null
      ? [""]
      : [...new Set(draft.addresses.map(canonical))];
    for (const key of draft.keys) {
      const others = taken.get(`${key.zone}:${key.port}`) ?? [];
      taken.set(`${key.zone}:${key.port}`, others);
      for (const address of addresses) {
        const clash = others.find((other) =>
          other.address === address || other.address === "" || address === ""
        );
        if (clash !== undefined) {
          const where = `${clash.place.file}:${clash.place.line}`;
          const on = clash.address === address ? "" : " on an address that includes this one";
          errors.push(
            new CorefileError(
              key,
              "",
              `zone "${key.zone}" on port ${key.port} is served already by the block at ${where}` +
                `${on} (merge the blocks, or give one another port or address)`,
            ),
          );
          continue;
        }
        others.push({ place: { file: key.file, line: key.line }, address });
        const id = `${address} ${key.port}`;
        const listener = listeners.get(id) ?? { address, port: key.port, zones: [] };
        listener.zones.push({ zone: key.zone, block });
        listeners.set(id, listener);
      }
    }
  });
  return [...listeners.values()];
}

/** One spelling for equal addresses. */
function canonical(address: string): string {
  const [host, scope] = address.split("%");
  const bytes = parseAddress(host!);
  const text = bytes === null || bytes.length === 4 ? host! : formatIPv6(bytes);
  return scope === undefined ? text : `${text}%${scope}`;
}
