/**
 * Validates objects like `kubectl --validate=strict`, by schemas of Kubernetes and the Prometheus
 * operator.
 */
import { PodMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor";
import { PrometheusRule } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule";
import { DaemonSet } from "kubernetes-models/apps/v1/DaemonSet";
import { NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1/NetworkPolicy";
import { ClusterRole } from "kubernetes-models/rbac.authorization.k8s.io/v1/ClusterRole";
import { ClusterRoleBinding } from "kubernetes-models/rbac.authorization.k8s.io/v1/ClusterRoleBinding";
import { ConfigMap } from "kubernetes-models/v1/ConfigMap";
import { Service } from "kubernetes-models/v1/Service";
import { ServiceAccount } from "kubernetes-models/v1/ServiceAccount";

const KINDS = [
  ClusterRole,
  ClusterRoleBinding,
  ConfigMap,
  DaemonSet,
  NetworkPolicy,
  PodMonitor,
  PrometheusRule,
  Service,
  ServiceAccount,
];

export function apiFaults(object: Record<string, unknown>): string[] {
  const kind = `${object["apiVersion"]} ${object["kind"]}`;
  const model = KINDS.find((one) => `${one.apiVersion} ${one.kind}` === kind);
  if (model === undefined) return [`${kind}: there is no such kind`];
  const reader = new Reader();
  const faults: string[] = [];
  try {
    // A model would copy the object, and so read every member.
    model.prototype.validate.call(reader.wrap(object));
  } catch (error) {
    faults.push((error as Error).message);
  }
  return [...faults, ...reader.unread(object, "")].map((fault) => `${kind}: ${fault}`);
}

/**
 * Records the members that a validator reads: exactly those of its schema. Kubernetes drops the
 * others.
 */
class Reader {
  readonly #read = new Map<object, Set<string>>();

  wrap<T>(value: T): T {
    if (typeof value !== "object" || value === null) return value;
    const read = this.#read.get(value) ?? new Set<string>();
    this.#read.set(value, read);
    return new Proxy(value, {
      get: (target, key) => {
        if (typeof key === "string") read.add(key);
        return this.wrap(Reflect.get(target, key));
      },
    });
  }

  unread(value: unknown, path: string): string[] {
    if (typeof value !== "object" || value === null) return [];
    return Object.entries(value).flatMap(([key, member]) => {
      const place = `${path}/${key}`;
      const known = Array.isArray(value) || this.#read.get(value)?.has(key) === true;
      return known ? this.unread(member, place) : [`${place}: there is no such member`];
    });
  }
}
