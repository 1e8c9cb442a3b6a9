import type { HostView } from "../../config/host.ts";
import { readFailure } from "../../corefile/read_failure.ts";
import { readInherited } from "../../inherit/cluster.ts";
import { compare } from "../../inherit/compare.ts";
import { readConfigMaps } from "../../inherit/config_maps.ts";
import type { CorefileFacts } from "../judge/corefile.ts";
import type { InheritFacts } from "../judge/inherit.ts";
import type { DoctorOptions } from "./options.ts";

/** Compares the Corefile with the ConfigMaps. */
export async function probeInherit(
  { inherit: file, domain, node: { dnsPort: port } }: DoctorOptions,
  { served }: CorefileFacts,
  host: HostView,
): Promise<InheritFacts> {
  let maps: string;
  try {
    maps = host.readTextFile(file);
  } catch (error) {
    return { file, why: `cannot read "${file}": ${readFailure(error)}`, isFault: true };
  }
  try {
    const inherited = await readInherited(await readConfigMaps(maps), { skip: null });
    if (served === null) return { file, why: "the Corefile cannot be read", isFault: false };
    const { file: path, text } = served;
    const node = { text, filled: text, file: path, view: host, port, domain };
    return { file, missing: compare(inherited, node).missing, notes: inherited.notes };
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof AggregateError)) throw error;
    return { file, why: error.message, isFault: true };
  }
}
