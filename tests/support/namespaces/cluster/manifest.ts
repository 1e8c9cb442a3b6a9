import { parseAllDocuments } from "yaml";
import { MAIN } from "../../processes/nodens.ts";

/** An HTTP probe as a manifest has it. */
export interface HttpProbe {
  url: string;
  periodMs: number;
}

/** What a kubelet needs to know of a DaemonSet. */
export interface DaemonSetView {
  args: string[];
  /** Variables that are to hold the address of the pod. */
  podIpVariables: string[];
  /** How long a new container must be ready before the old one is ended. */
  minReadyMs: number;
  readiness: HttpProbe;
  liveness: HttpProbe;
  /** Files of mounted config maps: path in the container to text. */
  files: { mountPath: string; files: Record<string, string> }[];
  /** Directories that are empty at the start. */
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

/** Has nodens print a manifest, and reads what a kubelet needs out of it. */
export async function renderManifest(flags: readonly string[]): Promise<DaemonSetView> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", MAIN, "manifest", ...flags],
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`Cannot render a manifest: ${decoder.decode(stderr)}`);
  return readManifest(decoder.decode(stdout));
}

/** Reads the DaemonSet of a manifest, with the config maps that it mounts. */
export function readManifest(text: string): DaemonSetView {
  // deno-lint-ignore no-explicit-any -- what a manifest looks like is for Kubernetes to say
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
    // A map that is optional and not there is an empty directory.
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
