import type { HostView } from "../config/host.ts";
import { readKernelFile } from "../sys/kernel_file.ts";
import { isRegular, MAX_CONFIG_BYTES, readRegularTextSync } from "../sys/regular_file.ts";

/** This machine's files. */
export const denoHost: HostView = {
  env: (name) => Deno.env.get(name),
  readTextFile(path) {
    try {
      return readRegularTextSync(path, MAX_CONFIG_BYTES);
    } catch (error) {
      // Outside the compiled program's permission.
      if (!(error instanceof Deno.errors.NotCapable) || !/^\/(proc|sys)\//.test(path)) throw error;
      return readKernelFile(path);
    }
  },
  kindOf(path) {
    try {
      const stat = Deno.statSync(path);
      return isRegular(stat) ? "file" : stat.isDirectory ? "directory" : "other";
    } catch {
      return null;
    }
  },
  readDirectory(path) {
    try {
      return [...Deno.readDirSync(path)].map(({ name }) => name).sort();
    } catch (error) {
      // Lack of descriptors is not an empty match.
      if (["EMFILE", "ENFILE"].includes((error as { code?: string }).code ?? "")) throw error;
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

/** Adds standard input, for commands. */
export const commandHost: HostView = {
  ...denoHost,
  readTextFile: (path) =>
    path === "/dev/stdin" ? Deno.readTextFileSync(path) : denoHost.readTextFile(path),
};
