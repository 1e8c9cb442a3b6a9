import { canonicalAddress, parseAddress } from "../../dns/address.ts";
import { CLASS, EDNS_DO, EDNS_PAYLOAD, FLAG, HEADER_SIZE, TYPE } from "../../dns/constants.ts";
import { classNumber, classText, typeNumber, typeText } from "../../dns/mnemonics.ts";
import { formatName, parseName } from "../../dns/name.ts";
import type { ExplainRequest } from "../../engine/explain/types.ts";
import { VerbError } from "../../plugins/verbs.ts";
import type { ExplainAnswer } from "./answer.ts";

const OPT_SIZE = 11;
const LISTENER = /^(?:\[([0-9a-f:.]+(?:%[^\]]+)?)\]|([0-9.]*)|\*):([0-9]{1,5})$/i;

/** Reads question and client. Throws `VerbError`. */
export function readQuery(
  parameters: ReadonlyMap<string, string>,
): { request: ExplainRequest; question: ExplainAnswer["question"] } {
  const given = Object.fromEntries(parameters);
  const name = readName(given.name);
  const type = readNumber("type", given.type, { read: typeNumber, none: TYPE.A });
  const qclass = readNumber("class", given.class, { read: classNumber, none: CLASS.IN });
  const [tcp, dnssec, cd] = [
    readSwitch("tcp", given.tcp),
    readSwitch("dnssec", given.dnssec),
    readSwitch("cd", given.cd),
  ];
  return {
    request: {
      message: writeQuery(name, { type, qclass, dnssec, cd }),
      streamed: tcp,
      client: readClient(given.from),
      listener: readListener(given.listener),
    },
    question: {
      name: formatName(name),
      type: typeText(type),
      class: classText(qclass),
      transport: tcp ? "tcp" : "udp",
      dnssec,
      checkingDisabled: cd,
    },
  };
}

function readName(text: string | undefined): Uint8Array {
  if (text === undefined) throw new VerbError("name is missing (name=www.example.org)");
  try {
    return parseName(text);
  } catch (error) {
    throw new VerbError((error as Error).message);
  }
}

function readNumber(
  what: "type" | "class",
  text: string | undefined,
  { read, none }: { read: (text: string) => number | null; none: number },
): number {
  if (text === undefined) return none;
  const number = read(text);
  if (number !== null) return number;
  const known = what === "type" ? "A, AAAA, MX, … or TYPE65280" : "IN, CH, HS or CLASS32";
  throw new VerbError(`${what} ${shown(text)} is not known (write ${known})`);
}

function readSwitch(what: string, text = "off"): boolean {
  if (text === "on" || text === "off") return text === "on";
  throw new VerbError(`${what} is ${shown(text)}; write on or off`);
}

function readClient(text: string | undefined): string | null {
  if (text === undefined) return null;
  if (parseAddress(text) !== null) return canonicalAddress(text);
  throw new VerbError(`from ${shown(text)} is not an IP address (write 10.0.0.7 or 2001:db8::7)`);
}

function readListener(text: string | undefined): ExplainRequest["listener"] {
  if (text === undefined) return null;
  const [, v6, v4, port] = LISTENER.exec(text) ?? [];
  const address = v6 ?? v4 ?? "";
  const valid = address === "" || parseAddress(address.split("%")[0]!) !== null;
  if (port !== undefined && valid && Number(port) > 0 && Number(port) <= 65535) {
    return { address: canonicalAddress(address), port: Number(port) };
  }
  throw new VerbError(
    `listener ${shown(text)} is not an address and port (write 169.254.20.10:53 or [::1]:53)`,
  );
}

function writeQuery(
  name: Uint8Array,
  { type, qclass, dnssec, cd }: { type: number; qclass: number; dnssec: boolean; cd: boolean },
): ArrayBuffer {
  const message = new ArrayBuffer(HEADER_SIZE + name.length + 4 + OPT_SIZE);
  const view = new DataView(message);
  view.setUint16(2, FLAG.RD | FLAG.AD | (cd ? FLAG.CD : 0));
  view.setUint16(4, 1);
  view.setUint16(10, 1);
  new Uint8Array(message).set(name, HEADER_SIZE);
  const at = HEADER_SIZE + name.length;
  view.setUint16(at, type);
  view.setUint16(at + 2, qclass);
  view.setUint16(at + 5, TYPE.OPT);
  view.setUint16(at + 7, EDNS_PAYLOAD);
  view.setUint16(at + 11, dnssec ? EDNS_DO : 0);
  return message;
}

function shown(text: string): string {
  return JSON.stringify(text.length <= 80 ? text : `${text.slice(0, 77)}...`);
}
