import { nearest } from "../../corefile/nearest.ts";
import { quote } from "../../corefile/quote.ts";
import type { PluginSetup } from "../setup.ts";
import { readZones } from "../zones_argument.ts";
import { FIELDS, isField, type LogField, type ResponseClass } from "./fields.ts";

/** Part of a log format. */
export type LogPart = { text: string } | { field: LogField };

/** Class of logged responses. */
export type LogClass = "all" | ResponseClass;

/** Options of `log`. */
export interface LogOptions {
  /** First matching zone counts. */
  rules: { zone: string; format: LogPart[]; classes: LogClass[] }[];
}

const CLASSES: readonly LogClass[] = ["all", "success", "denial", "error"];
/** CoreDNS's Common Log Format; `{combined}` adds the opcode. */
const COMMON = '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}"' +
  " {rcode} {>rflags} {rsize} {duration}";
const COMBINED = `${COMMON} "{>opcode}"`;

/** Reads `log [NAMES...] [FORMAT] { class CLASSES... }`. */
export const logSetup: PluginSetup = {
  name: "log",
  setup({ tokens, addHandler, warn }) {
    const options: LogOptions = { rules: [] };
    tokens.eachUse(() => {
      const { line } = tokens.place;
      const args = tokens.remainingArgs();
      // CoreDNS reads a lone format as a name, against its documentation.
      const format = args.at(-1)?.includes("{") ? args.pop()! : "{common}";
      if (args.includes("class")) {
        const what = '"class" is read as a zone, so only names below it are logged';
        warn(line, `${what} (write classes in braces: log { class error })`);
      }
      const zones = readZones(tokens, args, ["."]);
      const parts = parseFormat(format, (text) => warn(line, text));
      const classes = new Set<LogClass>();
      tokens.options({
        class: () => {
          for (const text of tokens.someArgs("all|success|denial|error...")) {
            classes.add(tokens.choose(text, CLASSES, "class: unknown class"));
          }
        },
      });
      if (classes.size === 0) classes.add("all");
      for (const zone of zones) options.rules.push({ zone, format: parts, classes: [...classes] });
    });
    addHandler(options);
  },
};

/** As in CoreDNS, unknown placeholders are text, metadata is `-`. */
function parseFormat(format: string, warn: (text: string) => void): LogPart[] {
  const whole = format.replaceAll("{common}", COMMON).replaceAll("{combined}", COMBINED);
  const parts: LogPart[] = [];
  const addText = (text: string) => {
    const last = parts.at(-1);
    if (last !== undefined && "text" in last) last.text += text;
    else if (text !== "") parts.push({ text });
  };
  for (const piece of whole.split(/(\{[^{}]*\})/)) {
    const name = /^\{([^{}]*)\}$/.exec(piece)?.[1];
    if (name === undefined) {
      addText(piece);
    } else if (isField(name)) {
      parts.push({ field: name });
    } else if (name.startsWith("/")) {
      warn(`nothing publishes the metadata ${quote(name)}; "-" is logged for it`);
      addText("-");
    } else {
      const known = nearest(name, Object.keys(FIELDS));
      const hint = known === null ? "" : ` (did you mean "{${known}}"?)`;
      warn(`${quote(piece)} is not a placeholder; it is logged as text${hint}`);
      addText(piece);
    }
  }
  return parts;
}
