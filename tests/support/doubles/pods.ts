/** Objects like the kubelet's, as far as nodens reads them, and more around it. */
export function pod(
  namespace: string,
  name: string,
  status: Record<string, unknown>,
  spec: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    metadata: {
      name,
      generateName: "x-",
      namespace,
      uid: "1",
      labels: { app: "x", name: "label" },
      managedFields: [{ manager: "kubelet", fieldsV1: { "f:status": { "f:podIP": {} } } }],
    },
    spec: {
      volumes: [{
        name: "token",
        projected: { sources: [{ serviceAccountToken: { path: "t" } }] },
      }],
      containers: [{ name: "main", image: "x", ports: [{ name: "http", containerPort: 80 }] }],
      terminationGracePeriodSeconds: 30,
      ...spec,
    },
    status: {
      phase: "Running",
      conditions: [{ type: "Ready", status: "True", lastProbeTime: null }],
      hostIP: "192.0.2.1",
      hostIPs: [{ ip: "192.0.2.1" }],
      ...status,
    },
  };
}

export function podList(items: readonly Record<string, unknown>[]): string {
  return JSON.stringify({ kind: "PodList", apiVersion: "v1", metadata: {}, items });
}
