import type { VerbCall } from "../../verbs.ts";
import { VerbError } from "../../verbs.ts";
import { ENTRY_SLICE_SIZE, readEntries } from "../operator/entry_slice.ts";
import { type EntryChoice, EVERYTHING } from "../flush/entry_filter.ts";
import { type ReadReply, SCAN_START, type ScanCursor } from "../operator/requests.ts";
import { type CacheEntry, describeEntry } from "./describe_entry.ts";
import { askCache, cachesFor, ofName, ofZone, type VerbServices } from "./verb_targets.ts";

/** Entries of a name. */
export function lookup(call: VerbCall, services: VerbServices): AsyncIterable<CacheEntry> {
  const name = call.parameters.get("name");
  if (name === undefined) throw new VerbError("lookup needs a name");
  return list(call, services, ofName(name, call.parameters.get("type")));
}

/** Entries of a zone, or all. */
export function dump(call: VerbCall, services: VerbServices): AsyncIterable<CacheEntry> {
  const zone = call.parameters.get("zone");
  return list(call, services, zone === undefined ? EVERYTHING : ofZone(zone, undefined));
}

/** Of formatting, on a core that the data plane may need. */
const BURST_MS = 0.3;
const PAUSE_MS = 1;

function list(
  call: VerbCall,
  { planes }: VerbServices,
  choice: EntryChoice,
): AsyncGenerator<CacheEntry> {
  const caches = cachesFor(call);
  return (async function* () {
    const memory = new SharedArrayBuffer(ENTRY_SLICE_SIZE);
    let burstMs = performance.now();
    for (const [plane, one] of planes.entries()) {
      for (const cache of caches) {
        // A slow reader holds nothing up.
        for (let from: ScanCursor | null = SCAN_START; from !== null;) {
          if (call.gone.aborted) return;
          const request = { type: "read", choice, from, memory } as const;
          const reply: ReadReply = await askCache(one, cache, request, "upstreams");
          const bytes = new Uint8Array(reply.sizeBytes);
          bytes.set(new Uint8Array(memory, 0, reply.sizeBytes));
          for (const entry of readEntries(bytes)) {
            const upstream = reply.upstreams[entry.upstream] ?? "";
            yield {
              block: cache.zones.join(" "),
              ...planes.length > 1 && { plane },
              ...describeEntry(entry, { upstream, options: cache.options }),
            };
            if (call.gone.aborted) return;
            if (performance.now() - burstMs < BURST_MS) continue;
            await new Promise((wake) => setTimeout(wake, PAUSE_MS));
            burstMs = performance.now();
          }
          from = reply.next;
        }
      }
    }
  })();
}
