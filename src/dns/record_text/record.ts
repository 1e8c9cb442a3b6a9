import { CLASS } from "../constants.ts";
import { parseName } from "../name.ts";
import { classNumber, typeNumber } from "../mnemonics.ts";
import { readRecordData, readSeconds } from "./data.ts";
import { splitRecord } from "./words.ts";

const DEFAULT_TTL_SECONDS = 3600;

/** In wire form. */
export interface WireRecord {
  owner: Uint8Array;
  type: number;
  qclass: number;
  ttlSeconds: number;
  data: Uint8Array;
}

/** `NAME [TTL] [CLASS] TYPE DATA` (RFC 1035 section 5.1). Throws `SyntaxError` or `RangeError`. */
export function readRecord(text: string): WireRecord {
  const words = splitRecord(text);
  const [name, ...rest] = words;
  if (name === undefined) throw new SyntaxError("the record is empty");
  let qclass: number | null = null;
  let ttlSeconds: number | null = null;
  let type: number | null = null;
  while (type === null) {
    const word = rest.shift();
    if (word === undefined) throw new SyntaxError("the type is missing");
    const upper = word.text.toUpperCase();
    const seconds: number | null = ttlSeconds === null ? readSeconds(word.text) : null;
    if (seconds !== null) ttlSeconds = seconds;
    else if (qclass === null && classNumber(upper) !== null) qclass = classNumber(upper);
    else if ((type = typeNumber(upper)) === null) {
      throw new SyntaxError(`${JSON.stringify(word.text)} is not a type`);
    }
  }
  return {
    owner: parseName(name.text === "@" ? "." : name.text),
    type,
    qclass: qclass ?? CLASS.IN,
    ttlSeconds: ttlSeconds ?? DEFAULT_TTL_SECONDS,
    data: readRecordData(type, rest),
  };
}
