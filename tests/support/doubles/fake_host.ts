import type { HostView } from "../../../src/config/host.ts";

/** A machine with the given files and variables. */
export function fakeHost(
  files: Record<string, string> = {},
  environment: Record<string, string> = {},
): HostView {
  const isFolder = (path: string) => Object.keys(files).some((file) => file.startsWith(`${path}/`));
  return {
    env: (name) => environment[name],
    readTextFile(path) {
      const text = files[path];
      if (text === undefined) throw new Deno.errors.NotFound("no such file");
      return text;
    },
    kindOf: (path) => path in files ? "file" : isFolder(path) ? "directory" : null,
    readDirectory: (path) =>
      Object.keys(files).filter((file) => file.startsWith(`${path}/`))
        .map((file) => file.slice(path.length + 1)).filter((name) => !name.includes("/")).sort(),
    absolute: (path) => path.startsWith("/") ? path : `/srv/${path}`,
    hostname: () => "node-1",
    interfaces: () => [
      { name: "lo", address: "127.0.0.1" },
      { name: "lo", address: "::1" },
      { name: "eth0", address: "192.0.2.1" },
    ],
  };
}
