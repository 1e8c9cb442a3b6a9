import { commandHost } from "../../control/host_deno.ts";
import { type Inherited, readInherited } from "../../inherit/cluster.ts";
import { readConfigMaps } from "../../inherit/config_maps.ts";
import { checkManifest } from "../../manifest/check.ts";
import type { NodeArguments } from "../../manifest/check_arguments.ts";
import { unifiedDiff } from "../../manifest/diff.ts";
import { type CheckResult, type ManifestFault, readManifest } from "../../manifest/documents.ts";
import { fillVariables, pullFault, setImage } from "../../manifest/fill.ts";
import { inheritInto } from "../../manifest/inherit.ts";
import { renderManifest } from "../../manifest/objects.ts";
import type { Call, CommandIo } from "../command.ts";
import { readFile } from "../failure.ts";
import { FlagError, parseFlags } from "../flags.ts";
import type { Output } from "../output.ts";
import { readServeOptions, SERVE_FLAGS } from "../serve/flags.ts";
import { VERSION } from "../version.ts";
import { type FileArguments, type ManifestValues, readManifestArguments } from "./args.ts";

/** Read from its mount. */
const OWN_CONFIG_MAP = "kube-dns";

/** `nodens manifest`: 0, or 1 without output. */
export async function run(
  call: Call<ManifestValues>,
  { output }: CommandIo,
  host: { readTextFile(path: string): string } = commandHost,
): Promise<number> {
  const asked = readManifestArguments(call);
  const { inherit } = call.values;
  const inherited = inherit === "" ? null : await readMaps(readFile(inherit, host));
  if (inherited instanceof Error) {
    for (const line of inherited.message.split("\n")) output.err(`${inherit}: ${line}\n`);
    return 1;
  }
  const { domain } = asked.options;
  const withInherited = (text: string, bring: boolean) =>
    inherited === null
      ? text
      : inheritManifest(text, inherited, { file: inherit, output, bring, domain });
  if (asked.action === "render") {
    const why = pullFault(asked.options.image);
    if (why !== null) output.err(`warning: ${why}\n`);
    const comment = `nodens ${VERSION}: nodens manifest ${call.args.join(" ")}`;
    const text = withInherited(renderManifest(asked.options, comment), true);
    if (inherited !== null) {
      const expected = { localDns: null, kubeDns: null, domain: null, ranges: [] };
      const manifest = { ...readManifest(text), file: inherit, text };
      const { faults } = await checkManifest(manifest, expected, readNodeArguments);
      if (report({ faults, warnings: [] }, "manifest", output) !== 0) return 1;
    }
    output.out(text);
    return 0;
  }
  const { options } = asked;
  const { file } = options;
  const text = readFile(file, host);
  if (asked.action === "check") {
    withInherited(text, false);
    return report(await check(text, options), file, output);
  }
  const filled = fill(text, options);
  if (typeof filled !== "string") return report(filled, file, output);
  const made = withInherited(filled, true);
  const code = report(await check(made, options), file, output);
  if (code !== 0) return code;
  const after = { name: `${file} (nodens)`, text: made };
  output.out(asked.diff ? unifiedDiff({ name: file, text }, after) : made);
  return 0;
}

/** The cluster DNS's configuration, or faults. */
async function readMaps(text: string): Promise<Inherited | Error> {
  try {
    return await readInherited(await readConfigMaps(text), { skip: OWN_CONFIG_MAP });
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof AggregateError) return error;
    throw error;
  }
}

/** Reports what Corefiles lack, or adds it (`bring`). */
function inheritManifest(
  text: string,
  inherited: Inherited,
  { file, output, bring, domain }: {
    file: string;
    output: Output;
    bring: boolean;
    domain: string;
  },
): string {
  for (const note of inherited.notes) output.err(`note: ${file}: ${note}\n`);
  const result = inheritInto(text, inherited, { domain, readArguments: readNodeArguments });
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

function fill(text: string, options: FileArguments): string | CheckResult {
  const filled = fillVariables(text, options);
  const { containers, strangers, faults } = readManifest(filled);
  if (faults.length === 0 && containers.length === 0) {
    const names = strangers.length === 0 ? "none at all" : strangers.join(", ");
    const what = `no DaemonSet has a container whose image is node-cache (there are ${names}), so` +
      " there is no image to change";
    faults.push({ line: 1, what });
  }
  for (const { line, name, image } of containers) {
    if (image === null) faults.push({ line, what: `the container "${name}" has no image` });
    else if (/^[|>]|\n/.test(filled.slice(image.start, image.end))) {
      faults.push({ line: image.line, what: "the image takes several lines (write it on one)" });
    }
  }
  return faults.length > 0 ? { faults, warnings: [] } : setImage(filled, containers, options.image);
}

async function check(text: string, options: FileArguments): Promise<CheckResult> {
  const { file, given, ranges, localDns, kubeDns, domain } = options;
  const content = readManifest(text);
  if (content.faults.length > 0) return { faults: content.faults, warnings: [] };
  const expected = {
    localDns: given.has("localdns") ? localDns : null,
    kubeDns,
    domain: given.has("domain") ? domain : null,
    ranges,
  };
  const result = await checkManifest({ ...content, file, text }, expected, readNodeArguments);
  const empty = content.containers.length === 0 && content.configTexts.length === 0;
  if (empty && !given.has("from")) {
    result.faults.push({ line: 1, what: "this is not a manifest of nodens or node-cache" });
  }
  return result;
}

function readNodeArguments(args: readonly string[]): NodeArguments {
  /** Throws `FlagError`. */
  const { values, given, rest } = parseFlags(args, SERVE_FLAGS);
  if (rest.length > 0) throw new FlagError(`unexpected argument "${rest[0]}" (flags begin with -)`);
  const { localIps, dnsPort, template } = readServeOptions({ values, given }).node;
  return {
    localIps,
    dnsPort,
    baseFile: template?.baseFile ?? "",
    target: template?.target ?? (values.conf || "/Corefile"),
    domain: given.has("domain") ? template?.domain ?? null : null,
    metricsEndpoint: template?.metricsEndpoint ?? values["prometheus-listen-address"],
  };
}

function report({ faults, warnings }: CheckResult, file: string, output: Output): number {
  const print = (kind: string, list: readonly ManifestFault[]) => {
    for (const { line, what } of list) output.err(`${kind}${file}:${line}: ${what}\n`);
  };
  print("warning: ", warnings);
  print("", faults);
  return faults.length === 0 ? 0 : 1;
}
