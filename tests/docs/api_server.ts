/**
 * A minimal Kubernetes API server for the commands of the pages: stores objects without
 * validation, starts nothing, and reports every DaemonSet as rolled out.
 */
// deno-lint-ignore no-explicit-any
type Json = any;

const PORT = 8001;
const RESOURCES: Record<string, { path: string; kinds: Record<string, string> }> = {
  v1: {
    path: "/api/v1",
    kinds: { serviceaccounts: "ServiceAccount", services: "Service", configmaps: "ConfigMap" },
  },
  "apps/v1": { path: "/apis/apps/v1", kinds: { daemonsets: "DaemonSet" } },
};
const OBJECT = /^(\/apis?\/(?:apps\/)?v1)\/namespaces\/([a-z-]+)\/([a-z]+)(?:\/([a-z0-9-]+))?$/;

const objects = new Map<string, Json>();
let version = 1;

keep("/api/v1/namespaces/kube-system/services/kube-dns", {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "kube-dns", namespace: "kube-system" },
  spec: { clusterIP: "10.96.0.10" },
});
keep("/api/v1/namespaces/kube-system/configmaps/kube-proxy", {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "kube-proxy", namespace: "kube-system" },
  data: { "config.conf": "kind: KubeProxyConfiguration\nmode: iptables\n" },
});

Deno.serve({
  hostname: "127.0.0.1",
  port: PORT,
  onListen: () => Deno.stdout.writeSync(new TextEncoder().encode("listening\n")),
}, answer);

async function answer(request: Request): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  if (request.method === "GET") {
    const about = discovery(pathname);
    if (about !== null) return Response.json(about);
    if (pathname === "/openapi/v2") {
      const type = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
      return new Response(new Uint8Array(0), { headers: { "content-type": type } });
    }
  }
  const [, , namespace, resource, name] = OBJECT.exec(pathname) ?? [];
  if (resource === undefined) return missing(pathname);
  if (request.method === "POST") {
    const object = await request.json();
    object.metadata.namespace ??= namespace;
    return Response.json(keep(`${pathname}/${object.metadata.name}`, object), { status: 201 });
  }
  if (name === undefined) return list(pathname, searchParams);
  const object = objects.get(pathname);
  if (object === undefined) return missing(pathname);
  if (request.method === "PATCH") {
    return Response.json(keep(pathname, merged(object, await request.json())));
  }
  return Response.json(object);
}

function discovery(path: string): Json {
  if (path === "/api") return { kind: "APIVersions", versions: ["v1"] };
  if (path === "/apis") {
    const preferredVersion = { groupVersion: "apps/v1", version: "v1" };
    const group = { name: "apps", versions: [preferredVersion], preferredVersion };
    return { kind: "APIGroupList", apiVersion: "v1", groups: [group] };
  }
  for (const [groupVersion, { path: at, kinds }] of Object.entries(RESOURCES)) {
    if (path !== at) continue;
    const resources = Object.entries(kinds).map(([name, kind]) => ({
      name,
      singularName: "",
      namespaced: true,
      kind,
      verbs: ["create", "get", "list", "patch", "watch"],
    }));
    return { kind: "APIResourceList", apiVersion: "v1", groupVersion, resources };
  }
  return null;
}

function list(path: string, parameters: URLSearchParams): Response {
  if (parameters.get("watch") !== null) {
    return new Response(new ReadableStream({}), {
      headers: { "content-type": "application/json" },
    });
  }
  const [, prefix, , resource] = OBJECT.exec(path)!;
  const apiVersion = prefix === "/api/v1" ? "v1" : "apps/v1";
  const kind = `${RESOURCES[apiVersion]!.kinds[resource!]}List`;
  const items = [...objects].filter(([at]) => at.startsWith(`${path}/`)).map(([, one]) => one);
  return Response.json({ kind, apiVersion, metadata: { resourceVersion: `${version}` }, items });
}

function keep(path: string, object: Json): Json {
  object.metadata.resourceVersion = `${++version}`;
  object.metadata.uid ??= crypto.randomUUID();
  if (object.kind === "DaemonSet") {
    object.metadata.generation = version;
    object.spec.updateStrategy = { type: "RollingUpdate", ...object.spec.updateStrategy };
    object.status = {
      observedGeneration: version,
      desiredNumberScheduled: 1,
      currentNumberScheduled: 1,
      updatedNumberScheduled: 1,
      numberAvailable: 1,
      numberReady: 1,
      numberMisscheduled: 0,
    };
  }
  objects.set(path, object);
  return object;
}

/** A merge patch (RFC 7386), except that named items of lists are merged by name. */
function merged(target: Json, patch: Json): Json {
  if (Array.isArray(patch) && Array.isArray(target)) {
    const named = patch.every((item) => typeof item?.name === "string");
    if (!named) return patch;
    const kept = target.map((item) => {
      const change = patch.find(({ name }) => name === item.name);
      return change === undefined ? item : merged(item, change);
    });
    return [...kept, ...patch.filter(({ name }) => !target.some((item) => item.name === name))];
  }
  if (patch === null || typeof patch !== "object" || Array.isArray(patch)) return patch;
  const result: Json = target !== null && typeof target === "object" ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith("$")) continue;
    if (value === null) delete result[key];
    else result[key] = merged(result[key], value);
  }
  return result;
}

function missing(path: string): Response {
  const [, , , resource, name] = OBJECT.exec(path) ?? [];
  return Response.json({
    kind: "Status",
    apiVersion: "v1",
    status: "Failure",
    message: `there is no ${path}`,
    reason: "NotFound",
    details: { name, kind: resource },
    code: 404,
  }, { status: 404 });
}
