import assert from "node:assert/strict";
import { parseAddress } from "../../src/dns/address.ts";
import { parseName } from "../../src/dns/name.ts";
import { HashKey } from "../../src/engine/question/keyed_hash.ts";
import { MAX_PER_ENTRY, TableBuilder } from "../../src/plugins/hosts/builder.ts";
import { type ItemKind, itemSize, NAMES, V4, V6 } from "../../src/plugins/hosts/layout.ts";
import { boundOf, HostsLines } from "../../src/plugins/hosts/lines.ts";
import { HostsLookup } from "../../src/plugins/hosts/lookup.ts";
import { seeded } from "../support/run/random.ts";

const ADDRESSES = [
  ...`0.0.0.0 127.0.0.1 127.9.9.9 192.0.2.1 192.0.2.255 10.200.30.4 :: ::1 2001:db8::1 fe80::1%eth0
    ::ffff:192.0.2.1 ::ffff:127.0.0.1 2001:DB8:0:0:1:2:3:4 1::2:3:4:5:6:7 64:ff9b::192.0.2.1
    1:2:3:4:5:6:7:: 192.0.2.01 256.1.1.1 1.2.3 1.2.3.4.5 ::1:: :1 1: 12345:: 1:2:3:4:5:6:7:8:9
    192.0.2.1%x %eth0`.split(/\s+/),
  `${"0".repeat(70)}::1`,
];
const letters = [..."abcd"].map((letter) => letter.repeat(63)).join(".");
const NAMES_SEEN = [
  ...String
    .raw`a b.example.org B.Example.ORG. *.example.org \*.example.net * . .. a..b .a a\.b.c a\098c
    \1a\12.x\ \256 \065bc sub.zone.test zone.test xzone.test 1.2.0.192.in-addr.arpa`.split(/\s+/),
  ...[
    "caf\u00e9.example",
    "x".repeat(63),
    "x".repeat(64),
    letters.slice(0, 253),
    letters.slice(0, 254),
  ],
];
const BETWEEN = [" ", "  ", "\t", "\r", "\v", "\f", "\0", "#", "\\", "%", "\u00ff"];
const ENDS = ["\n", "\n", "\n", "\r\n", "\n\n", " # comment\n", "#", "\r", ""];
const ZONES: readonly (readonly string[])[] = [["."], ["."], ["zone.test.", "example.org."]];

/** Content of a hosts file; names in wire form, in hexadecimal. */
interface Model {
  entries: Map<string, string[][]>;
  items: number;
  lines: number;
  skippedLines: number;
  skippedNames: number;
  firstSkipped: number;
  leftOut: number;
}

/**
 * Builds tables of hosts files, some damaged, in pieces. Oracles: a table contains exactly what a
 * reader of strings and maps finds, in its order, within its bound; a smaller bound refuses it
 * whole.
 */
export function fuzzHosts(seed: number, iterations: number): { entries: number } {
  const dice = seeded(seed);
  let seen = 0;
  for (let i = 0; i < iterations; i++) {
    const where = `seed ${seed}, iteration ${i}`;
    const octets = randomFile(dice);
    const zones = ZONES[dice() % ZONES.length]!;
    const autoReverse = dice() % 3 > 0;
    const key = new HashKey(dice(), dice());
    const options = {
      zones,
      authoritative: [],
      autoReverse,
      key,
      maxBytes: boundOf(octets.length),
    };
    const builder = new TableBuilder(options);
    const lines = new HostsLines(builder);
    for (let at = 0; at < octets.length;) {
      const piece = octets.subarray(at, at + 1 + dice() % 100);
      lines.push(piece, piece.length);
      at += piece.length;
    }
    lines.end();
    const { leftOut, bytes, entries } = builder;
    const table = builder.finish();
    assert.ok(table !== null, where);
    assert.ok(table.byteLength <= bytes && bytes <= options.maxBytes, where);
    const lookup = new HostsLookup(table);
    const { entries: expected, ...counts } = modelOf(octets, { zones, autoReverse });
    assert.deepEqual(
      {
        items: lookup.items,
        lines: lines.count,
        skippedLines: lines.skippedLines,
        skippedNames: lines.skippedNames,
        firstSkipped: lines.firstSkipped,
        leftOut,
      },
      counts,
      where,
    );
    assert.equal(entries, expected.size, where);
    for (const [hex, lists] of expected) {
      const name = Uint8Array.fromHex(hex);
      assert.deepEqual(contentOf(lookup, name), lists, `${where}: ${hex}`);
      name[name.length > 1 ? 1 : 0]! ^= 0x80;
      if (!expected.has(name.toHex())) assert.equal(lookup.find(name, name.length), 0, where);
    }
    seen += expected.size;
    for (const left of [dice() % table.byteLength, 0]) {
      // As for a table that is freed in steps.
      table.resize(left & ~3);
      for (const [hex, lists] of expected) {
        const name = Uint8Array.fromHex(hex);
        if (lookup.find(name, name.length) === 0) continue;
        assert.ok(left > 0, where);
        assert.deepEqual(contentOf(lookup, name), lists, where);
      }
    }
    const small = new TableBuilder({ ...options, maxBytes: dice() % Math.max(1, bytes) });
    const again = new HostsLines(small);
    again.push(octets, octets.length);
    again.end();
    assert.equal(small.finish(), null, where);
  }
  return { entries: seen };
}

function randomFile(dice: () => number): Uint8Array {
  const pick = <T>(list: readonly T[]): T => list[dice() % list.length]!;
  let text = dice() % 8 === 0 ? "\u00ef\u00bb\u00bf".slice(0, 1 + dice() % 3) : "";
  for (let line = dice() % 30; line > 0; line--) {
    if (dice() % 20 > 0) text += pick(ADDRESSES);
    for (let names = dice() % 6; names > 0; names--) {
      text += pick(dice() % 9 === 0 ? BETWEEN : [" "]) + pick(NAMES_SEEN);
    }
    if (dice() % 100 === 0) text += " long.example".repeat(MAX_PER_ENTRY / 8);
    text += pick(ENDS);
  }
  const octets = Uint8Array.from(text, (character) => character.charCodeAt(0));
  for (let damage = dice() % 4; damage > 0 && octets.length > 0; damage--) {
    octets[dice() % octets.length] = dice() % 2 === 0 ? dice() & 0xff : 0x20 + dice() % 0x5f;
  }
  return octets;
}

/** Reads the file with strings, a map, and the parsers of the Corefile. */
function modelOf(
  octets: Uint8Array,
  { zones, autoReverse }: { zones: readonly string[]; autoReverse: boolean },
): Model {
  const model: Model = {
    entries: new Map(),
    items: 0,
    lines: 0,
    skippedLines: 0,
    skippedNames: 0,
    firstSkipped: 0,
    leftOut: 0,
  };
  let text = "";
  for (const octet of octets) text += String.fromCharCode(octet);
  if (text.startsWith("\u00ef\u00bb\u00bf")) text = text.slice(3);
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  model.lines = lines.length;
  const add = (name: Uint8Array, kind: ItemKind, value: string) => {
    const hex = name.toHex();
    const lists = model.entries.get(hex) ?? [[], [], []];
    model.entries.set(hex, lists);
    if (lists[kind]!.length >= MAX_PER_ENTRY) {
      model.leftOut++;
      return;
    }
    lists[kind]!.push(value);
    model.items++;
  };
  lines.forEach((line, index) => {
    const [first, ...names] = line.split("#")[0]!.split(/[\t\v\f\r ]+/).filter((word) =>
      word !== ""
    );
    if (first === undefined) return;
    const skipped = () => model.firstSkipped ||= index + 1;
    const address = unmapped(parseAddress(first.split("%")[0]!));
    if (address === null || names.length === 0) {
      model.skippedLines++;
      skipped();
      return;
    }
    for (const word of names) {
      const name = wireOf(word);
      if (name === null) {
        model.skippedNames++;
        skipped();
        continue;
      }
      const hex = name.toHex();
      if (!zones.some((zone) => isBelow(hex, zone))) continue;
      add(name, address.length === 4 ? V4 : V6, address.toHex());
      if (!autoReverse || hex.startsWith("012a") || leadsNowhere(address)) continue;
      add(parseName(reverseOf(address)), NAMES, hex);
    }
  });
  return model;
}

function contentOf(lookup: HostsLookup, name: Uint8Array): string[][] {
  const entry = lookup.find(name, name.length);
  assert.notEqual(entry, 0);
  const data = new Uint8Array(256);
  return ([V4, V6, NAMES] as const).map((kind) => {
    const found: string[] = [];
    for (let item = lookup.first(entry, kind); item !== 0; item = lookup.next(item)) {
      let length: number = itemSize(kind);
      if (kind === NAMES) length = lookup.copyName(item, data);
      else lookup.copyAddress(item, length, data);
      found.push(data.subarray(0, length).toHex());
    }
    return found;
  });
}

function wireOf(word: string): Uint8Array | null {
  const escaped = word.replace(
    /\\(?:[0-9]{3}|[^])|[\x80-\xff]/g,
    (unit) =>
      unit.charCodeAt(unit.length - 1) < 0x80 ? unit : `\\${unit.charCodeAt(unit.length - 1)}`,
  );
  try {
    return parseName(escaped).map((octet) => octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet);
  } catch {
    return null;
  }
}

function unmapped(address: Uint8Array | null): Uint8Array | null {
  return address !== null && address.toHex().startsWith(`${"0".repeat(20)}ffff`)
    ? address.slice(12)
    : address;
}

function leadsNowhere(address: Uint8Array): boolean {
  const hex = address.toHex();
  return address.length === 4
    ? hex === "00000000" || hex.startsWith("7f")
    : /^0{31}[01]$/.test(hex);
}

function reverseOf(address: Uint8Array): string {
  return address.length === 4
    ? `${[...address].reverse().join(".")}.in-addr.arpa.`
    : `${[...address.toHex()].reverse().join(".")}.ip6.arpa.`;
}

function isBelow(hex: string, zone: string): boolean {
  const end = parseName(zone).toHex();
  for (let at = 0; at < hex.length;) {
    if (hex.slice(at) === end) return true;
    at += 2 * (parseInt(hex.slice(at, at + 2), 16) + 1);
  }
  return false;
}
