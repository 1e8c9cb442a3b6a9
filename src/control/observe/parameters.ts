import { parseAddress } from "../../dns/address.ts";
import { rcodeNumber } from "../../dns/mnemonics.ts";
import { parseName } from "../../dns/name.ts";
import type { WatchFilter } from "../../engine/observe/requests.ts";
import { VerbError } from "../../plugins/verbs.ts";
import { DEFAULT_TOP, TOP_LISTS, TOP_SPANS, type TopQuery } from "./top_snapshot.ts";

const MAX_ENTRIES = 100;
const MAX_SLOW_MS = 60_000;
const MAX_SAMPLE = 1_000_000;

type Parameters = ReadonlyMap<string, string>;

/** Reads parameters of `top`. Throws `VerbError`. */
export function readTopQuery(parameters: Parameters): TopQuery {
  const by = parameters.get("by");
  return {
    lists: by === undefined ? DEFAULT_TOP.lists : [readChoice("by", by, TOP_LISTS)],
    n: readNumber(parameters, "n", { fallback: DEFAULT_TOP.n, min: 1, max: MAX_ENTRIES }),
    span: readChoice("span", parameters.get("span") ?? DEFAULT_TOP.span, TOP_SPANS),
  };
}

/** Reads parameters of `watch`. Throws `VerbError`. */
export function readFilter(parameters: Parameters): WatchFilter {
  return {
    client: readNetwork(parameters.get("client")),
    zone: readZone(parameters.get("name")),
    rcodes: [...new Set((parameters.get("rcode")?.split(",") ?? []).map(readRcode))],
    slowMs: readNumber(parameters, "slow", { fallback: 0, min: 0, max: MAX_SLOW_MS }),
    sample: readNumber(parameters, "sample", { fallback: 1, min: 1, max: MAX_SAMPLE }),
  };
}

function readChoice<T extends string>(name: string, value: string, known: readonly T[]): T {
  const found = known.find((one) => one === value);
  if (found !== undefined) return found;
  throw new VerbError(`${name} is ${JSON.stringify(value)}; write one of ${known.join(", ")}`);
}

function readNumber(
  parameters: Parameters,
  name: string,
  { fallback, min, max }: { fallback: number; min: number; max: number },
): number {
  const text = parameters.get(name);
  if (text === undefined) return fallback;
  const value = Number(text);
  if (/^[0-9]{1,9}$/.test(text) && value >= min && value <= max) return value;
  throw new VerbError(
    `${name} is ${JSON.stringify(text)}; write a whole number from ${min} to ${max}`,
  );
}

function readRcode(text: string): number {
  if (text === "none") return -1;
  const rcode = rcodeNumber(text);
  if (rcode !== null) return rcode;
  throw new VerbError(
    `rcode is ${JSON.stringify(text)}; write names like SERVFAIL,NXDOMAIN, or none`,
  );
}

function readNetwork(text: string | undefined): WatchFilter["client"] {
  if (text === undefined) return null;
  const [host, length, ...rest] = text.split("/");
  const bytes = parseAddress(host!);
  const bits = bytes === null ? 0 : 8 * bytes.length;
  const prefix = length === undefined ? bits : /^[0-9]{1,3}$/.test(length) ? Number(length) : -1;
  if (bytes === null || prefix < 0 || prefix > bits || rest.length > 0) {
    throw new VerbError(
      `client is ${JSON.stringify(text)}; write an address or a network like 10.0.0.0/8`,
    );
  }
  return { address: [...bytes], prefix };
}

function readZone(text: string | undefined): string | null {
  if (text === undefined) return null;
  // Lower case may take more octets.
  const name = text.toLowerCase();
  try {
    parseName(name);
    return name;
  } catch (error) {
    throw new VerbError((error as Error).message);
  }
}
