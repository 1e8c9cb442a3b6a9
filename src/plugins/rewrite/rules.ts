import type { MessageRecord } from "../../engine/response/records.ts";
import type { EdnsChanges } from "./edns.ts";
import { compileMatch, type NameRule, patternRule } from "./names.ts";
import type { RewriteRule } from "./options.ts";
import { type MapName, mapOwner, mapValue } from "./values.ts";

/** Question, as seen by rules. */
export interface RuleQuestion {
  /** Lower case, final dot. */
  name: string;
  qtype: number;
  qclass: number;
  readonly edns: EdnsChanges;
}

/** Response, as seen by rules. */
export interface RuleResponse {
  rcode: number;
  records: MessageRecord[];
}

/** Change to the response of a matched query. */
export type ResponseChange =
  | { kind: "message"; apply(response: RuleResponse): void }
  | { kind: "alias"; rule: NameRule; to: string };

/** Changes the question; returns the changes to its response, or null if it does not match. */
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
  match: Parameters<typeof compileMatch>[0],
  apply: (response: RuleResponse) => void,
): ApplyRule {
  const rule = compileMatch(match);
  const changes: ResponseChange[] = [{ kind: "message", apply }];
  return ({ name }) => rule.matches(name) ? changes : null;
}
