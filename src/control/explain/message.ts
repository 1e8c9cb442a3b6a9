import { EDNS_OPTION, FLAG, HEADER_SIZE, TYPE } from "../../dns/constants.ts";
import { classText, flagsText, rcodeText, typeText } from "../../dns/mnemonics.ts";
import { quoted, rdataText } from "../../dns/record_text/data_text.ts";
import { WireReader } from "../../dns/wire_reader.ts";
import type { ShownMessage } from "./answer.ts";

/** Shows a message that nodens has composed. Throws `RangeError` if it is malformed. */
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
      return `${name} ${ttl} ${classText(qclass)} ${typeText(type)} ${rdataText(type, data)}`;
    }).filter((line) => line !== null)
  );
  return {
    rcode: rcodeText((flags & FLAG.RCODE) | (extendedRcode << 4)),
    flags: flagsText(flags, " ").split(" "),
    answer: answer!,
    authority: authority!,
    additional: additional!,
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
