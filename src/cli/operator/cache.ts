import { visibleJson, visibleText } from "../../base/visible.ts";
import type { Call, CommandIo } from "../command.ts";
import { FlagError, type FlagValues } from "../flags.ts";
import { ask, printVerb } from "./ask.ts";
import { type CachedEntry, entryText } from "./entry_text.ts";
import type { OPERATOR_FLAGS } from "./flags.ts";

type Values = FlagValues<typeof OPERATOR_FLAGS> & { block: string };

interface Flushed {
  answers: number;
  denials: number;
  failures: number;
  stale: number;
  files: { path: string; written: boolean }[];
}

/** `nodens flush`. */
export function flush(
  { values, rest }: Call<Values & { all: boolean; type: string }>,
  { output }: CommandIo,
): Promise<number> {
  const [name] = rest;
  const { all, type, block } = values;
  if (all === (name !== undefined)) {
    throw new FlagError(all ? "-all forgets every name (leave the name out)" : "NAME is missing");
  }
  // "example.org/" and "/" are zones.
  const zone = name?.endsWith("/") ? name.slice(0, -1) || "." : undefined;
  const parameters = {
    name: zone === undefined ? name : undefined,
    zone,
    all: all ? "true" : undefined,
    type: type || undefined,
    block: block || undefined,
  };
  const text = ({ answers, denials, failures, stale, files }: Flushed) =>
    `Flushed: answers ${answers}, denials ${denials}, failures ${failures}, stale ${stale}\n` +
    files.filter(({ written }) => !written).map(({ path }) =>
      `"${path}" is not written yet: a start would restore them from there (see the log)\n`
    ).join("");
  const request = { verb: "flush", changes: true, parameters };
  return printVerb(request, { ...values, output, text });
}

/** `nodens lookup`. */
export function lookup({ values, rest }: Call<Values>, { output }: CommandIo): Promise<number> {
  const [name, type] = rest;
  const parameters = { name, type, block: values.block || undefined };
  return list("lookup", parameters, { values, output, none: `; nothing is cached for ${name}\n` });
}

/** `nodens dump`. */
export function dump({ values, rest }: Call<Values>, { output }: CommandIo): Promise<number> {
  const parameters = { zone: rest[0], block: values.block || undefined };
  return list("dump", parameters, { values, output, none: "; nothing is cached\n" });
}

async function list(
  verb: string,
  parameters: Readonly<Record<string, string | undefined>>,
  { values, output, none }: { values: Values; output: CommandIo["output"]; none: string },
): Promise<number> {
  let place = "";
  let found = false;
  for await (const answer of ask({ verb, parameters }, values.control)) {
    found = true;
    if (output.isClosed?.() === true) return 0;
    if (values.json) {
      output.out(`${visibleJson(answer)}\n`);
      continue;
    }
    const entry = answer as CachedEntry;
    const { block, plane } = entry;
    const here = `; server block ${block}${plane === undefined ? "" : `, data plane ${plane}`}\n`;
    if (here !== place) output.out(visibleText(here));
    place = here;
    output.out(visibleText(entryText(entry)));
  }
  if (!found && !values.json) output.out(none);
  return 0;
}
