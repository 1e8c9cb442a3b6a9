import type { HostView } from "../config/host.ts";
import { readKernelFile } from "../sys/kernel_file.ts";

/** The machine that this process runs on, as the configuration sees it. */
export const denoHost: HostView = {
  env: (name) => Deno.env.get(name),
  readTextFile(path) {
    try {
      return Deno.readTextFileSync(path);
    } catch (error) {
      // The compiled program has the right to read, but not every right.
      if (!(error instanceof Deno.errors.NotCapable) || !/^\/(proc|sys)\//.test(path)) throw error;
      return readKernelFile(path);
    }
  },
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
    } catch (error) {
      // An import must not match nothing, and its blocks go, for want of descriptors.
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
