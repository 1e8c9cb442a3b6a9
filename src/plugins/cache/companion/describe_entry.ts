import { formatIPv6 } from "../../../dns/address.ts";
import { SUBNET } from "../../../dns/client_subnet.ts";
import { FLAG } from "../../../dns/constants.ts";
import { classText, rcodeText, typeText } from "../../../dns/mnemonics.ts";
import { anyDataText, MAX_RECORDS_TEXT } from "../../../dns/record_text/data_text.ts";
import { WireReader } from "../../../dns/wire_reader.ts";
import { SLICED_PINNED, type SlicedEntry } from "../operator/entry_slice.ts";
import type { CacheOptions } from "../options.ts";
import { scopeOf, SUBNET_HEAD } from "../store/entries.ts";
import * as ROW from "../store/row.ts";

/** A record in presentation format. */
export interface EntryRecord {
  readonly section: "answer" | "authority" | "additional";
  readonly name: string;
  /** 0: stale. */
  readonly ttlSeconds: number;
  readonly class: string;
  readonly type: string;
  readonly data: string;
}

/** Members are absent if they do not apply. */
export interface CacheEntry {
  /** Of its server block. */
  readonly block: string;
  /** If there are several. */
  readonly plane?: number;
  readonly name: string;
  readonly class: string;
  readonly type: string;
  readonly kind: SlicedEntry["kind"];
  readonly rcode: string;
  readonly stale: boolean;
  readonly ttlSeconds: number;
  readonly ageSeconds: number;
  /** From now; longer than the TTL with `serve_stale`. */
  readonly servedForSeconds: number;
  /** By `keep`, without a limit of time. */
  readonly pinned?: true;
  /** Queries without a gap (`prefetch`). */
  readonly hits?: number;
  /** For eviction; at most 3. */
  readonly uses: number;
  readonly upstream?: string;
  /** For queries with DO. */
  readonly dnssecOk: boolean;
  /** For queries with CD. */
  readonly checkingDisabled: boolean;
  /** Clients' network, or "all". */
  readonly subnet?: string;
  /** For clients. */
  readonly scope?: number;
  /** Until a refresh may begin. */
  readonly pauseSeconds?: number;
  readonly error?: { readonly code: number; readonly text: string };
  readonly records: readonly EntryRecord[];
  /** Beyond `MAX_RECORDS_TEXT`. */
  readonly omittedRecords?: number;
}

/** Describes an entry for operators. */
export function describeEntry(
  entry: SlicedEntry,
  { upstream, options }: { upstream: string; options: CacheOptions },
): Omit<CacheEntry, "block" | "plane"> {
  const { kind, state, hits, ageTenths, pauseTenths, error, errorText: text } = entry;
  const reader = new WireReader(entry.message, 2);
  const rcode = reader.u16() & FLAG.RCODE;
  reader.u16();
  const counts = [reader.u16(), reader.u16(), reader.u16()] as const;
  const [name, type, qclass] = [reader.name(), reader.u16(), reader.u16()];
  const remaining = entry.ttlSeconds - Math.floor(ageTenths / 10);
  const stale = remaining <= 0;
  const ttlSeconds = Math.max(0, remaining);
  const staleSeconds = kind === "denial" || (kind === "answer" && counts[0] > 0)
    ? Math.floor((options.serveStale?.durationMs ?? 0) / 1000)
    : 0;
  return {
    name,
    class: classText(qclass),
    type: typeText(type),
    kind,
    rcode: rcodeText(rcode),
    stale,
    ttlSeconds,
    ageSeconds: Math.floor(ageTenths / 10),
    servedForSeconds: Math.max(0, remaining + staleSeconds),
    ...(state & SLICED_PINNED) !== 0 && { pinned: true as const },
    ...options.prefetch.amount > 0 && { hits },
    uses: (state & ROW.USES) >> ROW.USES_SHIFT,
    ...upstream !== "" && { upstream },
    dnssecOk: (state & ROW.DO) !== 0,
    checkingDisabled: (state & ROW.CD) !== 0,
    ...subnetOf(entry.subnet),
    ...pauseTenths > 0 && { pauseSeconds: pauseTenths / 10 },
    ...error >= 0 && { error: { code: error, text } },
    ...readRecords(reader, counts, ttlSeconds),
  };
}

function readRecords(
  reader: WireReader,
  counts: readonly number[],
  ttlSeconds: number,
): Pick<CacheEntry, "records" | "omittedRecords"> {
  const records: EntryRecord[] = [];
  let size = 0;
  try {
    for (const [i, section] of (["answer", "authority", "additional"] as const).entries()) {
      for (let left = counts[i]!; left > 0; left--) {
        if (size >= MAX_RECORDS_TEXT) {
          const all = counts.reduce((sum, count) => sum + count);
          return { records, omittedRecords: all - records.length };
        }
        const record = readRecord(reader, section, ttlSeconds);
        size += record.name.length + record.data.length;
        records.push(record);
      }
    }
  } catch (error) {
    // Messages were checked; an unreadable one must not end a dump.
    if (!(error instanceof RangeError)) throw error;
  }
  return { records };
}

function readRecord(
  reader: WireReader,
  section: EntryRecord["section"],
  ttlSeconds: number,
): EntryRecord {
  const name = reader.name();
  const [type, qclass] = [reader.u16(), reader.u16()];
  reader.u32();
  const data = reader.part(reader.u16());
  return {
    section,
    name,
    ttlSeconds,
    class: classText(qclass),
    type: typeText(type),
    data: anyDataText(type, data),
  };
}

function subnetOf(subnet: Uint8Array): { subnet?: string; scope?: number } {
  if (subnet.length === 0) return {};
  const sent = scopeOf(subnet[1]!);
  const scope = sent < 0 ? {} : { scope: sent };
  if (subnet.length === SUBNET_HEAD) return { subnet: "all", ...scope };
  const network = subnet.subarray(SUBNET_HEAD);
  const octets = new Uint8Array(network[SUBNET.FAMILY + 1] === 1 ? 4 : 16);
  octets.set(network.subarray(SUBNET.ADDRESS));
  const address = octets.length === 4 ? octets.join(".") : formatIPv6(octets);
  return { subnet: `${address}/${network[SUBNET.SOURCE]}`, ...scope };
}
