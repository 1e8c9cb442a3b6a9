import { nearest } from "../../corefile/nearest.ts";
import { quote } from "../../corefile/quote.ts";
import type { LogField, LogPart } from "./options.ts";

/** The Common Log Format as CoreDNS has it; `{combined}` adds the opcode. */
const COMMON = '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}"' +
  " {rcode} {>rflags} {rsize} {duration}";
const COMBINED = `${COMMON} "{>opcode}"`;

const FIELDS: readonly LogField[] = [
  "type",
  "name",
  "class",
  "proto",
  "size",
  "remote",
  "port",
  "local",
  ">id",
  ">opcode",
  ">do",
  ">bufsize",
  "rcode",
  "rsize",
  "duration",
  ">rflags",
  "/log/class",
  "/log/type",
];

/**
 * Cuts a log format into text and placeholders.
 *
 * As in CoreDNS, an unknown placeholder is text like any other, and metadata that nobody publishes
 * is `-`; both are told to `warn`, since they are seldom meant.
 */
export function parseFormat(format: string, warn: (text: string) => void): LogPart[] {
  const whole = format.replaceAll("{common}", COMMON).replaceAll("{combined}", COMBINED);
  const parts: LogPart[] = [];
  const addText = (text: string) => {
    const last = parts.at(-1);
    if (last !== undefined && "text" in last) last.text += text;
    else if (text !== "") parts.push({ text });
  };
  for (const piece of whole.split(/(\{[^{}]*\})/)) {
    const name = /^\{([^{}]*)\}$/.exec(piece)?.[1];
    const field = FIELDS.find((known) => known === name);
    if (field !== undefined) {
      parts.push({ field });
    } else if (name?.startsWith("/")) {
      warn(`nothing publishes the metadata ${quote(name)}; "-" is logged for it`);
      addText("-");
    } else {
      if (name !== undefined) {
        const known = nearest(name, FIELDS);
        const hint = known === null ? "" : ` (did you mean "{${known}}"?)`;
        warn(`${quote(piece)} is no placeholder; it is logged as it stands${hint}`);
      }
      addText(piece);
    }
  }
  return parts;
}
