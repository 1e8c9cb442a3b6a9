/** Text of names, strings and bytes as master files have them (RFC 1035 section 5.1). */

const encoder = new TextEncoder();

/**
 * A name as dns-packet decodes it, with its closing dot and with what is special escaped.
 *
 * dns-packet joins labels with dots, so a dot within a label shows as another label.
 */
export function nameText(name: string): string {
  if (name === "." || name === "") return ".";
  return `${escape(name, '"();@$')}.`;
}

/** As `nameText` for the mailbox of an SOA, whose dots within labels are escaped already. */
export function mailboxText(name: string): string {
  return name.split("\\.").map((part) => nameText(part).slice(0, -1)).join("\\.") + ".";
}

/** A character string in quotation marks. */
export function quoted(value: string | Uint8Array): string {
  let text = '"';
  for (const octet of typeof value === "string" ? encoder.encode(value) : value) {
    if (octet < 0x20 || octet > 0x7e) text += `\\${String(octet).padStart(3, "0")}`;
    else if (octet === 0x22 || octet === 0x5c) text += `\\${String.fromCharCode(octet)}`;
    else text += String.fromCharCode(octet);
  }
  return `${text}"`;
}

/** Bytes as upper-case hexadecimal, in groups as dig writes them. */
export function hexText(bytes: Uint8Array): string {
  return grouped([...bytes].map((octet) => octet.toString(16).padStart(2, "0")).join(""))
    .toUpperCase();
}

/** Bytes as base64, in groups as dig writes them. */
export function base64Text(bytes: Uint8Array): string {
  return grouped(btoa(Array.from(bytes, (octet) => String.fromCharCode(octet)).join("")));
}

/** Bytes as base32 of the extended hexadecimal alphabet, unpadded (RFC 4648 section 7). */
export function base32Text(bytes: Uint8Array): string {
  const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUV";
  let text = "";
  let bits = 0;
  let held = 0;
  for (const octet of bytes) {
    held = ((held << 8) | octet) & 0xfff;
    bits += 8;
    for (; bits >= 5; bits -= 5) text += alphabet[(held >> (bits - 5)) & 31];
  }
  return bits > 0 ? text + alphabet[(held << (5 - bits)) & 31] : text;
}

/** Data of a type without a format of its own (RFC 3597 section 5). */
export function unknownText(bytes: Uint8Array): string {
  return bytes.length === 0 ? "\\# 0" : `\\# ${bytes.length} ${hexText(bytes)}`;
}

function grouped(text: string): string {
  return text.match(/.{1,56}/g)?.join(" ") ?? "";
}

function escape(text: string, special: string): string {
  let out = "";
  for (const octet of encoder.encode(text)) {
    const character = String.fromCharCode(octet);
    if (octet <= 0x20 || octet > 0x7e) out += `\\${String(octet).padStart(3, "0")}`;
    else if (special.includes(character) || character === "\\") out += `\\${character}`;
    else out += character;
  }
  return out;
}
