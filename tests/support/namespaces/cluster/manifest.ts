import { parseAllDocuments } from "yaml";
import { MAIN } from "../../processes/nodens.ts";

/** An HTTP probe of a manifest. */
export interface HttpProbe {
  url: string;
  periodMs: number;
}

export interface DaemonSetView {
  args: string[];
  /** Variables with the pod's address. */
  podIpVariables: string[];
  minReadyMs: number;
  readiness: HttpProbe;
  liveness: HttpProbe;
  files: { mountPath: string; files: Record<string, string> }[];
  emptyDirs: string[];
}

interface Variable {
  name: string;
  valueFrom?: { fieldRef?: { fieldPath: string } };
}

interface Probe {
  httpGet: { host: string; path: string; port: number };
  periodSeconds: number;
}

/** Runs `nodens manifest` and parses its output. */
export async function renderManifest(flags: readonly string[]): Promise<DaemonSetView> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", MAIN, "manifest", ...flags],
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`Cannot render a manifest: ${decoder.decode(stderr)}`);
  return readManifest(decoder.decode(stdout));
}

/** Parses a DaemonSet with its mounted config maps. */
export function readManifest(text: string): DaemonSetView {
  // deno-lint-ignore no-explicit-any -- Kubernetes defines manifests
  const objects = parseAllDocuments(text).map((document) => document.toJS()) as any[];
  const maps = new Map(
    objects.filter(({ kind }) => kind === "ConfigMap").map((map) => [map.metadata.name, map.data]),
  );
  const daemonSet = objects.find(({ kind }) => kind === "DaemonSet").spec;
  const { spec } = daemonSet.template;
  const [container] = spec.containers;
  const view: DaemonSetView = {
    args: container.args,
    podIpVariables: (container.env ?? []).filter((one: Variable) =>
      one.valueFrom?.fieldRef?.fieldPath === "status.podIP"
    ).map(({ name }: Variable) => name),
    minReadyMs: (daemonSet.minReadySeconds ?? 0) * 1000,
    readiness: probe(container.readinessProbe),
    liveness: probe(container.livenessProbe),
    files: [],
    emptyDirs: [],
  };
  for (const { name, mountPath } of container.volumeMounts) {
    // deno-lint-ignore no-explicit-any
    const volume = spec.volumes.find((one: any) => one.name === name);
    if (volume.emptyDir !== undefined) view.emptyDirs.push(mountPath);
    const data = maps.get(volume.configMap?.name);
    if (volume.configMap === undefined) continue;
    // A missing optional map is an empty directory.
    const items: { key: string; path: string }[] = volume.configMap.items ??
      Object.keys(data ?? {}).map((key) => ({ key, path: key }));
    const files = data === undefined
      ? {}
      : Object.fromEntries(items.map(({ key, path }) => [path, data[key] as string]));
    view.files.push({ mountPath, files });
  }
  return view;
}

function probe({ httpGet: { host, path, port }, periodSeconds }: Probe): HttpProbe {
  return { url: `http://${host}:${port}${path}`, periodMs: periodSeconds * 1000 };
}
