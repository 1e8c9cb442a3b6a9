import type { Dispenser } from "../../corefile/dispenser.ts";
import { nearest } from "../../corefile/nearest.ts";
import { quote } from "../../corefile/quote.ts";
import { MAX_DURATION_MS, readDuration, readInteger } from "../../corefile/values.ts";
import { isWithin } from "../../dns/zone.ts";
import { type ClientNetwork, readNetwork } from "../acl/network_argument.ts";
import type { PluginSetup } from "../setup.ts";
import { readZones } from "../zones_argument.ts";
import { isField, type LogField, PLACEHOLDERS, type ResponseClass } from "./placeholders.ts";

/** Part of a log format. */
export type LogPart = { text: string } | { field: LogField };

/** Class of logged responses. */
export type LogClass = "all" | ResponseClass;

/** Absent conditions hold. */
export interface LogRule {
  zones: string[];
  except?: string[];
  clients?: ClientNetwork[];
  format: LogPart[];
  /** Empty only with `any`. */
  classes: LogClass[];
  slowMs?: number;
  /** One response of so many. */
  sample?: number;
  /** One of class, slow and sample suffices. */
  any?: true;
}

/** Options of `log`. */
export interface LogOptions {
  /** The first for name and client decides. */
  rules: LogRule[];
}

/** A batch may take a millisecond. */
const SLOW = { name: "slow", min: 1, max: MAX_DURATION_MS } as const;
const SAMPLE = { name: "sample", min: 1, max: 1_000_000_000 } as const;

const CLASSES: readonly LogClass[] = ["all", "success", "denial", "error"];
/** CoreDNS's Common Log Format; `{combined}` adds the opcode. */
const COMMON = '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}"' +
  " {rcode} {>rflags} {rsize} {duration}";
const COMBINED = `${COMMON} "{>opcode}"`;

/** Reads `log [NAMES...] [FORMAT] { OPTIONS }`. */
export const logSetup: PluginSetup = {
  name: "log",
  setup({ tokens, addHandler, warn }) {
    const options: LogOptions = { rules: [] };
    const places: string[] = [];
    tokens.eachUse(() => {
      const { file, line } = tokens.place;
      const args = tokens.remainingArgs();
      // CoreDNS reads a lone format as a name, against its documentation.
      const format = args.at(-1)?.includes("{") ? args.pop()! : "{common}";
      if (args.includes("class")) {
        const what = '"class" is read as a zone, so only names below it are logged';
        warn(line, `${what} (write classes in braces: log { class error })`);
      }
      const zones = readZones(tokens, args, ["."]);
      const parts = parseFormat(format, (text) => warn(line, text));
      const rule: LogRule = { zones, format: parts, ...readConditions(tokens) };
      const before = options.rules.findIndex((other) => decidesFor(other, zones));
      if (before >= 0) {
        const what = `${places[before]} decides for all these names, so this one is not used`;
        warn(line, `${what} (put it first, or merge the two with "any")`);
      }
      options.rules.push(rule);
      places.push(`${file}:${line}`);
    });
    addHandler(options);
  },
};

type Conditions = Omit<LogRule, "zones" | "format">;

function readConditions(tokens: Dispenser): Conditions {
  const rule: Conditions = { classes: [] };
  // Also those with faults.
  const choices = new Set<string>();
  tokens.options({
    class: (option) => {
      choices.add(option);
      for (const text of tokens.someArgs("all|success|denial|error...")) {
        const one = tokens.choose(text, CLASSES, "class: unknown class");
        if (!rule.classes.includes(one)) rule.classes.push(one);
      }
    },
    clients: () => {
      const own = tokens.someArgs("NETWORK...");
      const networks = own.map((text) => readNetwork(tokens, text, { option: "clients" }));
      rule.clients = [...rule.clients ?? [], ...networks];
    },
    except: () => {
      rule.except = [...rule.except ?? [], ...readZones(tokens, tokens.someArgs("NAME..."))];
    },
    slow: (option) => {
      choices.add(option);
      rule.slowMs = readDuration(tokens, tokens.oneArg("DURATION"), SLOW);
    },
    sample: (option) => {
      choices.add(option);
      rule.sample = readInteger(tokens, tokens.oneArg("NUMBER"), SAMPLE);
    },
    any: () => {
      rule.any = true;
    },
  });
  if (rule.any !== true) {
    if (rule.classes.length === 0) rule.classes.push("all");
  } else if (choices.size < 2) {
    throw tokens.error('"any" needs two or more of class, slow and sample beside it');
  } else if (rule.classes.includes("all") || rule.sample === 1) {
    const what = rule.classes.includes("all") ? "class all" : "sample 1";
    throw tokens.error(`"any" with "${what}" logs every response (leave one of them out)`);
  }
  return rule;
}

/** Later directives get no query for these zones. */
function decidesFor(rule: LogRule, zones: readonly string[]): boolean {
  if (rule.clients !== undefined || rule.except !== undefined) return false;
  return zones.every((zone) => rule.zones.some((own) => isWithin(zone, own)));
}

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
      const known = name.startsWith("/nodens/") ? nearest(name, PLACEHOLDERS) : null;
      const hint = known === null ? "" : ` (did you mean "{${known}}"?)`;
      warn(`nothing publishes the metadata ${quote(name)}; "-" is logged for it${hint}`);
      addText("-");
    } else {
      const known = nearest(name, PLACEHOLDERS);
      const hint = known === null ? "" : ` (did you mean "{${known}}"?)`;
      warn(`${quote(piece)} is not a placeholder; it is logged as text${hint}`);
      addText(piece);
    }
  }
  return parts;
}
