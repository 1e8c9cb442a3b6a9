import { TYPE } from "../../dns/constants.ts";
import { formatName, parseName } from "../../dns/name.ts";
import type { MessageRecord } from "../../engine/response/records.ts";

/** Null leaves the name unchanged. */
export type MapName = (name: string) => string | null;

/** Types with a name that `answer value` changes, except NAPTR and SOA. */
const NAME_AT = new Map<number, number>([
  [TYPE.CNAME, 0],
  [TYPE.DNAME, 0],
  [TYPE.NS, 0],
  [TYPE.PTR, 0],
  [TYPE.MX, 2],
  [TYPE.SRV, 6],
  [TYPE.SOA, 0],
]);

/** Ignores results that are not names. */
export function mapOwner(record: MessageRecord, map: MapName): void {
  record.owner = mapName(record.owner, map) ?? record.owner;
}

/** A target, or an SOA's primary server. */
export function mapValue(record: MessageRecord, map: MapName): void {
  const { type, data } = record;
  const at = type === TYPE.NAPTR ? naptrNameAt(data) : NAME_AT.get(type);
  if (at === undefined) return;
  const before = data.subarray(at, nameEnd(data, at));
  const after = mapName(before, map);
  if (after === null) return;
  const rest = data.subarray(at + before.length);
  record.data = Uint8Array.from([...data.subarray(0, at), ...after, ...rest]);
}

/** Lower case; null without an alias. */
export function aliasTarget({ type, data }: MessageRecord): string | null {
  return type === TYPE.CNAME ? formatName(data).toLowerCase() : null;
}

function mapName(name: Uint8Array, map: MapName): Uint8Array | null {
  const text = map(formatName(name).toLowerCase());
  if (text === null) return null;
  try {
    return parseName(text);
  } catch {
    return null;
  }
}

function nameEnd(data: Uint8Array, at: number): number {
  let next = at;
  while (data[next]! > 0) next += data[next]! + 1;
  return next + 1;
}

/** Order, preference and three strings precede it (RFC 3403 section 4.1). */
function naptrNameAt(data: Uint8Array): number {
  let at = 4;
  for (let i = 0; i < 3; i++) at += data[at]! + 1;
  return at;
}
