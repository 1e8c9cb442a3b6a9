import type { BlockConfig, Config } from "../../config/types.ts";
import type { Dispenser } from "../../corefile/dispenser.ts";
import { quote } from "../../corefile/quote.ts";
import { TYPE } from "../../dns/constants.ts";
import { typeNumber, typeText } from "../../dns/mnemonics.ts";
import { isWithin, normalizeZone } from "../../dns/zone.ts";
import type { Controller } from "../setup.ts";
import type { CacheOptions, PinnedName } from "./options.ts";

/** Looked up each second, and asked for in each TTL. */
const MAX_NAMES = 256;
const MAX_QUESTIONS = 512;
const DEFAULT_TYPES: readonly number[] = [TYPE.A, TYPE.AAAA];
/** RFC 6895 section 3.1. */
const META = { first: 128, last: 255 } as const;

/** Reads `keep NAME [TYPE...]...` and adds to `names`. */
export function readKeep(tokens: Dispenser, names: PinnedName[]): void {
  const words = tokens.someArgs("NAME [TYPE...]...");
  let types: number[] | null = null;
  for (const word of words) {
    const type = /^[A-Z][A-Z0-9-]*$/.test(word) ? typeNumber(word) : null;
    if (type === null) {
      types = addName(tokens, word, names);
      continue;
    }
    if (types === null) {
      throw tokens.error(
        `keep: ${quote(word)} is a type without a name before it (the name is ${
          quote(`${word}.`)
        })`,
      );
    }
    if (type === 0 || type === TYPE.OPT || (type >= META.first && type <= META.last)) {
      throw tokens.error(`keep: ${quote(word)} is not a type of records that can be cached`);
    }
    if (!types.includes(type)) types.push(type);
  }
  for (const name of names) if (name.types.length === 0) name.types.push(...DEFAULT_TYPES);
  const questions = names.reduce((sum, name) => sum + name.types.length, 0);
  if (names.length > MAX_NAMES || questions > MAX_QUESTIONS) {
    throw tokens.error(
      `keep: more than ${MAX_NAMES} names, or ${MAX_QUESTIONS} names and types ` +
        "(keep only names that must not fail; prefetch does for the others)",
    );
  }
}

/** Returns the name's types. */
function addName(tokens: Dispenser, word: string, names: PinnedName[]): number[] {
  let name: string;
  try {
    name = normalizeZone(word);
  } catch (error) {
    throw tokens.error(`keep: ${(error as Error).message}`);
  }
  if (names.some((one) => one.name === name)) {
    throw tokens.error(`keep: ${quote(name)} appears twice (remove one, and add its types)`);
  }
  const types: number[] = [];
  names.push({ name, types });
  return types;
}

/** Reports names that are not stored. */
export function checkKeep(options: CacheOptions, { tokens, zones }: Controller): void {
  const { zones: cached, disable } = options;
  for (const { name } of options.keep ?? []) {
    const inOne = (all: readonly string[]) => all.some((zone) => isWithin(name, zone));
    if (!inOne(cached) || !inOne(zones)) {
      const own = cached.slice(0, 5).join(", ");
      throw tokens.error(
        `keep: ${
          quote(name)
        } is outside the zones of this cache, ${own} (name it in its own block)`,
      );
    }
    for (const store of ["success", "denial"] as const) {
      if (!inOne(disable[store])) continue;
      throw tokens.error(
        `keep: ${quote(name)} is not stored because of "disable ${store}" (remove one of them)`,
      );
    }
  }
}

/** `api.example.org. (A, AAAA)`. */
export function describeKeep({ name, types }: PinnedName): string {
  return `${name} (${types.map(typeText).join(", ")})`;
}

/** Reports names that another server block answers. */
export function answeredElsewhere(
  { keep = [], searchCut = [] }: CacheOptions,
  block: BlockConfig,
  { blocks, listeners }: Config,
): string[] {
  const own = blocks.indexOf(block);
  const served = listeners.filter(({ zones }) => zones.some((zone) => zone.block === own));
  const names = [
    ...keep.map(({ name }) => ["keep", name] as const),
    ...searchCut.map((zone) => ["search_cut", zone] as const),
  ];
  return names.flatMap(([option, name]) => {
    for (const { zones } of served) {
      const [best] = zones.filter(({ zone }) => isWithin(name, zone))
        .toSorted((a, b) => b.zone.length - a.zone.length);
      if (best === undefined || best.block === own) continue;
      const what = `${option}: ${quote(name)} is answered by the server block of ${best.zone}`;
      return [`${what}, so it has no effect here (move it there)`];
    }
    return [];
  });
}
