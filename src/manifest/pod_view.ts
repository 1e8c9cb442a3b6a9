import type { HostView } from "../config/host.ts";

/** A server of an address for documentation (RFC 5737), while a Corefile is read. */
const RESOLV_CONF = "nameserver 192.0.2.53\n";

/** Stands in for values that only the cluster knows (RFC 5737). */
const STAND_IN = "192.0.2.1";

/** `readFailure` knows the name. */
class NotFound extends Error {
  override readonly name = "NotFound";
}

/** The container as a Corefile sees it: mounted ConfigMaps, environment, and a resolv.conf. */
export function podView(
  files: ReadonlyMap<string, { text: string }>,
  { corefile, env }: {
    corefile: { name: string; path: string };
    env: ReadonlyMap<string, string | null>;
  },
): HostView {
  const all = new Map([["/etc/resolv.conf", { text: RESOLV_CONF }], ...files]);
  const directory = corefile.path.replace(/\/[^/]*$/, "");
  const within = (folder: string) => {
    const prefix = folder === "/" ? "/" : `${folder}/`;
    return [...all.keys()].filter((path) => path.startsWith(prefix))
      .map((path) => path.slice(prefix.length));
  };
  return {
    env(name) {
      const value = env.get(name);
      return value === null ? STAND_IN : value;
    },
    readTextFile(path) {
      const file = all.get(path);
      if (file === undefined) throw new NotFound(path);
      return file.text;
    },
    kindOf: (path) => all.has(path) ? "file" : within(path).length > 0 ? "directory" : null,
    readDirectory: (path) => [...new Set(within(path).map((rest) => rest.split("/")[0]!))].sort(),
    absolute(path) {
      if (path === corefile.name) return corefile.path;
      return path.startsWith("/") ? path : `${directory}/${path}`;
    },
    hostname: () => "node",
    interfaces: () => [],
  };
}
