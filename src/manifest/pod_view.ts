import type { HostView } from "../config/host.ts";

/** A name server that is nobody's (RFC 5737), to stand in resolv.conf while a Corefile is read. */
const RESOLV_CONF = "nameserver 192.0.2.53\n";

/** An address that is nobody's, for variables whose value only the cluster knows. */
const STAND_IN = "192.0.2.1";

/** No such file, in the name that `readFailure` knows. */
class NotFound extends Error {
  override readonly name = "NotFound";
}

/**
 * The container as a Corefile sees it: the files that ConfigMaps are mounted as, its
 * environment, a resolv.conf, and nothing of the machine that the manifest is read on.
 *
 * @param corefile - the name that the Corefile has in messages, and its path in the container
 */
export function podView(
  files: ReadonlyMap<string, string>,
  { corefile, env }: {
    corefile: { name: string; path: string };
    env: ReadonlyMap<string, string | null>;
  },
): HostView {
  const all = new Map([["/etc/resolv.conf", RESOLV_CONF], ...files]);
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
      const text = all.get(path);
      if (text === undefined) throw new NotFound(path);
      return text;
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
