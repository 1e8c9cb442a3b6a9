import { formatIPv6 } from "../../dns/address.ts";
import { formatName } from "../../dns/name.ts";
import { SERVICE_KEYS } from "../../dns/service_keys.ts";
import { base64Text, quoted } from "./text.ts";

/** Data of an SVCB or HTTPS record (RFC 9460 section 2.1), or null if it is malformed. */
export function svcbText(data: Uint8Array): string | null {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  let at = 2;
  while (at < data.length && data[at] !== 0 && data[at]! < 64) at += data[at]! + 1;
  if (data.length < 3 || data[at] !== 0) return null;
  let text = `${view.getUint16(0)} ${formatName(data, 2)}`;
  at++;
  while (at < data.length) {
    if (at + 4 > data.length) return null;
    const key = view.getUint16(at);
    const end = at + 4 + view.getUint16(at + 2);
    if (end > data.length) return null;
    const parameter = parameterText(key, data.subarray(at + 4, end));
    if (parameter === null) return null;
    text += ` ${parameter}`;
    at = end;
  }
  return text;
}

function parameterText(key: number, value: Uint8Array): string | null {
  const name = keyText(key);
  switch (name) {
    case "mandatory": {
      const keys = numbers(value);
      return keys === null ? null : `mandatory=${keys.map(keyText).join(",")}`;
    }
    case "alpn": {
      const names: string[] = [];
      for (let at = 0; at < value.length;) {
        const end = at + 1 + value[at]!;
        if (end > value.length) return null;
        // Commas within a name are escaped twice (RFC 9460 appendix A.1).
        names.push(quoted(value.subarray(at + 1, end)).slice(1, -1).replaceAll(",", "\\\\,"));
        at = end;
      }
      return `alpn="${names.join(",")}"`;
    }
    case "no-default-alpn":
      return value.length === 0 ? name : null;
    case "port":
      return value.length === 2 ? `port=${numbers(value)![0]}` : null;
    case "ipv4hint":
      return hints(name, value, 4);
    case "ipv6hint":
      return hints(name, value, 16);
    case "ech":
      return `ech=${base64Text(value).replaceAll(" ", "")}`;
    default:
      return value.length === 0 ? name : `${name}=${quoted(value)}`;
  }
}

function keyText(key: number): string {
  return SERVICE_KEYS[key] ?? `key${key}`;
}

function numbers(value: Uint8Array): number[] | null {
  if (value.length % 2 !== 0) return null;
  return Array.from(
    { length: value.length / 2 },
    (_, i) => (value[2 * i]! << 8) | value[2 * i + 1]!,
  );
}

function hints(name: string, value: Uint8Array, size: number): string | null {
  if (value.length === 0 || value.length % size !== 0) return null;
  const addresses: string[] = [];
  for (let at = 0; at < value.length; at += size) {
    const bytes = value.subarray(at, at + size);
    addresses.push(size === 4 ? bytes.join(".") : formatIPv6(bytes));
  }
  return `${name}=${addresses.join(",")}`;
}
