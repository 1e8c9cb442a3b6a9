import type { LostLines, WatchLine } from "../../control/observe/watch.ts";
import type { Call, CommandIo } from "../command.ts";
import type { FlagValues } from "../flags.ts";
import { printVerb } from "./ask.ts";
import type { OPERATOR_FLAGS } from "./flags.ts";

type Values = FlagValues<typeof OPERATOR_FLAGS> & {
  client: string;
  name: string;
  rcode: string;
  slow: number;
  sample: number;
};

/** `nodens watch`, until interrupted. */
export function watch({ values }: Call<Values>, { output }: CommandIo): Promise<number> {
  const { control, json, client, name, rcode, slow, sample } = values;
  const parameters = {
    client: client || undefined,
    name: name || undefined,
    rcode: rcode || undefined,
    slow: slow === 0 ? undefined : String(slow),
    sample: sample === 1 ? undefined : String(sample),
  };
  return printVerb({ verb: "watch", parameters }, {
    control,
    json,
    output,
    text: watchText,
  });
}

/** Formats a line. */
export function watchText(line: WatchLine | LostLines): string {
  if ("lost" in line) {
    return line.lost === null
      ? "(some lines were lost)\n"
      : `(${line.lost} lines were lost: too many for this reader; see -sample)\n`;
  }
  const { time, client, clientName, name, type, rcode, source, upstream, waitedMs } = line;
  const who = clientName === null ? client || "-" : `${client} ${clientName}`;
  const from = upstream === "" ? source : `${source} ${upstream}`;
  const parts = [time.slice(11, 23), who, type, name, rcode, answerText(line), from];
  parts.push(`${waitedMs.toFixed(1)} ms`);
  if (line.transport === "tcp") parts.push("tcp");
  if (line.reason !== "") parts.push(`(${line.reason})`);
  return `${parts.filter((part) => part !== "").join(" ")}\n`;
}

function answerText({ answers, address, ttl }: WatchLine): string {
  if (answers === 0) return "";
  const others = address === "" ? answers : answers - 1;
  const records = address === ""
    ? `${others} records`
    : others === 0
    ? address
    : `${address} +${others}`;
  return ttl === null ? records : `${records} ttl ${ttl}`;
}
