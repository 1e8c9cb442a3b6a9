import { readFailure } from "../../corefile/read_failure.ts";
import { checkManifest } from "../../manifest/check.ts";
import type { CheckResult } from "../../manifest/fault.ts";
import { unifiedDiff } from "../../manifest/diff.ts";
import { readManifest } from "../../manifest/documents.ts";
import type { ManifestFault } from "../../manifest/fault.ts";
import { pullFault } from "../../manifest/image.ts";
import { renderManifest } from "../../manifest/render.ts";
import { setImage } from "../../manifest/set_image.ts";
import { fillVariables } from "../../manifest/variables.ts";
import { loadYaml, type Yaml } from "../../manifest/yaml.ts";
import { type FileArguments, readManifestArguments } from "./args.ts";
import { readNodeArguments } from "./node.ts";
import type { Output } from "../output.ts";
import { VERSION } from "../version.ts";

/** What the command needs of the machine. */
export interface ManifestHost {
  readTextFile(path: string): string;
}

/**
 * `nodens manifest`: prints what `kubectl apply -f -` takes. Returns 0, or 1 if a manifest has
 * faults: each is reported with its line, and nothing is printed. Throws `FlagError`.
 */
export async function runManifest(
  args: readonly string[],
  host: ManifestHost,
  output: Output,
): Promise<number> {
  const asked = readManifestArguments(args);
  const yaml = await loadYaml();
  if (asked.action === "render") {
    const why = pullFault(asked.options.image);
    if (why !== null) output.err(`warning: ${why}\n`);
    const comment = `nodens ${VERSION}: nodens manifest ${args.join(" ")}`;
    output.out(renderManifest(asked.options, comment, yaml));
    return 0;
  }
  const { options } = asked;
  let text: string;
  try {
    text = host.readTextFile(options.file);
  } catch (error) {
    output.err(`nodens manifest: cannot read "${options.file}": ${readFailure(error)}\n`);
    return 1;
  }
  if (asked.action === "check") {
    return report(await check(text, options, yaml), options.file, output);
  }
  const filled = fill(text, options, yaml);
  const result = "faults" in filled ? filled : await check(filled.text, options, yaml);
  const code = report(result, options.file, output);
  if (code !== 0 || "faults" in filled) return code;
  output.out(
    asked.diff
      ? unifiedDiff(
        { name: options.file, text },
        { name: `${options.file} (nodens)`, text: filled.text },
      )
      : filled.text,
  );
  return 0;
}

/** The manifest with its variables filled and its image changed, or why that cannot be. */
function fill(text: string, options: FileArguments, yaml: Yaml): { text: string } | CheckResult {
  const filled = fillVariables(text, options);
  const { containers, strangers, faults } = readManifest(filled, yaml);
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
  if (faults.length > 0) return { faults, warnings: [] };
  return { text: setImage(filled, containers, options.image) };
}

async function check(text: string, options: FileArguments, yaml: Yaml): Promise<CheckResult> {
  const { file, given, ranges, localDns, kubeDns, domain } = options;
  const content = readManifest(text, yaml);
  if (content.faults.length > 0) return { faults: content.faults, warnings: [] };
  const isFilled = given.has("from");
  const expected = {
    localDns: given.has("localdns") ? localDns : null,
    kubeDns,
    // The default has been put into the variables of the file; where it had none, it says its own.
    domain: given.has("domain") ? domain : null,
    ranges,
  };
  const result = await checkManifest({ ...content, file, text }, expected, readNodeArguments);
  if (!isFilled && content.containers.length === 0 && content.configTexts.length === 0) {
    result.faults.push({ line: 1, what: "this is not a manifest of nodens or node-cache" });
  }
  return result;
}

function report({ faults, warnings }: CheckResult, file: string, output: Output): number {
  const tell = (kind: string, list: readonly ManifestFault[]) => {
    for (const { line, what } of list) output.err(`${kind}${file}:${line}: ${what}\n`);
  };
  tell("warning: ", warnings);
  tell("", faults);
  return faults.length === 0 ? 0 : 1;
}
