/** Raises every alert with the labels that Prometheus gives to the manifest's pods. */
import assert from "node:assert/strict";
import { parse, parseAllDocuments } from "yaml";
import { manifest } from "../manifest/support.ts";
import { mustRun } from "../../release/command.ts";
import { withFolder } from "../support/run/folder.ts";
import { skipUnless } from "../support/run/require.ts";
import { type AlertCase, ALERTS, type Series } from "./cases.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const RULES_FILE = `${ROOT}deploy/prometheus/nodens.rules.yml`;

interface Rule {
  alert: string;
  expr: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

const RULES: Rule[] = parse(Deno.readTextFileSync(RULES_FILE)).groups
  .flatMap(({ rules }: { rules: Rule[] }) => rules);

type Labels = Record<string, string>;

/**
 * Labels of a pod's target by the printed PodMonitor: job, pod and namespace come from the
 * operator, the instance from Prometheus, the others from relabelings.
 */
async function podMonitorTarget(): Promise<Labels> {
  const { out } = await manifest(["-kubedns", "10.96.0.10", "-pod-monitor"]);
  const monitor = parseAllDocuments(out).map((one) => one.toJS())
    .find(({ kind }) => kind === "PodMonitor");
  const { namespace, name } = monitor.metadata;
  const labels: Labels = {
    __meta_kubernetes_pod_ip: "192.0.2.7",
    __meta_kubernetes_pod_node_name: "worker-7",
    job: `${namespace}/${name}`,
    namespace,
    pod: `${name}-x7k2p`,
  };
  for (const relabeling of monitor.spec.podMetricsEndpoints[0].relabelings) {
    const { sourceLabels, regex = "(.*)", replacement = "$1", targetLabel } = relabeling;
    const found = new RegExp(`^(?:${regex})$`).exec(labels[sourceLabels[0]]!);
    if (found !== null) labels[targetLabel] = replacement.replace("$1", found[1]!);
  }
  labels["instance"] = labels["__address__"]!;
  return Object.fromEntries(Object.entries(labels).filter(([key]) => !key.startsWith("__")));
}

const TARGETS: Record<string, () => Promise<Labels>> = {
  "by the PodMonitor": podMonitorTarget,
  // A usual job that finds pods by their annotations.
  "by annotations": () => Promise.resolve({ job: "kubernetes-pods", instance: "192.0.2.7:9253" }),
};

function withLabels({ metric, values }: Series, labels: Labels) {
  const [name, own] = /^(\w+)(?:\{(.*)\})?$/.exec(metric)!.slice(1);
  const all = [
    ...own === undefined ? [] : [own],
    ...Object.entries(labels).map(([key, value]) => `${key}="${value}"`),
  ];
  return { series: `${name}{${all.join(",")}}`, values };
}

function promtoolTest(one: AlertCase, target: Labels, fires: boolean) {
  const rule = RULES.find(({ alert }) => alert === one.alert)!;
  const { description = rule.annotations["description"] } = one;
  return {
    interval: "1m",
    name: `${one.alert}, ${fires ? "fires" : "quiet"}`,
    input_series: (fires ? one.fires : one.quiet).map((series) => withLabels(series, target)),
    alert_rule_test: [{
      eval_time: `${one.minute}m`,
      alertname: one.alert,
      exp_alerts: fires
        ? [{
          exp_labels: { ...target, ...one.labels, ...rule.labels },
          exp_annotations: {
            ...rule.annotations,
            summary: one.summary.replace("WHERE", target["node"] ?? target["instance"]!),
            ...description === undefined ? {} : { description },
          },
        }]
        : [],
    }],
  };
}

for (const [name, targetOf] of Object.entries(TARGETS)) {
  Deno.test({
    name: `alerts: each fires only for its reason (targets found ${name})`,
    ...skipUnless("promtool"),
    async fn() {
      const target = await targetOf();
      const tests = ALERTS.flatMap((one) =>
        [true, false].map((fires) => promtoolTest(one, target, fires))
      );
      // JSON is YAML.
      const text = JSON.stringify({ rule_files: [RULES_FILE], evaluation_interval: "1m", tests });
      await withFolder(async (folder) => {
        Deno.writeTextFileSync(`${folder}/test.yml`, text);
        await mustRun("promtool", ["test", "rules", `${folder}/test.yml`]);
      });
    },
  });
}

Deno.test("PodMonitor: targets are labelled with their node", async () => {
  assert.deepEqual(await podMonitorTarget(), {
    job: "kube-system/node-local-dns",
    namespace: "kube-system",
    pod: "node-local-dns-x7k2p",
    node: "worker-7",
    instance: "192.0.2.7:9253",
  });
});

Deno.test("alerts: each rule has a test, and a section in docs/operations.md", () => {
  assert.deepEqual(ALERTS.map(({ alert }) => alert), RULES.map(({ alert }) => alert));
  const page = Deno.readTextFileSync(`${ROOT}docs/operations.md`);
  const anchors = new Set(
    [...page.matchAll(/^#+ (.*)$/gm)].map(([, title]) => title!.toLowerCase().replace(/ /g, "-")),
  );
  for (const { alert, annotations } of RULES) {
    const [file, anchor] = annotations["runbook_url"]!.split("#");
    assert.deepEqual([file, anchor], ["docs/operations.md", alert.toLowerCase()]);
    assert.ok(anchors.has(anchor!), `docs/operations.md has no section "${alert}"`);
  }
});
