import { corefileText } from "./corefile.ts";
import { listenAddresses, type ManifestOptions, PORTS } from "./options.ts";

/** An object of Kubernetes, in the order in which it is printed. */
export type KubernetesObject = Record<string, unknown>;

/** Names of the published manifest, so that it is replaced and can come back. */
const NAME = "node-local-dns";
const UPSTREAM_SERVICE = "kube-dns-upstream";
/** Where system-node-critical is meant for, and where kube-dns is. */
const NAMESPACE = "kube-system";
const LABELS = { "k8s-app": NAME };
const METRICS_ANNOTATIONS = {
  "prometheus.io/port": String(PORTS.metrics),
  "prometheus.io/scrape": "true",
};
/** Where nodens keeps the Corefile that it fills; everything else is read-only. */
const RUN = "/run/nodens";

/** All objects of a manifest, those first that others need. */
export function manifestObjects(options: ManifestOptions): KubernetesObject[] {
  return [
    {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name: NAME, namespace: NAMESPACE, labels: LABELS },
    },
    upstreamService(options),
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: NAME, namespace: NAMESPACE, labels: LABELS },
      data: { Corefile: corefileText(options) },
    },
    daemonSet(options),
    metricsService(),
    ...options.podMonitor ? [podMonitor()] : [],
    ...options.networkPolicies.map((namespace) => networkPolicy(namespace, options)),
  ];
}

/** A second service of kube-dns's pods: queries to it do not come back to nodens. */
function upstreamService({ localDns }: ManifestOptions): KubernetesObject {
  const port = (name: string, protocol: string) => ({ name, port: 53, protocol, targetPort: 53 });
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: UPSTREAM_SERVICE, namespace: NAMESPACE, labels: { "k8s-app": "kube-dns" } },
    spec: {
      ...localDns.length > 1 && { ipFamilyPolicy: "PreferDualStack" },
      ports: [port("dns", "UDP"), port("dns-tcp", "TCP")],
      selector: { "k8s-app": "kube-dns" },
    },
  };
}

function daemonSet(options: ManifestOptions): KubernetesObject {
  const { image, memory } = options;
  return {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { name: NAME, namespace: NAMESPACE, labels: LABELS },
    spec: {
      selector: { matchLabels: LABELS },
      // The new pod of a node starts beside the old one, and both serve. That needs a container that
      // declares no ports: as host ports they would keep the new pod from being scheduled.
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
          automountServiceAccountToken: false,
          hostNetwork: true,
          dnsPolicy: "Default",
          nodeSelector: { "kubernetes.io/os": "linux" },
          tolerations: [
            { key: "CriticalAddonsOnly", operator: "Exists" },
            { effect: "NoExecute", operator: "Exists" },
            { effect: "NoSchedule", operator: "Exists" },
          ],
          containers: [{
            name: "nodens",
            image,
            args: containerArguments(options),
            // The Corefile has it: where metrics are served.
            env: [{ name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } }],
            resources: {
              requests: { cpu: "25m", memory: "96Mi" },
              limits: { memory },
            },
            securityContext: {
              // Capabilities that are added count for root alone, whomever the image names.
              runAsUser: 0,
              allowPrivilegeEscalation: false,
              readOnlyRootFilesystem: true,
              seccompProfile: { type: "RuntimeDefault" },
              capabilities: { drop: ["ALL"], add: ["NET_ADMIN", "NET_BIND_SERVICE", "NET_RAW"] },
            },
            readinessProbe: probe(options, "ready", { periodSeconds: 5, timeoutSeconds: 5 }),
            livenessProbe: probe(options, "health", {
              initialDelaySeconds: 10,
              periodSeconds: 10,
              timeoutSeconds: 5,
            }),
            volumeMounts: [
              { name: "xtables-lock", mountPath: "/run/xtables.lock" },
              { name: "config-volume", mountPath: "/etc/coredns", readOnly: true },
              { name: "kube-dns-config", mountPath: "/etc/kube-dns", readOnly: true },
              { name: "run", mountPath: RUN },
            ],
          }],
          volumes: [
            {
              name: "xtables-lock",
              hostPath: { path: "/run/xtables.lock", type: "FileOrCreate" },
            },
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
  };
}

/** The arguments of nodens: node-cache's, and what the mode asks for. */
export function containerArguments(options: ManifestOptions): string[] {
  return [
    "-localip",
    listenAddresses(options).join(","),
    "-conf",
    `${RUN}/Corefile`,
    // The metrics of node-cache's own, and what `nodens status` asks; not for the network.
    "-metrics-listen-address",
    `127.0.0.1:${PORTS.own}`,
    "-upstreamsvc",
    UPSTREAM_SERVICE,
    ...options.mode === "redirect" ? ["-redirect", options.kubeDns.join(",")] : [],
  ];
}

function probe(
  { localDns }: ManifestOptions,
  path: "ready" | "health",
  timing: Record<string, number>,
): KubernetesObject {
  return { httpGet: { host: localDns[0]!, path: `/${path}`, port: PORTS[path] }, ...timing };
}

/** Headless: its name leads to the metrics of every node. */
function metricsService(): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      name: NAME,
      namespace: NAMESPACE,
      labels: LABELS,
      annotations: METRICS_ANNOTATIONS,
    },
    spec: {
      clusterIP: "None",
      ports: [{ name: "metrics", port: PORTS.metrics, targetPort: PORTS.metrics }],
      selector: LABELS,
    },
  };
}

/** For the Prometheus operator. The pods declare no ports, so the port is put into the address. */
function podMonitor(): KubernetesObject {
  const address = (regex: string, replacement: string) => ({
    action: "replace",
    sourceLabels: ["__meta_kubernetes_pod_ip"],
    regex,
    replacement,
    targetLabel: "__address__",
  });
  return {
    apiVersion: "monitoring.coreos.com/v1",
    kind: "PodMonitor",
    metadata: { name: NAME, namespace: NAMESPACE, labels: LABELS },
    spec: {
      selector: { matchLabels: LABELS },
      podMetricsEndpoints: [{
        path: "/metrics",
        relabelings: [
          address("([0-9.]+)", `$1:${PORTS.metrics}`),
          address("(.*:.*)", `[$1]:${PORTS.metrics}`),
          // The name of the node says more than an address; alerts and dashboard show it.
          {
            action: "replace",
            sourceLabels: ["__meta_kubernetes_pod_node_name"],
            targetLabel: "node",
          },
        ],
      }],
    },
  };
}

/** Lets the pods of a namespace whose egress is denied by default reach DNS: nodens is not a pod. */
function networkPolicy(
  namespace: string,
  { localDns, kubeDns }: ManifestOptions,
): KubernetesObject {
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: NAME, namespace, labels: LABELS },
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
  };
}
