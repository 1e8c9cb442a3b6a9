import type { ReloadStatus } from "../../control/endpoints/status.ts";
import type { Call, CommandIo } from "../command.ts";
import type { FlagValues } from "../flags.ts";
import { printVerb } from "./ask.ts";
import type { OPERATOR_FLAGS } from "./flags.ts";

type Values = FlagValues<typeof OPERATOR_FLAGS>;

/** `nodens reload`. */
export function reload({ values }: Call<Values>, { output }: CommandIo): Promise<number> {
  const text = ({ at }: ReloadStatus) => `The Corefile of ${at} is served.\n`;
  return printVerb({ verb: "reload", changes: true }, { ...values, output, text });
}

/** `nodens log debug on|off`. */
export function log(
  { values, rest }: Call<Values & { for: string }>,
  { output }: CommandIo,
): Promise<number> {
  const parameters = { debug: rest[1], for: values.for || undefined };
  const text = ({ debug, forSeconds }: { debug: boolean; forSeconds: number | null }) =>
    `Debug lines are ${debug ? "logged" : "not logged"}${
      forSeconds === null ? "" : ` for ${forSeconds} s`
    }.\n`;
  return printVerb({ verb: "log", changes: true, parameters }, { ...values, output, text });
}

/** `nodens stop`. */
export function stop({ values }: Call<Values>, { output }: CommandIo): Promise<number> {
  const text = () => "nodens is stopping.\n";
  return printVerb({ verb: "stop", changes: true }, { ...values, output, text });
}
