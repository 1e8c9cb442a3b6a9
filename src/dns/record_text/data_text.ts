import { formatIPv6 } from "../address.ts";
import { typeText } from "../mnemonics.ts";
import { SERVICE_KEYS } from "./service_parameters.ts";
import type { WireReader } from "../wire_reader.ts";

/**
 * For operators; most answers are far shorter. Names of 255 octets take a thousand characters and
 * two octets: 64 KiB would be 10 MB.
 */
export const MAX_RECORDS_TEXT = 131_072;

/** Unlisted types: RFC 3597 section 5. */
const FORMATS: Readonly<Record<string, string>> = {
  A: "ipv4",
  AAAA: "ipv6",
  CNAME: "name",
  DNAME: "name",
  NS: "name",
  PTR: "name",
  CAA: "u8 tag text",
  DNSKEY: "u16 u8 u8 base64",
  DS: "u16 u8 u8 hex",
  HINFO: "string string",
  HTTPS: "u16 name parameters",
  MX: "u16 name",
  NAPTR: "u16 u16 string string string name",
  NSEC: "name types",
  NSEC3: "u8 u8 u16 salt hash types",
  RP: "name name",
  RRSIG: "type u8 u8 u32 time time u16 name base64",
  SOA: "name name u32 u32 u32 u32 u32",
  SRV: "u16 u16 u16 name",
  SSHFP: "u8 u8 hex",
  SVCB: "u16 name parameters",
  TLSA: "u8 u8 u8 hex",
  TXT: "strings",
};

/** Without a length, reads to the end. */
const FIELDS: Readonly<Record<string, (data: WireReader) => string>> = {
  u8: (data) => String(data.u8()),
  u16: (data) => String(data.u16()),
  u32: (data) => String(data.u32()),
  ipv4: (data) => data.octets(4).join("."),
  ipv6: (data) => formatIPv6(data.octets(16)),
  name: (data) => data.name(),
  type: (data) => typeText(data.u16()),
  types: (data) => typesText(data),
  /** RFC 4034 section 3.2. */
  time: (data) => timeText(data.u32()),
  tag: (data) => quoted(data.octets(data.u8())).slice(1, -1),
  text: (data) => quoted(data.octets()),
  string: (data) => quoted(data.octets(data.u8())),
  strings: (data) => repeated(data, () => quoted(data.octets(data.u8()))).join(" "),
  hex: (data) => hexText(data.octets()),
  base64: (data) => grouped(data.octets().toBase64()),
  salt: (data) => hexText(data.octets(data.u8())) || "-",
  hash: (data) => base32Text(data.octets(data.u8())),
  parameters: (data) => repeated(data, () => parameterText(data)).join(" "),
};

/** Throws `RangeError`. */
export function rdataText(type: number, data: WireReader): string {
  const name = typeText(type);
  const format = Object.hasOwn(FORMATS, name) ? FORMATS[name]! : null;
  if (format === null || data.left === 0) return unknownText(data);
  const start = data.at;
  try {
    const words = format.split(" ").map((field) => FIELDS[field]!(data));
    if (data.left > 0) throw new RangeError(`${data.left} bytes behind data at byte ${start}`);
    return words.filter((word) => word !== "").join(" ");
  } catch (error) {
    if (!format.endsWith("parameters")) throw error;
    data.at = start;
    return unknownText(data);
  }
}

/** As `rdataText`; malformed data as of an unknown type. */
export function anyDataText(type: number, data: WireReader): string {
  const { at } = data;
  try {
    return rdataText(type, data);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    data.at = at;
    return unknownText(data);
  }
}

/** RFC 1035 section 5.1. */
export function quoted(octets: Uint8Array): string {
  const text = Array.from(octets, (octet) => {
    if (octet < 0x20 || octet > 0x7e) return `\\${String(octet).padStart(3, "0")}`;
    return octet === 0x22 || octet === 0x5c
      ? `\\${String.fromCharCode(octet)}`
      : String.fromCharCode(octet);
  });
  return `"${text.join("")}"`;
}

/** `YYYYMMDDHHmmSS` in UTC. */
function timeText(seconds: number): string {
  const time = seconds % 86_400;
  // Days since a first of March, so that leap days end years (Hinnant's days_from_civil).
  const day = (seconds - time) / 86_400 + 719_468;
  const era = Math.floor(day / 146_097);
  const ofEra = day - era * 146_097;
  const year = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) /
      365,
  );
  const ofYear = ofEra - (365 * year + Math.floor(year / 4) - Math.floor(year / 100));
  const march = Math.floor((5 * ofYear + 2) / 153);
  const month = march < 10 ? march + 3 : march - 9;
  const parts = [
    month,
    ofYear - Math.floor((153 * march + 2) / 5) + 1,
    Math.floor(time / 3600),
    Math.floor(time / 60) % 60,
    time % 60,
  ];
  const civil = year + era * 400 + (month <= 2 ? 1 : 0);
  return `${civil}${parts.map((part) => String(part).padStart(2, "0")).join("")}`;
}

/** RFC 9460 section 2.1. */
function parameterText(data: WireReader): string {
  const key = keyText(data.u16());
  const value = data.part(data.u16());
  const list = (field: () => string) => `${key}=${repeated(value, field).join(",")}`;
  switch (key) {
    case "mandatory":
      return list(() => keyText(value.u16()));
    case "alpn": {
      // Commas are escaped twice (RFC 9460 appendix A.1).
      const names = repeated(value, () => FIELDS["tag"]!(value).replaceAll(",", "\\\\,"));
      return `alpn="${names.join(",")}"`;
    }
    case "port":
      if (value.left !== 2) throw new RangeError(`port of ${value.left} bytes`);
      return `port=${value.u16()}`;
    case "ipv4hint":
    case "ipv6hint":
      if (value.left === 0) throw new RangeError(`empty ${key}`);
      return list(() => FIELDS[key.slice(0, 4)]!(value));
    case "ech":
      return `ech=${value.octets().toBase64()}`;
    case "no-default-alpn":
    case "ohttp":
      if (value.left > 0) throw new RangeError(`${key} with a value`);
      return key;
    default:
      return value.left === 0 ? key : `${key}=${quoted(value.octets())}`;
  }
}

function keyText(key: number): string {
  return SERVICE_KEYS[key] ?? `key${key}`;
}

/** RFC 4034 section 4.1.2. Windows in order: each type once. */
function typesText(data: WireReader): string {
  let last = -1;
  const windows = repeated(data, () => {
    const [window, size] = [data.u8(), data.u8()];
    if (window <= last || size === 0 || size > 32) {
      throw new RangeError(`window ${window} of ${size} octets`);
    }
    last = window;
    const first = window * 256;
    return [...bitsText(data.octets(size))].flatMap((bit, i) =>
      bit === "1" ? [typeText(first + i)] : []
    );
  });
  return windows.flat().join(" ");
}

function repeated<T>(data: WireReader, field: () => T): T[] {
  const found: T[] = [];
  while (data.left > 0) found.push(field());
  return found;
}

/** RFC 3597 section 5. */
function unknownText(data: WireReader): string {
  return `\\# ${data.left} ${hexText(data.octets())}`.trimEnd();
}

function hexText(octets: Uint8Array): string {
  return grouped(octets.toHex().toUpperCase());
}

/** RFC 4648 section 7. */
function base32Text(octets: Uint8Array): string {
  return (bitsText(octets).match(/.{1,5}/g) ?? [])
    .map((five) => parseInt(five.padEnd(5, "0"), 2).toString(32).toUpperCase()).join("");
}

function bitsText(octets: Uint8Array): string {
  return Array.from(octets, (octet) => octet.toString(2).padStart(8, "0")).join("");
}

function grouped(text: string): string {
  return text.match(/.{1,56}/g)?.join(" ") ?? "";
}
