import type { Dispenser } from "../../corefile/dispenser.ts";
import { suggestion } from "../../corefile/nearest.ts";
import type { PluginSetup } from "../controller.ts";
import { readZones } from "../zones_argument.ts";
import type { LogClass, LogField, LogOptions, LogPart } from "./options.ts";

const COMMON = '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}"' +
  " {rcode} {>rflags} {rsize} {duration}";
const COMBINED = `${COMMON} {>opcode}`;
const CLASSES: readonly LogClass[] = ["all", "success", "denial", "error"];
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

/** Reads `log [NAMES...] [FORMAT] { class … }`. */
export const logSetup: PluginSetup = {
  name: "log",
  setup({ tokens, addHandler }) {
    const options: LogOptions = { rules: [] };
    while (tokens.nextDirective()) {
      const args = tokens.remainingArgs();
      const format = args.length > 0 && args.at(-1)!.includes("{") ? args.pop()! : "{common}";
      const zones = args.length === 0 ? ["."] : readZones(tokens, args);
      const classes = new Set<LogClass>();
      tokens.eachInBlock((option) => {
        if (option !== "class") {
          throw tokens.error(`unknown option "${option}"${suggestion(option, ["class"])}`);
        }
        for (const text of tokens.someArgs(CLASSES.join("|"))) {
          const known = CLASSES.find((name) => name === text);
          if (known === undefined) {
            throw tokens.error(`class: unknown class "${text}" (${CLASSES.join(", ")})`);
          }
          classes.add(known);
        }
      });
      if (classes.size === 0) classes.add("all");
      const parts = parseFormat(tokens, format);
      for (const zone of zones) options.rules.push({ zone, format: parts, classes: [...classes] });
    }
    addHandler(options);
  },
};

/** Cuts a format into text and placeholders; metadata labels other than the log's print `-`. */
function parseFormat(tokens: Dispenser, format: string): LogPart[] {
  const whole = format.replaceAll("{combined}", COMBINED).replaceAll("{common}", COMMON);
  const parts: LogPart[] = [];
  for (const piece of whole.split(/(\{[^{}]*\})/)) {
    if (piece === "") continue;
    const name = /^\{([^{}]*)\}$/.exec(piece)?.[1];
    const field = FIELDS.find((known) => known === name);
    if (name === undefined) parts.push({ text: piece });
    else if (field !== undefined) parts.push({ field });
    else if (name.startsWith("/")) parts.push({ text: "-" });
    else throw tokens.error(`unknown placeholder "${piece}"${suggestion(name, FIELDS)}`);
  }
  return parts;
}
