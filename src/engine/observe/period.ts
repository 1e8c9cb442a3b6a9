import { Address } from "../../dns/address.ts";
import { rawName } from "./raw_name.ts";
import type { ListCount, ListName } from "./requests.ts";
import { ADDRESS_SIZE, NAME_SIZE } from "./sighting.ts";
import { Sketch } from "./sketch.ts";
import { SlowList } from "./slow_list.ts";

const MAX_REASON = 200;

/** A period's most frequent. */
export class Period {
  readonly names = new Sketch(NAME_SIZE);
  /** Tag: family. */
  readonly clients = new Sketch(ADDRESS_SIZE);
  readonly zones = new Sketch(NAME_SIZE);
  /** Tag: `failureTag`; note: the reason. */
  readonly failures = new Sketch(NAME_SIZE, true);
  readonly slow = new SlowList();

  get sizeBytes(): number {
    const { names, clients, zones, failures, slow } = this;
    return [names, clients, zones, failures, slow].reduce((sum, one) => sum + one.sizeBytes, 0);
  }

  merge(from: Period): void {
    this.names.merge(from.names);
    this.clients.merge(from.clients);
    this.zones.merge(from.zones);
    this.failures.merge(from.failures);
    this.slow.merge(from.slow);
  }

  clear(): void {
    this.names.clear();
    this.clients.clear();
    this.zones.clear();
    this.failures.clear();
    this.slow.clear();
  }

  counts(list: Exclude<ListName, "slow">): ListCount[] {
    const sketch = this[list];
    return Array.from({ length: sketch.size }, (_, i) => {
      const tag = sketch.tag(i);
      sketch.key(i, key);
      return {
        text: list === "clients" ? addressText(tag) : rawName(key),
        qtype: list === "names" ? tag : list === "failures" ? tag >>> 16 : 0,
        rcode: list === "failures" ? (tag << 16) >> 16 : 0,
        count: sketch.count(i),
        error: sketch.error(i),
        reason: sketch.note(i).slice(0, MAX_REASON),
      };
    });
  }
}

/** An rcode has at most twelve bits, or is -1. */
export function failureTag(qtype: number, rcode: number): number {
  return (qtype << 16) | (rcode & 0xffff);
}

const key = new Uint8Array(NAME_SIZE);
const address = new Address();

function addressText(family: number): string {
  address.family = family === 4 ? 4 : 6;
  address.bytes.set(key.subarray(0, ADDRESS_SIZE));
  return address.hostname();
}
