import { EDNS_OPTION, FLAG, HEADER_SIZE, TYPE } from "../../dns/constants.ts";
import { classText, flagsText, rcodeText, typeText } from "../../dns/mnemonics.ts";
import { anyDataText, MAX_RECORDS_TEXT, quoted } from "../../dns/record_text/data_text.ts";
import { WireReader } from "../../dns/wire_reader.ts";
import type { ShownMessage } from "./answer.ts";

/** Formats a message. Throws `RangeError` if it is malformed. */
export function showMessage(buffer: ArrayBuffer): ShownMessage {
  const bytes = new Uint8Array(buffer);
  const header = new WireReader(bytes, 2);
  const flags = header.u16();
  const [questions, ...counts] = [header.u16(), header.u16(), header.u16(), header.u16()];
  const reader = new WireReader(bytes, HEADER_SIZE);
  for (let i = 0; i < questions!; i++) {
    reader.name();
    reader.octets(4);
  }
  const errors: ShownMessage["errors"][number][] = [];
  let extendedRcode = 0;
  let size = 0;
  let omittedRecords = 0;
  const [answer = [], authority = [], additional = []] = counts.map((count) =>
    Array.from({ length: count }, () => {
      const name = reader.name();
      const [type, qclass, ttl] = [reader.u16(), reader.u16(), reader.u32()];
      const data = reader.part(reader.u16());
      if (type === TYPE.OPT) {
        extendedRcode = ttl >>> 24;
        readErrors(data, errors);
        return null;
      }
      if (size >= MAX_RECORDS_TEXT) {
        omittedRecords++;
        return null;
      }
      const text = anyDataText(type, data);
      const line = `${name} ${ttl} ${classText(qclass)} ${typeText(type)} ${text}`;
      size += line.length;
      return line;
    }).filter((line) => line !== null)
  );
  return {
    rcode: rcodeText((flags & FLAG.RCODE) | (extendedRcode << 4)),
    flags: flagsText(flags, " ").split(" "),
    answer: answer!,
    authority: authority!,
    additional: additional!,
    ...omittedRecords > 0 && { omittedRecords },
    errors,
    sizeBytes: bytes.length,
  };
}

function readErrors(data: WireReader, errors: ShownMessage["errors"][number][]): void {
  while (data.left >= 4) {
    const code = data.u16();
    const option = data.part(data.u16());
    if (code !== EDNS_OPTION.EXTENDED_ERROR || option.left < 2) continue;
    errors.push({ code: option.u16(), text: quoted(option.octets()).slice(1, -1) });
  }
}
