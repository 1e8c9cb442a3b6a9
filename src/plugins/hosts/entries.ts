import { parseAddress } from "../../dns/address.ts";
import { MAX_NAME_SIZE } from "../../dns/constants.ts";
import { formatName, parseName } from "../../dns/name.ts";

/** What a hosts file says about one name. */
export interface HostsEntry {
  /** Lower-case wire form. */
  readonly name: Uint8Array;
  v4: readonly Uint8Array[];
  v6: readonly Uint8Array[];
  /** Names that the address of a reverse look-up has. */
  names: readonly Uint8Array[];
}

/** What entries are read from. */
export interface HostsSource {
  /** Lines of a hosts file: address, then names. */
  text: string;
  /** Zones in which names are taken, normalised. */
  zones: readonly string[];
  /** Also make the entries of reverse look-ups. */
  autoReverse: boolean;
}

/**
 * Most addresses or names of one entry; what comes after is left out, since no message holds more.
 * Block lists give one address to a hundred thousand names.
 */
const MAX_PER_ENTRY = 4096;

/** Shared by all entries that have none, which is most of the three lists. */
const NOTHING: readonly Uint8Array[] = [];

/** Names that hold nothing to escape; their lower-case text identifies them. */
const PLAIN = /^[A-Za-z0-9_*-]{1,63}(?:\.[A-Za-z0-9_*-]{1,63})*\.?$/;

/** Reads a hosts file; lines and names that make no sense are passed over, as CoreDNS does. */
export function readHostsEntries(source: HostsSource): Iterable<HostsEntry> {
  const everywhere = source.zones.includes(".");
  const zones = source.zones.map((zone) => parseName(zone));
  const entries = new Map<string, HostsEntry>();
  // Block lists name one address again and again.
  let lastText = "";
  let lastAddress: Uint8Array | null = null;
  let lastReverse: HostsEntry | null = null;
  for (const whole of source.text.split("\n")) {
    const comment = whole.indexOf("#");
    const line = (comment < 0 ? whole : whole.slice(0, comment)).trim();
    if (line === "") continue;
    const [text, ...words] = line.split(/\s+/);
    if (text !== lastText) {
      lastText = text!;
      lastAddress = readAddress(lastText);
      lastReverse = null;
    }
    if (lastAddress === null) continue;
    for (const word of words) {
      const text = canonical(word);
      if (text === null) continue;
      const known = entries.get(text);
      const name = known?.name ?? wireOf(text);
      if (name === null) continue;
      if (!everywhere && !zones.some((zone) => isIn(name, zone))) continue;
      const entry = known ?? addEntry(entries, text, name);
      if (lastAddress.length === 4) entry.v4 = append(entry.v4, lastAddress);
      else entry.v6 = append(entry.v6, lastAddress);
      if (!source.autoReverse || text.startsWith("*.")) continue;
      if (lastReverse === null) {
        const reverse = reverseName(lastAddress);
        lastReverse = entries.get(reverse) ?? addEntry(entries, reverse, wireOf(reverse)!);
      }
      lastReverse.names = append(lastReverse.names, name);
    }
  }
  return entries.values();
}

function addEntry(entries: Map<string, HostsEntry>, text: string, name: Uint8Array): HostsEntry {
  const entry = { name, v4: NOTHING, v6: NOTHING, names: NOTHING };
  entries.set(text, entry);
  return entry;
}

function append(list: readonly Uint8Array[], item: Uint8Array): readonly Uint8Array[] {
  if (list === NOTHING) return [item];
  if (list.length < MAX_PER_ENTRY) (list as Uint8Array[]).push(item);
  return list;
}

/** Four or sixteen bytes; scopes do not count, and mapped IPv4 addresses are what they map. */
function readAddress(text: string): Uint8Array | null {
  const bytes = parseAddress(text.split("%")[0]!);
  if (bytes === null || bytes.length === 4) return bytes;
  const mapped = bytes.every((octet, i) => i > 11 || octet === (i > 9 ? 0xff : 0));
  return mapped ? bytes.slice(12) : bytes;
}

/** The one text that stands for a name here: lower case, escaped, closing dot; null for no name. */
function canonical(text: string): string | null {
  if (PLAIN.test(text)) {
    const lower = text.toLowerCase();
    return lower.endsWith(".") ? lower : `${lower}.`;
  }
  try {
    // Letters beyond ASCII are octets to DNS and stay as they are.
    return formatName(parseName(text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())));
  } catch {
    return null;
  }
}

/** Wire form of a canonical name; null where it is too long. */
function wireOf(text: string): Uint8Array | null {
  if (text === "." || text.includes("\\")) return parseName(text);
  if (text.length >= MAX_NAME_SIZE) return null;
  const name = new Uint8Array(text.length + 1);
  let lengthAt = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x2e) {
      name[lengthAt] = i - lengthAt;
      lengthAt = i + 1;
    } else {
      name[i + 1] = code;
    }
  }
  return name;
}

function isIn(name: Uint8Array, zone: Uint8Array): boolean {
  let at = 0;
  while (name.length - at > zone.length) at += name[at]! + 1;
  if (name.length - at !== zone.length) return false;
  for (let i = 0; i < zone.length; i++) if (name[at + i] !== zone[i]) return false;
  return true;
}

function reverseName(address: Uint8Array): string {
  const reversed = [...address].reverse();
  if (address.length === 4) return `${reversed.join(".")}.in-addr.arpa.`;
  const digits = reversed.flatMap((octet) => [octet & 15, octet >> 4]);
  return `${digits.map((digit) => digit.toString(16)).join(".")}.ip6.arpa.`;
}
