import { addressOctets, octetsOf, type Word } from "./words.ts";

/** Names by number (RFC 9460 section 14.3.2, RFC 9461, RFC 9540). */
export const SERVICE_KEYS: readonly string[] =
  "mandatory alpn no-default-alpn port ipv4hint ech ipv6hint dohpath ohttp".split(" ");

/** SVCB or HTTPS parameters (RFC 9460 section 2). Throws `SyntaxError`. */
export function readServiceParameters(words: readonly Word[]): number[] {
  const parameters = new Map<number, number[]>();
  for (let i = 0; i < words.length; i++) {
    const [, name = "", equals, plain = ""] = /^([^=]*)(=?)([^]*)$/.exec(words[i]!.text)!;
    const quoted = equals === "=" && plain === "" && words[i + 1]?.quoted === true;
    const value = quoted ? words[++i]! : { text: plain, quoted: false };
    const key = keyNumber(name);
    if (parameters.has(key)) throw new SyntaxError(`${name} is there twice`);
    parameters.set(key, readValue(name, value));
  }
  return [...parameters].sort(([a], [b]) => a - b)
    .flatMap(([key, value]) => [...uint16(key), ...uint16(value.length), ...value]);
}

function keyNumber(name: string): number {
  const index = SERVICE_KEYS.indexOf(name);
  if (index >= 0) return index;
  const number = /^key([0-9]{1,5})$/.exec(name);
  if (number === null || Number(number[1]) > 0xffff) {
    throw new SyntaxError(`${name} is not a service parameter`);
  }
  return Number(number[1]);
}

function readValue(name: string, value: Word): number[] {
  const items = () => value.text.split(/(?<!\\),/);
  switch (name) {
    case "mandatory":
      return items().map(keyNumber).sort((a, b) => a - b).flatMap(uint16);
    case "alpn":
      return items().flatMap((text) => {
        const octets = octetsOf({ text: text.replace(/\\,/g, ","), quoted: false });
        if (octets.length === 0 || octets.length > 255) throw new SyntaxError(`alpn ${text}`);
        return [octets.length, ...octets];
      });
    case "no-default-alpn":
    case "ohttp":
      if (value.text !== "") throw new SyntaxError(`${name} has no value`);
      return [];
    case "port":
      if (!/^[0-9]+$/.test(value.text) || Number(value.text) > 0xffff) {
        throw new SyntaxError(`port ${value.text} is not a port number`);
      }
      return uint16(Number(value.text));
    case "ipv4hint":
    case "ipv6hint": {
      const family = name === "ipv4hint" ? 4 : 6;
      return items().flatMap((text) => [...addressOctets(text, family)]);
    }
    case "ech":
      try {
        return [...Uint8Array.fromBase64(value.text)];
      } catch {
        throw new SyntaxError("ech is not in base 64");
      }
    default:
      return [...octetsOf(value)];
  }
}

function uint16(value: number): number[] {
  return [value >> 8, value & 0xff];
}
