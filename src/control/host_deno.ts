import type { HostView } from "../config/host.ts";

/** The machine that this process runs on, as the configuration sees it. */
export const denoHost: HostView = {
  env: (name) => Deno.env.get(name),
  readTextFile: (path) => Deno.readTextFileSync(path),
  kindOf(path) {
    try {
      return Deno.statSync(path).isDirectory ? "directory" : "file";
    } catch {
      return null;
    }
  },
  readDirectory(path) {
    try {
      return [...Deno.readDirSync(path)].map(({ name }) => name).sort();
    } catch {
      return [];
    }
  },
  absolute: (path) => path.startsWith("/") ? path : `${Deno.cwd()}/${path}`,
  hostname() {
    try {
      return Deno.hostname();
    } catch {
      return "localhost";
    }
  },
  interfaces: () =>
    Deno.networkInterfaces().map(({ name, address, scopeid }) => ({
      name,
      address: scopeid !== null && /^fe80:/i.test(address) ? `${address}%${name}` : address,
    })),
};
