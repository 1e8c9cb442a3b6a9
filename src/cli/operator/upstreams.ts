import type { Call, CommandIo } from "../command.ts";
import { FlagError, type FlagValues } from "../flags.ts";
import { printVerb } from "./ask.ts";
import type { OPERATOR_FLAGS } from "./flags.ts";
import { type UpstreamsAnswer, upstreamsText } from "./upstreams_text.ts";

type Values = FlagValues<typeof OPERATOR_FLAGS> & { force: boolean };

interface Changed {
  to: string;
  state: "down" | "up" | "auto";
  forwards: string[];
}

/** `nodens upstreams`. */
export function upstreams({ values, rest }: Call<Values>, { output }: CommandIo): Promise<number> {
  const [state, to] = rest;
  if (values.force && state !== "down") throw new FlagError("-force goes with down only");
  if (state === undefined) {
    const text = (answer: UpstreamsAnswer) => upstreamsText(answer);
    return printVerb({ verb: "upstreams" }, { ...values, output, text });
  }
  if (to === undefined) throw new FlagError("ADDRESS is missing");
  const parameters = { state, to, force: values.force ? "true" : undefined };
  return printVerb(
    { verb: "upstreams/set", changes: true, parameters },
    { ...values, output, text: changedText },
  );
}

function changedText({ to, state, forwards }: Changed): string {
  const where = forwards.length === 0 ? "" : ` by forward in ${forwards.join(", ")}`;
  if (state === "auto") return `${to} is used as its checks say${where}.\n`;
  const what = state === "down" ? "is not used" : "is used whatever its checks say";
  return `${to} ${what}${where}, until a restart or "nodens upstreams auto ${to}".\n`;
}
