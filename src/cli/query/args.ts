import { didYouMean } from "../../corefile/nearest.ts";
import { parseAddress } from "../../dns/address.ts";
import { TYPE } from "../../dns/constants.ts";
import { typeNumber, typeText } from "../../dns/mnemonics.ts";
import { parseName } from "../../dns/name.ts";
import { expandZone } from "../../dns/zone.ts";
import { spelling } from "../command.ts";
import {
  boolean,
  defaultsOf,
  findFlag,
  FlagError,
  flagNames,
  type FlagValues,
  number,
  port as portFlag,
  type Range,
} from "../flags.ts";

/** dig's `-p`. */
export const PORT_FLAG = portFlag(53, "port to ask");

/** dig's options; the size fits every path (DNS flag day 2020). */
export const QUERY_OPTIONS = {
  short: boolean("print the records' data alone"),
  tcp: { ...boolean("ask over TCP"), alias: "vc" },
  dnssec: { ...boolean("ask for DNSSEC records"), alias: "do" },
  norec: { ...boolean("ask without recursion"), alias: "norecurse" },
  bufsize: number("N", 1232, "UDP payload size to announce", { min: 0, max: 65535 }),
  time: number("SECONDS", 5, "wait for each try", { min: 1, max: 3600 }),
  tries: number("N", 3, "times to ask", { min: 1, max: 100 }),
};

/** A parsed command line. */
export interface QueryRequest {
  name: Uint8Array;
  type: number;
  /** Null for resolv.conf's first server. */
  server: string | null;
  port: number;
  options: FlagValues<typeof QUERY_OPTIONS>;
}

/** Parses dig's syntax. Throws `FlagError`. */
export function parseQueryArgs(args: readonly string[]): QueryRequest {
  let server: string | null = null;
  let port = PORT_FLAG.default;
  let reverse: string | null = null;
  const options = defaultsOf(QUERY_OPTIONS);
  const words: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const argument = args[i]!;
    if (argument.startsWith("@") && argument.length > 1) {
      server = argument.slice(1);
    } else if (argument.startsWith("+")) {
      const [name, value] = readOption(argument);
      options[name] = value;
    } else if (argument.startsWith("-p") || argument.startsWith("-x")) {
      const value = argument.slice(2) || args[++i];
      if (value === undefined) {
        const example = argument === "-p" ? "-p 1053" : "-x 192.0.2.1";
        throw new FlagError(`${argument} needs a value (${example})`);
      }
      if (argument.startsWith("-x")) reverse = value;
      else port = readNumber("-p", value, PORT_FLAG.range!);
    } else if (argument.startsWith("-") && argument !== "-") {
      throw new FlagError(`unknown flag "${argument}" (known are -p PORT and -x ADDRESS)`);
    } else {
      words.push(argument);
    }
  }
  const text = reverse === null ? words.shift() : reverseName(reverse);
  if (text === undefined) throw new FlagError("the name is missing (example.org)");
  const [type, extra] = words;
  if (extra !== undefined) {
    throw new FlagError(`"${extra}" is one argument too many (NAME [TYPE] [@SERVER])`);
  }
  return {
    name: readName(text),
    type: type !== undefined ? readType(type) : reverse === null ? TYPE.A : TYPE.PTR,
    server,
    port,
    options: options as QueryRequest["options"],
  };
}

function readOption(argument: string): [name: string, value: boolean | number] {
  const [word, value] = argument.slice(1).split(/=(.*)/s) as [string, string?];
  const find = (text: string) => findFlag(QUERY_OPTIONS, text);
  const [name, flag] = find(word) ?? [];
  if (name !== undefined && typeof flag!.default === "number") {
    if (value === undefined) {
      throw new FlagError(`+${name} needs a value (+${name}=${flag!.default})`);
    }
    return [name, readNumber(`+${name}`, value, flag!.range!)];
  }
  if (value === undefined) {
    if (name !== undefined) return [name, true];
    const opposite = find(word.startsWith("no") ? word.slice(2) : `no${word}`);
    if (typeof opposite?.[1].default === "boolean") return [opposite[0], false];
  }
  const hint = didYouMean(word, ["rec", "recurse", ...flagNames(QUERY_OPTIONS)]).replace('"', '"+');
  const known = Object.entries(QUERY_OPTIONS).map(([name, flag]) => spelling(name, flag, "+"));
  throw new FlagError(`unknown option "${argument}"${hint}; known are ${known.join(" ")}`);
}

function readNumber(what: string, text: string, { min, max }: Range): number {
  const value = Number(text);
  if (/^[0-9]+$/.test(text) && value >= min && value <= max) return value;
  throw new FlagError(`${what}: "${text}" is not a number from ${min} to ${max}`);
}

function readName(text: string): Uint8Array {
  try {
    return parseName(text);
  } catch (error) {
    throw new FlagError((error as Error).message);
  }
}

function readType(text: string): number {
  const type = typeNumber(text);
  if (type !== null) return type;
  const known = Array.from({ length: 258 }, (_, i) => typeText(i))
    .filter((name) => !name.startsWith("TYPE"));
  const hint = didYouMean(text, known) || " (write A, AAAA, MX, … or TYPE65280)";
  throw new FlagError(`unknown type "${text}"${hint}`);
}

function reverseName(text: string): string {
  const address = parseAddress(text);
  if (address === null) {
    throw new FlagError(`-x: "${text}" is not an IP address (-x 192.0.2.1, -x 2001:db8::1)`);
  }
  return expandZone(`${text}/${address.length * 8}`)[0]!;
}
