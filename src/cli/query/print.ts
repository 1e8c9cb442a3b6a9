// @ts-types="@types/dns-packet"
import { type Answer, decode, type DecodedPacket, type OptAnswer, type Question } from "dns-packet";
import { Buffer } from "node:buffer";
import { FLAG } from "../../dns/constants.ts";
import { flagsText, opcodeText, rcodeText } from "../../dns/mnemonics.ts";
import { checkBounds } from "./bounds.ts";
import { extendedErrorText } from "./extended_errors.ts";
import { packetTypeText, rdataText } from "./rdata.ts";
import { nameText, quoted } from "./text.ts";

/** Columns in which dig puts TTL, class, type and data. */
const COLUMNS = { ttl: 24, class: 32, type: 40, data: 48 } as const;

/** A whole response in dig's layout. Throws for a malformed one. */
export function formatMessage(bytes: Uint8Array): string {
  const packet = decodeWhole(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const flags = view.getUint16(2);
  const additionals = packet.additionals ?? [];
  const opt = additionals.find((record): record is OptAnswer => record.type === "OPT");
  const rcode = (flags & FLAG.RCODE) | ((opt?.extendedRcode ?? 0) << 4);
  const opcode = opcodeText((flags & FLAG.OPCODE) >> 11);
  const names = flagsText(flags & ~FLAG.Z, " ");
  const mbz = (flags & FLAG.Z) !== 0 ? "; MBZ: 0x4" : "";
  let text = `;; ->>HEADER<<- opcode: ${opcode}, status: ${rcodeText(rcode)}, ` +
    `id: ${view.getUint16(0)}\n;; flags: ${names}${mbz}; ` +
    `QUERY: ${view.getUint16(4)}, ANSWER: ${view.getUint16(6)}, ` +
    `AUTHORITY: ${view.getUint16(8)}, ADDITIONAL: ${view.getUint16(10)}\n`;
  if ((flags & (FLAG.RD | FLAG.RA)) === FLAG.RD) {
    text += ";; WARNING: recursion requested but not available\n";
  }
  text += "\n";
  if (opt !== undefined) text += formatOpt(opt);
  const questions = packet.questions ?? [];
  if (questions.length > 0) {
    text += `;; QUESTION SECTION:\n${questions.map(formatQuestion).join("")}\n`;
  }
  text += formatSection("ANSWER", packet.answers ?? []);
  text += formatSection("AUTHORITY", packet.authorities ?? []);
  return text + formatSection("ADDITIONAL", additionals.filter((record) => record !== opt));
}

/** The data of the answers alone, one a line. Throws for a malformed message. */
export function formatShort(bytes: Uint8Array): string {
  const { answers } = decodeWhole(bytes);
  return (answers ?? []).map((record) => `${dataOf(record)}\n`).join("");
}

function decodeWhole(bytes: Uint8Array): DecodedPacket {
  const end = checkBounds(bytes);
  const packet = decode(Buffer.from(bytes));
  if (decode.bytes !== end) throw new RangeError(`records end at byte ${decode.bytes}, not ${end}`);
  return packet;
}

function formatSection(title: string, records: readonly Answer[]): string {
  if (records.length === 0) return "";
  return `;; ${title} SECTION:\n${records.map(formatRecord).join("")}\n`;
}

function formatQuestion(question: Question): string {
  return ";" + columns([
    [0, nameText(question.name)],
    [COLUMNS.class, classOf(question.class)],
    [COLUMNS.type, packetTypeText(question.type)],
  ]);
}

function formatRecord(record: Answer): string {
  if (record.type === "OPT") return "; a second OPT record\n";
  return columns([
    [0, nameText(record.name)],
    [COLUMNS.ttl, String(record.ttl ?? 0)],
    // dns-packet takes the class's highest bit for mDNS's cache flush.
    [COLUMNS.class, record.flush === true ? "CLASS32769" : classOf(record.class)],
    [COLUMNS.type, packetTypeText(record.type)],
    [COLUMNS.data, dataOf(record)],
  ]);
}

function dataOf(record: Answer): string {
  return record.type === "OPT" ? "" : rdataText(packetTypeText(record.type), record.data);
}

function classOf(text: string | undefined): string {
  return (text ?? "IN").replace("UNKNOWN_", "CLASS");
}

/** Puts each text into its column with tabs, or a blank behind what is too long. */
function columns(fields: readonly (readonly [column: number, text: string])[]): string {
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

function formatOpt(opt: OptAnswer): string {
  const flags = opt.flag_do ? " do" : "";
  let text = ";; OPT PSEUDOSECTION:\n" +
    `; EDNS: version: ${opt.ednsVersion}, flags:${flags}; udp: ${opt.udpPayloadSize}\n`;
  for (const option of opt.options) {
    const { code } = option as { code: number };
    const data = option.data ?? Buffer.alloc(0);
    text += `; ${optionText(code, data, option)}\n`;
  }
  return text;
}

function optionText(code: number, data: Buffer, option: object): string {
  const hex = data.toString("hex");
  switch (code) {
    case 3:
      return `NSID: ${hex.match(/../g)?.join(" ") ?? ""} (${quoted(data)})`;
    case 8: {
      const subnet = option as {
        ip: string;
        sourcePrefixLength: number;
        scopePrefixLength: number;
      };
      return `CLIENT-SUBNET: ${subnet.ip}/${subnet.sourcePrefixLength}/${subnet.scopePrefixLength}`;
    }
    case 10:
      return `COOKIE: ${hex}`;
    case 12:
      return `PAD: (${data.length} bytes)`;
    case 15: {
      if (data.length < 2) return `EDE: ${hex}`;
      const extra = data.subarray(2);
      return `EDE: ${extendedErrorText(data.readUInt16BE(0))}` +
        (extra.length === 0 ? "" : `: (${quoted(extra).slice(1, -1)})`);
    }
    default:
      return data.length === 0 ? `OPT=${code}` : `OPT=${code}: ${hex.match(/../g)!.join(" ")}`;
  }
}
