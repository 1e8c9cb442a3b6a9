import { nearest } from "../../corefile/nearest.ts";
import { parseAddress } from "../../dns/address.ts";
import { TYPE } from "../../dns/constants.ts";
import { typeNumber, typeText } from "../../dns/mnemonics.ts";
import { parseName } from "../../dns/name.ts";
import { flagNames } from "../command.ts";
import { FlagError } from "../flags.ts";
import { BOUNDS, QUERY_OPTIONS } from "./flags.ts";

/** A question to ask, and how, as read from the command line of `nodens query`. */
export interface QueryRequest {
  /** Wire form. */
  name: Uint8Array;
  type: number;
  /** Address or host name, or null for the first server of resolv.conf. */
  server: string | null;
  port: number;
  short: boolean;
  tcp: boolean;
  dnssec: boolean;
  recursion: boolean;
  /** UDP payload size to announce. */
  bufsize: number;
  timeoutSeconds: number;
  tries: number;
}

/** Every `+option`: switches take `no` in front, the others `=N`. */
const SWITCHES: Readonly<Record<string, "short" | "tcp" | "dnssec" | "recursion">> = {
  short: "short",
  tcp: "tcp",
  vc: "tcp",
  dnssec: "dnssec",
  do: "dnssec",
  rec: "recursion",
  recurse: "recursion",
};
const NUMBERS = { bufsize: "bufsize", time: "timeoutSeconds", tries: "tries" } as const;

/** Reads the arguments of `nodens query`. Throws `FlagError`. */
export function parseQueryArgs(args: readonly string[]): QueryRequest {
  const request: QueryRequest = {
    name: new Uint8Array(0),
    type: TYPE.A,
    server: null,
    port: BOUNDS.port.default,
    short: false,
    tcp: false,
    dnssec: false,
    recursion: true,
    bufsize: BOUNDS.bufsize.default,
    timeoutSeconds: BOUNDS.time.default,
    tries: BOUNDS.tries.default,
  };
  const words: string[] = [];
  let reverse: string | null = null;
  for (let i = 0; i < args.length; i++) {
    const argument = args[i]!;
    if (argument.startsWith("@") && argument.length > 1) {
      request.server = argument.slice(1);
    } else if (argument.startsWith("+")) {
      readOption(argument, request);
    } else if (argument.startsWith("-p") || argument.startsWith("-x")) {
      const value = argument.slice(2) || args[++i];
      if (value === undefined) {
        const example = argument === "-p" ? "-p 1053" : "-x 192.0.2.1";
        throw new FlagError(`${argument} needs a value (${example})`);
      }
      if (argument.startsWith("-x")) reverse = value;
      else request.port = readNumber("-p", value, BOUNDS.port);
    } else if (argument.startsWith("-") && argument !== "-") {
      throw new FlagError(`unknown flag "${argument}" (known are -p PORT and -x ADDRESS)`);
    } else {
      words.push(argument);
    }
  }
  if (reverse !== null) {
    request.name = reverseName(reverse);
    request.type = TYPE.PTR;
  } else {
    const name = words.shift();
    if (name === undefined) throw new FlagError("name what to ask for (example.org)");
    request.name = readName(name);
  }
  const type = words.shift();
  if (type !== undefined) request.type = readType(type);
  if (words.length > 0) {
    throw new FlagError(`"${words[0]}" is one argument too many (NAME [TYPE] [@SERVER])`);
  }
  return request;
}

function readOption(argument: string, request: QueryRequest): void {
  const [, negated, word, value] = /^\+(no)?([^=]*)(?:=(.*))?$/s.exec(argument)!;
  const field = SWITCHES[word!];
  if (field !== undefined && value === undefined) {
    request[field] = negated === undefined;
    return;
  }
  if (Object.hasOwn(NUMBERS, word!) && negated === undefined) {
    const known = word as keyof typeof NUMBERS;
    if (value === undefined) {
      throw new FlagError(`+${known} needs a value (+${known}=${BOUNDS[known].default})`);
    }
    request[NUMBERS[known]] = readNumber(`+${known}`, value, BOUNDS[known]);
    return;
  }
  const names = [...Object.keys(SWITCHES), "norec", ...Object.keys(NUMBERS)];
  const meant = hint(argument.slice(1).split("=")[0]!, names).replace('"', '"+');
  const known = QUERY_OPTIONS.map((option) => flagNames(option, "+")).join(" ");
  throw new FlagError(`unknown option "${argument}"${meant}; known are ${known}`);
}

function readNumber(what: string, text: string, bounds: { min: number; max: number }): number {
  const value = Number(text);
  if (!/^[0-9]+$/.test(text) || value < bounds.min || value > bounds.max) {
    throw new FlagError(
      `${what}: "${text}" is not a number from ${bounds.min} to ${bounds.max}`,
    );
  }
  return value;
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
  const meant = hint(text, known) || " (write A, AAAA, MX, … or TYPE65280)";
  throw new FlagError(`unknown type "${text}"${meant}`);
}

function hint(text: string, known: readonly string[]): string {
  const near = nearest(text, known);
  return near === null ? "" : ` (did you mean "${near}"?)`;
}

/** Name of the reverse look-up of an address (RFC 1035 section 3.5, RFC 3596 section 2.5). */
function reverseName(text: string): Uint8Array {
  const address = parseAddress(text);
  if (address === null) {
    throw new FlagError(`-x: "${text}" is not an IP address (-x 192.0.2.1, -x 2001:db8::1)`);
  }
  const reversed = [...address].reverse();
  if (address.length === 4) return parseName(`${reversed.join(".")}.in-addr.arpa.`);
  const digits = reversed.flatMap((octet) => [octet & 15, octet >> 4]);
  return parseName(`${digits.map((digit) => digit.toString(16)).join(".")}.ip6.arpa.`);
}
