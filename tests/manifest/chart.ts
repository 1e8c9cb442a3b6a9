import assert from "node:assert/strict";
import { parse, parseAllDocuments } from "yaml";
import { missing, skipFor } from "../support/run/require.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
export const CHART = `${ROOT}deploy/helm/nodens`;
/** Debian's Go libraries; Debian does not package Helm. */
const GO_PATH = "/usr/share/gocode";

export type Json = Record<string, unknown>;
export const DEFAULTS = parse(Deno.readTextFileSync(`${CHART}/values.yaml`)) as Json;

const SPRIG = `${GO_PATH}/src/github.com/Masterminds/sprig`;
/** Reasons why the chart cannot be rendered here; a library is found by one of its files. */
export const helmReasons = missing(["go", `${SPRIG}/functions.go`]);
export const needsHelm = skipFor(helmReasons);

/** Objects of a manifest, sorted by kind, namespace and name. */
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

export function withDefaults(values: Json): Json {
  return { ...structuredClone(DEFAULTS), kubeDns: "10.96.0.10", ...values };
}

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
      // Without a home for compiled files.
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
