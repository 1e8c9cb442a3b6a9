import type { Dispenser } from "../../corefile/dispenser.ts";
import { didYouMean } from "../../corefile/nearest.ts";
import { quote } from "../../corefile/quote.ts";
import { classNumber, rcodeNumber, typeNumber } from "../../dns/mnemonics.ts";
import type { PluginSetup } from "../setup.ts";
import { readPattern } from "../pattern.ts";
import { readEdns } from "./edns_setup.ts";
import type { AnswerChange, NameMatch, RewriteAction, RewriteRule } from "./options.ts";

const FIELDS = ["name", "type", "class", "ttl", "rcode", "cname", "edns0"];
const MATCHES = ["exact", "prefix", "suffix", "substring", "regex"];
/** RFC 2181 section 8. */
const MAX_TTL = 2 ** 31 - 1;

/** Reads `rewrite [continue|stop] FIELD ...`; each use is one rule. */
export const rewriteSetup: PluginSetup = {
  name: "rewrite",
  describe: () => "rewrites queries and responses",
  setup({ tokens, addHandler }) {
    const rules: RewriteRule[] = [];
    tokens.eachUse(() => {
      const words = tokens.remainingArgs();
      // A rule may be a block of several lines.
      if (words.length < 2) {
        tokens.eachInBlock((word) => words.push(word, ...tokens.remainingArgs()));
      }
      rules.push(readRule(words, tokens));
    });
    addHandler({ rules });
  },
};

function readRule(words: readonly string[], tokens: Dispenser): RewriteRule {
  const mode = words[0]?.toLowerCase();
  const named = mode === "continue" || mode === "stop";
  const [field, ...args] = named ? words.slice(1) : words;
  if (field === undefined) throw tokens.error(`a field is missing (${FIELDS.join(", ")})`);
  return { ...readAction(field, args, tokens), stop: mode !== "continue" };
}

function readAction(field: string, args: string[], tokens: Dispenser): RewriteAction {
  switch (field.toLowerCase()) {
    case "name":
      return readName(args, tokens);
    case "type":
      return { field: "type", ...readPair(args, tokens, { what: "type", read: typeNumber }) };
    case "class":
      return { field: "class", ...readPair(args, tokens, { what: "class", read: classNumber }) };
    case "ttl": {
      const [match, ttl] = readMatch(args, tokens, "ttl [TYPE] NAME SECONDS|MIN-MAX", 1);
      return { field: "ttl", match, ...readRange(ttl!, tokens) };
    }
    case "rcode": {
      const [match, ...codes] = readMatch(args, tokens, "rcode [TYPE] NAME FROM TO", 2);
      const pair = { what: "response code", read: rcodeNumber };
      return { field: "rcode", match, ...readPair(codes, tokens, pair) };
    }
    case "cname": {
      const [match, to] = readMatch(args, tokens, "cname [TYPE] FROM TO", 1);
      // Only exact names are completed, as in CoreDNS.
      const [from] = args.slice(-2);
      if (match.how !== "exact") match.text = match.how === "regex" ? from! : from!.toLowerCase();
      return { field: "cname", match, to: match.how === "exact" ? qualified(to!) : to! };
    }
    case "answer":
      throw tokens.error("an answer follows the name that it belongs to (name FROM TO answer ...)");
    case "edns0":
      return readEdns(args, tokens);
    default:
      throw tokens.error(`${quote(field)} is not a field${didYouMean(field, FIELDS)}`);
  }
}

function readName(args: string[], tokens: Dispenser): RewriteAction {
  const usage = "name [TYPE] FROM TO [answer ...]";
  if (args.length < 2) throw tokens.error(`too few arguments (${usage})`);
  // Options require an explicit type.
  const [how, from, to, ...options] = args.length === 2 ? ["exact", ...args] : args;
  const match = makeMatch(how!, from!, tokens);
  if (match.how === "regex") checkGroups(match.text, to!, tokens);
  const answers: AnswerChange[] = [];
  let auto = match.how === "exact";
  let optionAuto = false;
  for (let i = 0; i < options.length;) {
    if (options[i]!.toLowerCase() === "answer") i++;
    else if (i === 0) throw tokens.error(`${quote(options[0]!)} is too many (${usage})`);
    const what = options[i++]?.toLowerCase();
    if (what === "auto") {
      auto = optionAuto = true;
      continue;
    }
    if (what !== "name" && what !== "value") {
      throw tokens.error("an answer is auto, name FROM TO or value FROM TO");
    }
    const [pattern, replacement] = [options[i++], options[i++]];
    if (replacement === undefined) throw tokens.error(`answer ${what} needs FROM and TO`);
    checkGroups(pattern!, replacement, tokens);
    answers.push({ what, pattern: pattern!, to: qualified(replacement) });
  }
  if (optionAuto && answers.some(({ what }) => what === "name")) {
    throw tokens.error("answer auto excludes answer name (leave one of them out)");
  }
  return { field: "name", match, to: qualified(to!), auto, answers };
}

/** Optional type, name and `more` arguments. */
function readMatch(
  args: readonly string[],
  tokens: Dispenser,
  usage: string,
  more: number,
): [NameMatch, ...string[]] {
  if (args.length !== more + 1 && args.length !== more + 2) {
    throw tokens.error(
      `${args.length} arguments are too ${args.length <= more ? "few" : "many"} (${usage})`,
    );
  }
  const [how, name, ...rest] = args.length === more + 1 ? ["exact", ...args] : args;
  return [makeMatch(how!, name!, tokens), ...rest];
}

function makeMatch(how: string, text: string, tokens: Dispenser): NameMatch {
  const word = how.toLowerCase();
  if (!MATCHES.includes(word)) {
    throw tokens.error(`${quote(how)} is not a type (${MATCHES.join(", ")})`);
  }
  if (word !== "regex") return { how: word as NameMatch["how"], text: qualified(text) };
  readPattern(tokens, text);
  return { how: "regex", text };
}

/** `{0}` is the whole match. */
function checkGroups(pattern: string, to: string, tokens: Dispenser): void {
  const { groupCount } = readPattern(tokens, pattern);
  for (const [word, number] of to.matchAll(/\{(\d{1,3})\}/g)) {
    if (Number(number) <= groupCount) continue;
    throw tokens.error(`${quote(to)} has ${word}, but ${quote(pattern)} has no such group`);
  }
}

function readPair(
  args: readonly string[],
  tokens: Dispenser,
  { what, read }: { what: string; read: (word: string) => number | null },
): { from: number; to: number } {
  if (args.length !== 2) throw tokens.error(`exactly two arguments are needed (FROM TO)`);
  const [from, to] = args.map((word) => {
    const number = read(word);
    if (number === null) throw tokens.error(`${quote(word)} is not a ${what}`);
    return number;
  });
  return { from: from!, to: to! };
}

/** `30`, `30-300`, `30-` or `-30`, in seconds. */
function readRange(text: string, tokens: Dispenser): { minSeconds: number; maxSeconds: number } {
  const [, min, dash, max] = /^(\d{0,10})(-?)(\d{0,10})$/.exec(text) ?? [];
  const minSeconds = min === "" ? 0 : Number(min);
  const maxSeconds = dash === "" ? minSeconds : max === "" ? MAX_TTL : Number(max);
  const empty = min === undefined || (min === "" && max === "");
  if (empty || minSeconds > maxSeconds || maxSeconds > MAX_TTL) {
    throw tokens.error(`${quote(text)} is not a TTL (SECONDS, MIN-MAX, MIN- or -MAX)`);
  }
  return { minSeconds, maxSeconds };
}

function qualified(name: string): string {
  const lower = name.toLowerCase();
  return lower.endsWith(".") ? lower : `${lower}.`;
}
