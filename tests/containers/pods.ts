import assert from "node:assert/strict";
import { mustRun } from "../../release/command.ts";
import { type Json, objects, renderChart, withDefaults } from "../manifest/chart.ts";
import { MAIN } from "../support/processes/nodens.ts";
import { withFolder } from "../support/run/folder.ts";
import { ADDRESS, KUBE_DNS } from "./network.ts";
import { tryOperator } from "./operator.ts";
import { CAPABILITIES, ROOT_USER } from "./rights.ts";
import type { Site } from "./site.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const PUBLISHED = `${ROOT}tests/manifest/nodelocaldns.yaml`;

interface Way {
  /** The page with commands for its pods. */
  readonly page: string;
  readonly confined: boolean;
  render(image: string): Promise<string>;
}

export const WAYS: Readonly<Record<string, Way>> = {
  "nodens manifest": {
    page: "docs/kubernetes.md",
    confined: true,
    render: (image) => nodens("-image", image),
  },
  "the chart": {
    page: "docs/kubernetes.md",
    confined: true,
    async render(image) {
      const { code, out, err } = await renderChart(withDefaults({ kubeDns: KUBE_DNS, image }));
      assert.equal(code, 0, err);
      return out;
    },
  },
  "kustomize": {
    page: "docs/kubernetes.md",
    confined: true,
    async render(image) {
      return await withFolder(async (folder) => {
        await mustRun("cp", ["-r", `${ROOT}deploy/kustomize/base`, folder]);
        Deno.mkdirSync(`${folder}/overlay`);
        Deno.writeTextFileSync(`${folder}/overlay/kustomization.yaml`, overlay(image));
        return await mustRun("kubectl", ["kustomize", `${folder}/overlay`]);
      });
    },
  },
  "the published manifest with another image": {
    page: "docs/migrate-from-node-cache.md",
    confined: false,
    render: (image) => nodens("-from", PUBLISHED, "-image", image),
  },
};

function nodens(...args: string[]): Promise<string> {
  const run = ["run", "-A", "--no-lock", MAIN, "manifest", "-kubedns", KUBE_DNS];
  return mustRun(Deno.execPath(), [...run, ...args]);
}

function overlay(image: string): string {
  const page = Deno.readTextFileSync(`${ROOT}docs/kubernetes.md`);
  const [, text] = /An overlay [^]*?\n```yaml\n([^]*?)```\n/.exec(page)!;
  const [, name] = /^(.*):/.exec(image)!;
  const filled = text!.replace(/newName: .*/, `newName: ${name}`);
  assert.notEqual(filled, text);
  return filled;
}

interface Pod {
  readonly text: string;
  readonly name: string;
  readonly container: string;
  readonly args: readonly string[];
  readonly probes: readonly string[];
}

interface Probe {
  httpGet: { host: string; path: string; port: number };
}

/**
 * The DaemonSet's pod with its config maps and kubelet's additions: the pod's address and a
 * Service's variable.
 */
function podOf(manifest: string): Pod {
  const all = objects(manifest);
  // deno-lint-ignore no-explicit-any -- Kubernetes validates it
  const { metadata, spec } = (all.find(({ kind }) => kind === "DaemonSet") as any).spec.template;
  // Ports of a pod in the host's network are for the scheduler.
  const [{ ports: _, ...container }] = spec.containers;
  const env = (container.env ?? []).map(
    ({ name, valueFrom }: { name: string; valueFrom: Json }) => {
      assert.deepEqual(valueFrom, { fieldRef: { fieldPath: "status.podIP" } });
      return { name, value: ADDRESS.node };
    },
  );
  env.push({ name: "KUBE_DNS_UPSTREAM_SERVICE_HOST", value: ADDRESS.cluster });
  const name = "node-local-dns-pod";
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { ...metadata, name },
    spec: { ...spec, containers: [{ ...container, env }] },
  };
  const maps = all.filter(({ kind }) => kind === "ConfigMap");
  const probes = [container.readinessProbe, container.livenessProbe] as (Probe | undefined)[];
  return {
    text: [...maps, pod].map((one) => JSON.stringify(one)).join("\n---\n"),
    name,
    container: `${name}-${container.name}`,
    args: container.args,
    probes: probes.filter((probe) => probe !== undefined).map(({ httpGet }) =>
      `http://${httpGet.host}:${httpGet.port}${httpGet.path}`
    ),
  };
}

function commandsIn(page: string): string[] {
  const text = Deno.readTextFileSync(ROOT + page);
  const found = [...text.matchAll(/ exec \S+ -- nodens ([^`\n]+)/g)].map(([, words]) => words!);
  assert.notEqual(found.length, 0, page);
  return found;
}

/** Runs a manifest's pod on the node, in front of the cluster's DNS, and stops it. */
export async function tryPod(
  site: Site,
  { page, confined, render }: Way,
  { image, folder, backend }: { image: string; folder: string; backend: "nft" | "legacy" },
): Promise<void> {
  const { network } = site;
  const pod = podOf(await render(image));
  // kubelet's chain shows the backend of iptables.
  const hint = ["-t", "mangle", "-N", "KUBE-IPTABLES-HINT"];
  await network.must("node", `iptables-${backend}`, ...hint);
  const file = `${folder}/pod.yaml`;
  Deno.writeTextFileSync(file, pod.text);
  await site.podman(["play", "kube", file], "node");
  await site.until(pod.container, async () => {
    for (const url of pod.probes) {
      await network.must("node", "curl", "--fail", "--silent", "--max-time", "5", url);
    }
  });
  await site.until(
    pod.container,
    async () => assert.notEqual((await network.rules(backend)).length, 0),
  );
  await site.assertAnswers(pod.container, "cluster", KUBE_DNS);
  if (confined) {
    await site.assertConfined(pod.container, { ...ROOT_USER, capabilities: CAPABILITIES.node });
  }
  for (const command of [...commandsIn(page), ...commandsIn("docs/doctor.md")]) {
    const line = command.replace("ARGUMENTS", pod.args.join(" "));
    const text = await site.nodens(pod.container, line, "node");
    if (line.startsWith("status")) assert.match(text, /^nodens .* process 1, .* driver linux, /);
  }
  const upstream = new RegExp(`^\\. +${ADDRESS.cluster}:53 +up `, "m");
  await tryOperator(site, pod.container, {
    cached: "example.org",
    upstream,
    where: "node",
  });
  await site.stopPod(pod.name, pod.container);
  for (const kind of ["nft", "legacy"] as const) assert.deepEqual(await network.rules(kind), []);
  assert.equal(network.node.can("link", "show", "nodelocaldns"), false, "no interface is left");
  await network.must("node", `iptables-${backend}`, ...hint.with(-2, "-X"));
}
