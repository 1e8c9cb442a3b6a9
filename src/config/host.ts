/** The machine, as configurations see it. */
export interface HostView {
  env(name: string): string | undefined;
  /** Throws `Deno.errors.NotFound` and the like. */
  readTextFile(path: string): string;
  /** "other" is a FIFO, a device or a socket; null if nothing is there. */
  kindOf(path: string): "file" | "directory" | "other" | null;
  /** Sorted names; empty if the directory cannot be read. */
  readDirectory(path: string): string[];
  absolute(path: string): string;
  hostname(): string;
  /** IPv6 link-local addresses have a scope (`%eth0`). */
  interfaces(): { name: string; address: string }[];
}
