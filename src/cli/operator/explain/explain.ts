import type {
  AskedAnswer,
  ExplainAnswer,
  PlaneExplanation,
  ShownMessage,
  ShownStep,
} from "../../../control/explain/answer.ts";
import type { Call, CommandIo } from "../../command.ts";
import type { FlagValues } from "../../flags.ts";
import { printVerb } from "../ask.ts";
import type { EXPLAIN_FLAGS } from "./flags.ts";

/** `nodens explain`. */
export function explain(
  { values, rest }: Call<FlagValues<typeof EXPLAIN_FLAGS>>,
  { output }: CommandIo,
): Promise<number> {
  const { from, listener, dnssec, cd, tcp, ask } = values;
  const given = (on: boolean) => on ? "on" : undefined;
  const parameters = {
    name: rest[0],
    type: rest[1],
    class: values.class || undefined,
    from: from || undefined,
    listener: listener || undefined,
    tcp: given(tcp),
    dnssec: given(dnssec),
    cd: given(cd),
  };
  const verb = ask ? "ask" : "explain";
  return printVerb({ verb, changes: ask, parameters }, { ...values, output, text: explainText });
}

const MAX_RECORDS = 20;
const MAX_LISTENERS = 5;
const INDENT = "  ";

/** A query's way through the chain. */
export function explainText({ question, planes, asked }: ExplainAnswer): string {
  const [first, ...others] = planes as [PlaneExplanation, ...PlaneExplanation[]];
  const { name, type, class: qclass, transport, dnssec, checkingDisabled } = question;
  const flags = `${dnssec ? " with DO" : ""}${checkingDisabled ? " with CD" : ""}`;
  const shownClass = qclass === "IN" ? "" : `${qclass} `;
  const who = first.clientName === null ? first.client : `${first.client} ${first.clientName}`;
  const title = `${name} ${shownClass}${type} from ${who} over ${transport.toUpperCase()}${flags}`;
  const width = Math.max(...["listener", ...first.steps.map(({ plugin }) => plugin)]
    .map(({ length }) => length)) + 2;
  const row = (head: string, text: string) => `${INDENT}${head.padEnd(width)}${text}`;
  const lines = [
    title,
    row("listener", listenerText(first)),
    row("block", blockText(first)),
    ...stepLines(first.steps, { width, row, file: fileOf(first) }),
    ...first.refusal === null
      ? []
      : [row("answer", `${first.refusal.rcode}: ${first.refusal.reason}`)],
    ...others.flatMap((other, i) => differences(other, first, { number: i + 2, width, row })),
    ...asked === null ? [] : askedLines(asked, planes.length),
  ];
  return `${lines.map(printable).join("\n")}\n`;
}

function listenerText({ listener, otherListeners }: PlaneExplanation): string {
  if (otherListeners.length === 0) return listener;
  const left = otherListeners.length - MAX_LISTENERS;
  const more = left > 0 ? ` and ${left} more` : "";
  const shown = otherListeners.slice(0, MAX_LISTENERS).join(" ");
  return `${listener} (others: ${shown}${more}; -listener)`;
}

function blockText({ block }: PlaneExplanation): string {
  if (block === null) return "none";
  const { zones, place, zone, reason } = block;
  const others = zones.length > 1 ? ` of ${zones.join(" ")}` : "";
  return `${zone}${others} (${place}): ${reason}`;
}

interface Layout {
  readonly width: number;
  readonly row: (head: string, text: string) => string;
  readonly file: string;
}

function stepLines(steps: readonly ShownStep[], { width, row, file }: Layout): string[] {
  const indent = INDENT + " ".repeat(width);
  const reached = steps.filter(({ verdict }) => verdict !== "not reached");
  const rest = steps.filter(({ verdict }) => verdict === "not reached");
  return [
    ...reached.flatMap((step) => [
      row(step.plugin, `${stepText(step)} (${placeText(step.place, file)})`),
      ...step.notes.map((note) => `${indent}${INDENT}${note}`),
      ...step.answer === null ? [] : messageLines(step.answer, `${indent}${INDENT}`),
    ]),
    ...rest.length === 0
      ? []
      : [row("", `not reached: ${rest.map(({ plugin }) => plugin).join(", ")}`)],
  ];
}

function stepText({ verdict, reason, refresh }: ShownStep): string {
  const words = {
    passes: "passes: ",
    changes: "changes the query: ",
    answers: "answers: ",
    refuses: "refuses: ",
    drops: "drops it: ",
    asks: "would ask ",
    acts: "",
    "not reached": "not reached",
  }[verdict];
  return `${refresh ? "to refresh it, " : ""}${words}${reason}`;
}

function placeText(place: string, file: string): string {
  return place.startsWith(`${file}:`) ? `line ${place.slice(file.length + 1)}` : place;
}

function fileOf({ block }: PlaneExplanation): string {
  return block === null ? "" : block.place.replace(/:[0-9]+$/, "");
}

/** Each data plane has its own cache. */
function differences(
  other: PlaneExplanation,
  first: PlaneExplanation,
  { number, ...layout }: Omit<Layout, "file"> & { number: number },
): string[] {
  const same = (step: ShownStep) => {
    const its = first.steps.find(({ plugin, place }) =>
      plugin === step.plugin && place === step.place
    );
    return its !== undefined && essenceOf(its) === essenceOf(step);
  };
  const steps = other.steps.filter((step) => step.verdict !== "not reached" && !same(step));
  if (steps.length === 0) return [`data plane ${number} does the same`];
  return [`data plane ${number} differs:`, ...stepLines(steps, { ...layout, file: fileOf(other) })];
}

/** Times and shares differ always. */
function essenceOf(step: ShownStep): string {
  return stepText(step).replace(/\([^)]*\)|[0-9.]+ (?:s|ms|%)/g, "");
}

function askedLines(asked: AskedAnswer, planes: number): string[] {
  const { answer, ms, steps, error } = asked;
  const where = planes > 1 ? " (data plane 1)" : "";
  const what = answer === null ? "no answer is sent" : answer.rcode;
  const plugins = steps.map(({ plugin }) => plugin.length);
  const width = Math.max(0, ...plugins) + 2;
  return [
    `asked${where}: ${what} in ${msText(ms)}${sourceText(asked)}`,
    ...error === "" ? [] : [`${INDENT}error: ${error}`],
    ...answer === null ? [] : messageLines(answer, INDENT),
    ...steps.map(({ plugin, did, atMs, tookUs, own }) => {
      const took = tookUs === null ? "" : ` (${Math.max(1, Math.round(tookUs))} µs)`;
      const whose = own ? " for a query of nodens' own" : "";
      return `${INDENT}${msText(atMs).padStart(9)}  ${plugin.padEnd(width)}${did}${whose}${took}`;
    }),
  ];
}

function sourceText({ answeredBy, cached, stale, upstream, asks, hedged }: AskedAnswer): string {
  const who = stale
    ? "a stale entry"
    : cached
    ? "the cache"
    : answeredBy === null
    ? "nodens itself"
    : answeredBy;
  const queries = asks === 0 ? "" : `, ${asks} ${asks === 1 ? "query" : "queries"} to upstreams`;
  const server = upstream === "" ? "" : ` (${cached || stale ? "once from " : ""}${upstream})`;
  return `, by ${who}${server}${queries}${hedged ? ", hedged" : ""}`;
}

function messageLines(message: ShownMessage, indent: string): string[] {
  const { rcode, flags, answer, authority, additional, errors, omittedRecords = 0 } = message;
  const records = [
    ...answer,
    ...authority.map((record) => `authority: ${record}`),
    ...additional.map((record) => `additional: ${record}`),
  ];
  const left = records.length + omittedRecords - MAX_RECORDS;
  return [
    `${rcode}${flags.length === 0 ? "" : `, ${flags.join(" ")}`}${errors.map(errorText).join("")}`,
    ...records.slice(0, MAX_RECORDS),
    ...left > 0 ? [`and ${left} more records (-json)`] : [],
  ].map((line) => `${indent}${line}`);
}

function errorText({ code, text }: ShownMessage["errors"][number]): string {
  return `, extended error ${code}${text === "" ? "" : ` "${text}"`}`;
}

function msText(ms: number): string {
  return `${ms < 10 ? ms.toFixed(2) : ms.toFixed(0)} ms`;
}

function printable(line: string): string {
  return line.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (one) => `\\u${one.codePointAt(0)!.toString(16).padStart(4, "0")}`,
  );
}
