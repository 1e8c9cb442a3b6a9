import { formatIPv6 } from "../../dns/address.ts";
import { EDNS_DO, FLAG, TYPE } from "../../dns/constants.ts";
import {
  classText,
  extendedErrorText,
  flagsText,
  opcodeText,
  rcodeText,
  typeText,
} from "../../dns/mnemonics.ts";
import { quoted, rdataText } from "../../dns/record_text/data_text.ts";
import { WireReader } from "../../dns/wire_reader.ts";

/** Columns of a record. */
export const COLUMNS = { ttl: 24, class: 32, type: 40, data: 48 } as const;

interface PrintedRecord {
  type: number;
  qclass: number;
  ttl: number;
  line: string;
  text: string;
  options: WireReader;
}

/** Formats a response like dig. Throws `RangeError`. */
export function formatMessage(bytes: Uint8Array): string {
  const { id, flags, counts, questions, answers, authorities, additionals } = readMessage(bytes);
  const opt = additionals.find(({ type }) => type === TYPE.OPT);
  const rcode = (flags & FLAG.RCODE) | ((opt?.ttl ?? 0) >>> 24 << 4);
  const mbz = (flags & FLAG.Z) !== 0 ? "; MBZ: 0x4" : "";
  const unavailable = (flags & (FLAG.RD | FLAG.RA)) === FLAG.RD;
  return `;; ->>HEADER<<- opcode: ${opcodeText((flags & FLAG.OPCODE) >> 11)}, ` +
    `status: ${rcodeText(rcode)}, id: ${id}\n` +
    `;; flags: ${flagsText(flags & ~FLAG.Z, " ")}${mbz}; QUERY: ${counts[0]}, ` +
    `ANSWER: ${counts[1]}, AUTHORITY: ${counts[2]}, ADDITIONAL: ${counts[3]}\n` +
    `${unavailable ? ";; WARNING: recursion requested but not available\n" : ""}\n` +
    (opt === undefined ? "" : optText(opt)) +
    section("QUESTION", questions) +
    section("ANSWER", answers) +
    section("AUTHORITY", authorities) +
    section("ADDITIONAL", additionals.filter((record) => record !== opt));
}

/** Formats answer data. Throws `RangeError`. */
export function formatShort(bytes: Uint8Array): string {
  return readMessage(bytes).answers.map(({ text }) => `${text}\n`).join("");
}

function readMessage(bytes: Uint8Array) {
  const reader = new WireReader(bytes, 0);
  const [id, flags] = [reader.u16(), reader.u16()];
  const counts = [reader.u16(), reader.u16(), reader.u16(), reader.u16()] as const;
  const list = <T>(count: number, read: (reader: WireReader) => T) =>
    Array.from({ length: count }, () => read(reader));
  return {
    ...{ id, flags, counts },
    questions: list(counts[0], readQuestion),
    answers: list(counts[1], readRecord),
    authorities: list(counts[2], readRecord),
    additionals: list(counts[3], readRecord),
  };
}

function readQuestion(reader: WireReader): { line: string } {
  const [name, type, qclass] = [reader.name(), reader.u16(), reader.u16()];
  const line = columns([
    ...[[0, name], [COLUMNS.class, classText(qclass)], [COLUMNS.type, typeText(type)]] as const,
  ]);
  return { line: `;${line}` };
}

function readRecord(reader: WireReader): PrintedRecord {
  const name = reader.name();
  const [type, qclass, ttl] = [reader.u16(), reader.u16(), reader.u32()];
  const data = reader.part(reader.u16());
  if (type === TYPE.OPT) {
    return { type, qclass, ttl, line: "; a second OPT record\n", text: "", options: data };
  }
  const text = rdataText(type, data);
  const line = columns([
    [0, name],
    [COLUMNS.ttl, String(ttl)],
    [COLUMNS.class, classText(qclass)],
    [COLUMNS.type, typeText(type)],
    [COLUMNS.data, text],
  ]);
  return { type, qclass, ttl, line, text, options: data };
}

function section(title: string, entries: readonly { line: string }[]): string {
  if (entries.length === 0) return "";
  return `;; ${title} SECTION:\n${entries.map(({ line }) => line).join("")}\n`;
}

/** Sets fields with tabs, like dig. */
export function columns(fields: readonly (readonly [column: number, text: string])[]): string {
  let line = "";
  let at = 0;
  for (const [column, text] of fields) {
    if (column > 0) {
      const to = Math.max(column, at + 1);
      const tabs = Math.floor(to / 8) - Math.floor(at / 8);
      line += "\t".repeat(tabs) + " ".repeat(tabs > 0 ? to % 8 : to - at);
      at = to;
    }
    line += text;
    at += text.length;
  }
  return `${line}\n`;
}

function optText({ qclass, ttl, options }: PrintedRecord): string {
  let text = ";; OPT PSEUDOSECTION:\n" +
    `; EDNS: version: ${ttl >> 16 & 0xff}, flags:${ttl & EDNS_DO ? " do" : ""}; udp: ${qclass}\n`;
  while (options.left > 0) {
    const code = options.u16();
    text += `; ${optionText(code, options.octets(options.u16()))}\n`;
  }
  return text;
}

function optionText(code: number, data: Uint8Array): string {
  const hex = data.toHex();
  const spaced = hex.match(/../g)?.join(" ") ?? "";
  switch (code) {
    case 3:
      return `NSID: ${spaced} (${quoted(data)})`;
    case 8: {
      const [, family, source, scope, ...prefix] = data;
      const address = new Uint8Array(family === 1 ? 4 : 16);
      if (data.length < 4 || prefix.length > address.length) break;
      address.set(prefix);
      const text = family === 1 ? address.join(".") : formatIPv6(address);
      return `CLIENT-SUBNET: ${text}/${source}/${scope}`;
    }
    case 10:
      return `COOKIE: ${hex}`;
    case 12:
      return `PAD: (${data.length} bytes)`;
    case 15: {
      if (data.length < 2) return `EDE: ${hex}`;
      const number = data[0]! << 8 | data[1]!;
      const extra = data.length === 2 ? "" : `: (${quoted(data.subarray(2)).slice(1, -1)})`;
      return `EDE: ${extendedErrorText(number)}${extra}`;
    }
  }
  return data.length === 0 ? `OPT=${code}` : `OPT=${code}: ${spaced}`;
}
