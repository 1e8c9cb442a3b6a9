import { quote } from "../../../corefile/quote.ts";
import { typeNumber } from "../../../dns/mnemonics.ts";
import { normalizeZone } from "../../../dns/zone.ts";
import { type CompanionServices, type Plane, usesOf } from "../../companion.ts";
import { type VerbCall, VerbError } from "../../verbs.ts";
import type { EntryChoice } from "../flush/entry_filter.ts";
import type { AddressedRequest, OperatorRequest } from "../operator/requests.ts";
import type { CacheOptions } from "../options.ts";
import type { CacheDirective } from "./persisted_cache.ts";
import type { Persistence } from "./persistence.ts";

/** A data plane answers between batches, and is dead after 5 s. */
const ASK_MS = 2000;
/** In a refusal. */
const MAX_NAMED = 10;

/** Environment of the verbs. */
export interface VerbServices {
  readonly planes: CompanionServices["planes"];
  readonly persistence: Persistence;
}

/** All, or of the blocks that serve `block`. */
export function cachesFor({ config, parameters }: VerbCall): CacheDirective[] {
  const all = usesOf<CacheOptions>(config, "cache");
  if (all.length === 0) {
    throw new VerbError("no server block has a cache (add cache to the Corefile)", 409);
  }
  const asked = parameters.get("block");
  if (asked === undefined) return all;
  const zone = readName(asked, "block");
  const found = all.filter(({ block }) => config.blocks[block]!.zones.includes(zone));
  if (found.length > 0) return found;
  const zones = all.map(({ zones }) => zones.join(" ")).slice(0, MAX_NAMED).join("; ");
  throw new VerbError(
    `no server block with a cache serves ${zone} (those with one: ${zones})`,
    404,
  );
}

/** Throws `VerbError`. */
export function readName(text: string, parameter: string): string {
  try {
    return normalizeZone(text);
  } catch (error) {
    throw new VerbError(`${parameter}: ${(error as Error).message}`);
  }
}

/** -1 for none. Throws `VerbError`. */
export function readType(text: string | undefined): number {
  if (text === undefined) return -1;
  const type = typeNumber(text);
  if (type === null) throw new VerbError(`type ${quote(text)} is unknown (A, AAAA, TYPE65280)`);
  return type;
}

/** A name's entries. */
export function ofName(name: string, type: string | undefined): EntryChoice {
  return { name: readName(name, "name"), below: false, type: readType(type) };
}

/** A zone's entries. */
export function ofZone(zone: string, type: string | undefined): EntryChoice {
  return { name: readName(zone, "zone"), below: true, type: readType(type) };
}

/** Throws `VerbError` without an answer, or after a reload. */
export async function askCache<R extends object>(
  plane: Plane,
  { block, position, zones }: CacheDirective,
  operatorRequest: OperatorRequest,
  member: keyof R & string,
): Promise<R> {
  let reply: unknown;
  const request: AddressedRequest = { ...operatorRequest, zones };
  try {
    reply = await plane.ask({ block, position, request }, ASK_MS);
  } catch (error) {
    throw new VerbError(`${(error as Error).message}; ask again`, 503);
  }
  if (typeof reply === "object" && reply !== null && member in reply) return reply as R;
  throw new VerbError("the configuration has just changed; ask again", 503);
}
