import { stringify } from "yaml";
import { corefileText } from "./corefile.ts";
import { listenAddresses, type ManifestOptions, PORTS } from "./options.ts";

type KubernetesObject = Record<string, unknown>;

/** As published, so that either replaces the other. */
const NAME = "node-local-dns";
const UPSTREAM_SERVICE = "kube-dns-upstream";
const NAMESPACE = "kube-system";
const LABELS = { "k8s-app": NAME };
const METRICS_ANNOTATIONS = {
  "prometheus.io/port": String(PORTS.metrics),
  "prometheus.io/scrape": "true",
};
const RUN = "/run/nodens";

/** Renders a manifest for `kubectl apply -f -`. */
export function renderManifest(options: ManifestOptions, comment: string): string {
  // No folding, no anchors.
  const style = { lineWidth: 0, blockQuote: "literal", aliasDuplicateObjects: false } as const;
  const documents = manifestObjects(options).map((object) => stringify(object, style));
  return `# ${comment}\n${documents.join("---\n")}`;
}

function manifestObjects(options: ManifestOptions): KubernetesObject[] {
  return [
    object("v1", "ServiceAccount", {}),
    ...options.clients === "off" ? [] : podListRights(options),
    upstreamService(options),
    object("v1", "ConfigMap", { data: { Corefile: corefileText(options) } }),
    daemonSet(options),
    metricsService(),
    ...options.podMonitor ? [podMonitor()] : [],
    ...options.networkPolicies.map((namespace) => networkPolicy(namespace, options)),
  ];
}

function object(
  apiVersion: string,
  kind: string,
  members: KubernetesObject,
  metadata: KubernetesObject = {},
): KubernetesObject {
  const named = { name: NAME, namespace: NAMESPACE, labels: LABELS, ...metadata };
  return { apiVersion, kind, metadata: named, ...members };
}

/** Of every node's kubelet: Kubernetes has no rights for one node alone. */
function podListRights({ clients }: ManifestOptions): KubernetesObject[] {
  const resource = clients === "kubelet" ? "nodes/pods" : "nodes/proxy";
  const api = "rbac.authorization.k8s.io";
  const ofCluster = { namespace: undefined };
  return [
    object(`${api}/v1`, "ClusterRole", {
      rules: [{ apiGroups: [""], resources: [resource], verbs: ["get"] }],
    }, ofCluster),
    object(`${api}/v1`, "ClusterRoleBinding", {
      roleRef: { apiGroup: api, kind: "ClusterRole", name: NAME },
      subjects: [{ kind: "ServiceAccount", name: NAME, namespace: NAMESPACE }],
    }, ofCluster),
  ];
}

/** For kube-dns's pods, to avoid a loop. */
function upstreamService({ localDns }: ManifestOptions): KubernetesObject {
  const labels = { "k8s-app": "kube-dns" };
  const port = (name: string, protocol: string) => ({ name, port: 53, protocol, targetPort: 53 });
  return object("v1", "Service", {
    spec: {
      ...localDns.length > 1 && { ipFamilyPolicy: "PreferDualStack" },
      ports: [port("dns", "UDP"), port("dns-tcp", "TCP")],
      selector: labels,
    },
  }, { name: UPSTREAM_SERVICE, labels });
}

function daemonSet(options: ManifestOptions): KubernetesObject {
  return object("apps/v1", "DaemonSet", {
    spec: {
      selector: { matchLabels: LABELS },
      // Both pods serve during an update. Declared ports would be host ports and prevent scheduling
      // the new pod.
      updateStrategy: {
        type: "RollingUpdate",
        rollingUpdate: { maxSurge: "10%", maxUnavailable: 0 },
      },
      minReadySeconds: 10,
      template: {
        metadata: { labels: LABELS, annotations: METRICS_ANNOTATIONS },
        spec: {
          priorityClassName: "system-node-critical",
          serviceAccountName: NAME,
          automountServiceAccountToken: options.clients !== "off",
          hostNetwork: true,
          dnsPolicy: "Default",
          nodeSelector: { "kubernetes.io/os": "linux" },
          tolerations: [
            { key: "CriticalAddonsOnly", operator: "Exists" },
            { effect: "NoExecute", operator: "Exists" },
            { effect: "NoSchedule", operator: "Exists" },
          ],
          containers: [container(options)],
          volumes: [
            { name: "xtables-lock", hostPath: { path: "/run/xtables.lock", type: "FileOrCreate" } },
            {
              name: "config-volume",
              configMap: { name: NAME, items: [{ key: "Corefile", path: "Corefile.base" }] },
            },
            { name: "kube-dns-config", configMap: { name: "kube-dns", optional: true } },
            { name: "run", emptyDir: { medium: "Memory", sizeLimit: "8Mi" } },
          ],
        },
      },
    },
  });
}

function container(options: ManifestOptions): KubernetesObject {
  const host = options.localDns[0]!;
  const probe = (path: "ready" | "health", timing: Record<string, number>) => ({
    httpGet: { host, path: `/${path}`, port: PORTS[path] },
    ...timing,
    timeoutSeconds: 5,
  });
  return {
    name: "nodens",
    image: options.image,
    args: [
      ...["-localip", listenAddresses(options).join(",")],
      ...["-conf", `${RUN}/Corefile`],
      // Local: node-cache's metrics and `nodens status`.
      ...["-metrics-listen-address", `127.0.0.1:${PORTS.own}`],
      ...["-upstreamsvc", UPSTREAM_SERVICE],
      ...options.mode === "redirect" ? ["-redirect", options.kubeDns.join(",")] : [],
      ...options.clients === "off" ? [] : ["-clients", "kubelet"],
      ...options.kernelHits === null ? [] : ["-kernel-hits", [options.kernelHits].flat().join(",")],
    ],
    env: [
      variable("POD_IP", "status.podIP"),
      ...options.clients === "off" ? [] : [
        variable("HOST_IP", "status.hostIP"),
        variable("NODE_NAME", "spec.nodeName"),
      ],
    ],
    resources: { requests: { cpu: "25m", memory: "96Mi" }, limits: { memory: options.memory } },
    securityContext: {
      // Added capabilities need root.
      runAsUser: 0,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      seccompProfile: { type: "RuntimeDefault" },
      capabilities: {
        drop: ["ALL"],
        add: [
          ...["NET_ADMIN", "NET_BIND_SERVICE", "NET_RAW"],
          ...options.kernelHits === null ? [] : ["BPF", "PERFMON"],
        ],
      },
    },
    readinessProbe: probe("ready", { periodSeconds: 5 }),
    livenessProbe: probe("health", { initialDelaySeconds: 10, periodSeconds: 10 }),
    volumeMounts: [
      { name: "xtables-lock", mountPath: "/run/xtables.lock" },
      { name: "config-volume", mountPath: "/etc/coredns", readOnly: true },
      { name: "kube-dns-config", mountPath: "/etc/kube-dns", readOnly: true },
      { name: "run", mountPath: RUN },
    ],
  };
}

function variable(name: string, fieldPath: string): KubernetesObject {
  return { name, valueFrom: { fieldRef: { fieldPath } } };
}

/** Every node's metrics. */
function metricsService(): KubernetesObject {
  return object("v1", "Service", {
    spec: {
      clusterIP: "None",
      ports: [{ name: "metrics", port: PORTS.metrics, targetPort: PORTS.metrics }],
      selector: LABELS,
    },
  }, { annotations: METRICS_ANNOTATIONS });
}

/** Prometheus operator; relabelling adds the undeclared port. */
function podMonitor(): KubernetesObject {
  const address = (regex: string, replacement: string) => ({
    action: "replace",
    sourceLabels: ["__meta_kubernetes_pod_ip"],
    regex,
    replacement,
    targetLabel: "__address__",
  });
  const relabelings = [
    address("([0-9.]+)", `$1:${PORTS.metrics}`),
    address("(.*:.*)", `[$1]:${PORTS.metrics}`),
    { action: "replace", sourceLabels: ["__meta_kubernetes_pod_node_name"], targetLabel: "node" },
  ];
  return object("monitoring.coreos.com/v1", "PodMonitor", {
    spec: {
      selector: { matchLabels: LABELS },
      podMetricsEndpoints: [{ path: "/metrics", relabelings }],
    },
  });
}

/** Allows DNS despite denied egress, by address: nodens is not a pod. */
function networkPolicy(
  namespace: string,
  { localDns, kubeDns }: ManifestOptions,
): KubernetesObject {
  return object("networking.k8s.io/v1", "NetworkPolicy", {
    spec: {
      podSelector: {},
      policyTypes: ["Egress"],
      egress: [{
        to: [...localDns, ...kubeDns].map((address) => ({
          ipBlock: { cidr: `${address}/${address.includes(":") ? 128 : 32}` },
        })),
        ports: [{ port: 53, protocol: "UDP" }, { port: 53, protocol: "TCP" }],
      }],
    },
  }, { namespace });
}
