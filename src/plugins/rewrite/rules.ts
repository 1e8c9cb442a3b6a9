import type { MessageRecord } from "../../engine/response/records.ts";
import type { EdnsChanges } from "./edns.ts";
import { compilePattern } from "../pattern.ts";
import type { NameMatch, RewriteRule } from "./options.ts";
import { type MapName, mapOwner, mapValue } from "./values.ts";

/** Names are lower case, with the final dot. */
interface NameRule {
  matches(name: string): boolean;
  /** Null without a match. */
  replace(name: string, to: string): string | null;
}

/** As seen by rules. */
export interface RuleQuestion {
  /** Lower case, final dot. */
  name: string;
  qtype: number;
  qclass: number;
  readonly edns: EdnsChanges;
}

/** As seen by rules. */
export interface RuleResponse {
  rcode: number;
  records: MessageRecord[];
}

/** For a matched query. */
export type ResponseChange =
  | { kind: "message"; apply(response: RuleResponse): void }
  | { kind: "alias"; rule: NameRule; to: string };

/** Returns changes to the response, or null without a match. */
type ApplyRule = (question: RuleQuestion) => ResponseChange[] | null;

/** Compiles a valid rule. */
export function compileRule(rule: RewriteRule): ApplyRule {
  switch (rule.field) {
    case "name":
      return nameRule(rule);
    case "type":
    case "class": {
      const field = `q${rule.field}` as const;
      return (question) => {
        if (question[field] !== rule.from) return null;
        question[field] = rule.to;
        return [];
      };
    }
    case "ttl":
      return whenMatching(rule.match, ({ records }) => {
        const { minSeconds, maxSeconds } = rule;
        for (const record of records) {
          record.ttlSeconds = Math.min(maxSeconds, Math.max(minSeconds, record.ttlSeconds));
        }
      });
    case "rcode":
      return whenMatching(rule.match, (response) => {
        if (response.rcode === rule.from) response.rcode = rule.to;
      });
    case "edns0":
      return (question) => question.edns.apply(rule) ? [] : null;
    case "cname": {
      const change = { kind: "alias", rule: compileMatch(rule.match), to: rule.to } as const;
      return () => [change];
    }
  }
}

function nameRule(
  { match, to, auto, answers }: RewriteRule & { field: "name" },
): ApplyRule {
  const rule = compileMatch(match);
  const explicit = answers.map(({ what, pattern, to }) => {
    const { replace } = patternRule(pattern);
    const map: MapName = (name) => replace(name, to);
    return change(what === "name" ? mapOwner : mapValue, map);
  });
  return (question) => {
    const before = question.name;
    const after = rule.replace(before, to);
    if (after === null) return null;
    question.name = after;
    if (!auto) return explicit;
    const back: MapName = match.how === "suffix"
      ? (name) => withSuffix(name, to, match.text)
      : (name) => name === after ? before : withSuffix(name, `.${after}`, `.${before}`);
    return [change(mapOwner, back), change(mapValue, back), ...explicit];
  };
}

function withSuffix(name: string, suffix: string, other: string): string | null {
  return name.endsWith(suffix) ? name.slice(0, name.length - suffix.length) + other : null;
}

function change(
  map: (record: MessageRecord, to: MapName) => void,
  to: MapName,
): ResponseChange {
  return {
    kind: "message",
    apply: ({ records }) => records.forEach((record) => map(record, to)),
  };
}

function whenMatching(
  match: NameMatch,
  apply: (response: RuleResponse) => void,
): ApplyRule {
  const rule = compileMatch(match);
  const changes: ResponseChange[] = [{ kind: "message", apply }];
  return ({ name }) => rule.matches(name) ? changes : null;
}

function compileMatch({ how, text }: NameMatch): NameRule {
  if (how === "regex") return patternRule(text);
  const test = {
    exact: (name: string) => name === text,
    prefix: (name: string) => name.startsWith(text),
    suffix: (name: string) => name.endsWith(text),
    substring: (name: string) => name.includes(text),
  }[how];
  const put = {
    exact: (_: string, to: string) => to,
    prefix: (name: string, to: string) => to + name.slice(text.length),
    suffix: (name: string, to: string) => name.slice(0, name.length - text.length) + to,
    substring: (name: string, to: string) => name.replaceAll(text, to),
  }[how];
  return { matches: test, replace: (name, to) => test(name) ? put(name, to) : null };
}

/** `{0}`, `{1}`, ... in a replacement are its groups. */
function patternRule(pattern: string): NameRule {
  const { matches, groups: find } = compilePattern(pattern);
  return {
    matches,
    replace(name, to) {
      const groups = find(name);
      if (groups === null) return null;
      return to.replace(/\{(\d+)\}/g, (word, number) => groups[Number(number)] ?? word);
    },
  };
}
