import { type Inherited, readInherited } from "../../inherit/cluster.ts";
import { readConfigMaps } from "../../inherit/config_maps.ts";
import type { ReadArguments } from "../../manifest/check_arguments.ts";
import { inheritInto } from "../../manifest/inherit.ts";
import { readFile } from "../failure.ts";
import type { Output } from "../output.ts";

const OWN_CONFIG_MAP = "kube-dns";

/** The cluster DNS's configuration (`-inherit`). */
export interface Inheritance {
  readonly file: string;
  readonly inherited: Inherited;
}

/** Reads the file of `-inherit`; null after a reported fault. */
export async function readInheritance(
  file: string,
  { host, output }: { host: { readTextFile(path: string): string }; output: Output },
): Promise<Inheritance | null> {
  const text = readFile(file, host);
  try {
    const inherited = await readInherited(await readConfigMaps(text), { skip: OWN_CONFIG_MAP });
    return { file, inherited };
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof AggregateError)) throw error;
    for (const line of error.message.split("\n")) output.err(`${file}: ${line}\n`);
    return null;
  }
}

/** Reports what Corefiles lack; with `bring`, returns the completed manifest. */
export function inheritManifest(
  text: string,
  { file, inherited }: Inheritance,
  { output, bring, ...options }: {
    readonly output: Output;
    readonly bring: boolean;
    readonly domain: string;
    readonly readArguments: ReadArguments;
  },
): string {
  for (const note of inherited.notes) output.err(`note: ${file}: ${note}\n`);
  const result = inheritInto(text, inherited, options);
  for (const { where, what, left } of result.missing) {
    const place = `${file}: ${where}: ${what}`;
    if (bring && left === null) output.err(`brought over: ${place}\n`);
    else if (bring) output.err(`warning: ${place} is not brought over: ${left}\n`);
    else {
      const remedy = left ?? `-from with -inherit ${file} brings it over`;
      output.err(`warning: ${place} is not in the node's Corefile (${remedy})\n`);
    }
  }
  return bring ? result.text : text;
}
