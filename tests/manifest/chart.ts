import assert from "node:assert/strict";
import { parse, parseAllDocuments } from "yaml";
import { missing, skipFor } from "../support/run/require.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
/** Folder of the chart. */
export const CHART = `${ROOT}deploy/helm/nodens`;
/** Where Debian has Go libraries; Helm itself is not to be had there. */
const GO_PATH = "/usr/share/gocode";

/** An object as YAML has it. */
export type Json = Record<string, unknown>;
/** The values that the chart has by itself. */
export const DEFAULTS = parse(Deno.readTextFileSync(`${CHART}/values.yaml`)) as Json;

const SPRIG = `${GO_PATH}/src/github.com/Masterminds/sprig`;
/** Why the chart cannot be rendered here. Of a library one of its files is looked for. */
export const helmReasons = missing(["go", `${SPRIG}/functions.go`]);
/** What a test says that renders the chart. */
export const needsHelm = skipFor(helmReasons);

/** The objects of a manifest in the order of kind, namespace and name. */
export function objects(text: string): Json[] {
  const key = ({ kind, metadata }: Json) => {
    const { namespace, name } = metadata as Json;
    return `${kind} ${namespace} ${name}`;
  };
  return parseAllDocuments(text).map((one) => {
    assert.deepEqual(one.errors, []);
    return one.toJS() as Json;
  }).filter((one) => one !== null).sort((a, b) => key(a) < key(b) ? -1 : 1);
}

/** The values of an installation that sets these, and what must be given. */
export function withDefaults(values: Json): Json {
  return { ...structuredClone(DEFAULTS), kubeDns: "10.96.0.10", ...values };
}

/** The program that renders charts, made once. */
let renderer: string | null = null;

function makeRenderer(): string {
  const folder = Deno.makeTempDirSync({ prefix: "nodens_test_" });
  globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  const program = `${folder}/helm_template`;
  const { success, stderr } = new Deno.Command("go", {
    args: ["build", "-o", program, `${ROOT}tests/manifest/helm_template.go`],
    env: {
      GO111MODULE: "off",
      GOPATH: GO_PATH,
      // Where there is no home to keep compiled files in.
      ...Deno.env.has("HOME") ? {} : { GOCACHE: `${Deno.env.get("TMPDIR") ?? "/tmp"}/go-build` },
    },
  }).outputSync();
  assert.ok(success, new TextDecoder().decode(stderr));
  return program;
}

/** Renders the chart as Helm would. */
export async function renderChart(values: Json, namespace = "kube-system") {
  const chart = parse(Deno.readTextFileSync(`${CHART}/Chart.yaml`));
  const child = new Deno.Command(renderer ??= makeRenderer(), {
    args: [CHART],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify({
    Values: values,
    Release: { Namespace: namespace, Name: "nodens" },
    Chart: { AppVersion: chart.appVersion, Version: chart.version },
  })));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}
