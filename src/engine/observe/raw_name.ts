import { formatName } from "../../dns/name.ts";

/** A wire-form name, a character per octet: data planes must not format. */
export function rawName(bytes: Uint8Array, at = 0): string {
  let end = at;
  while (bytes[end] !== 0) end += bytes[end]! + 1;
  return String.fromCharCode(...bytes.subarray(at, end + 1));
}

/** Presentation format of a `rawName`. */
export function rawNameText(raw: string): string {
  return formatName(Uint8Array.from(raw, (octet) => octet.charCodeAt(0)));
}
