/** View of the machine for configurations. */
export interface HostView {
  env(name: string): string | undefined;
  /** Throws `Deno.errors.NotFound` and the like. */
  readTextFile(path: string): string;
  /** "other" is a FIFO, device or socket; null if absent. */
  kindOf(path: string): "file" | "directory" | "other" | null;
  /** Sorted names; empty if the directory cannot be read. */
  readDirectory(path: string): string[];
  absolute(path: string): string;
  hostname(): string;
  /** IPv6 link-local addresses have a scope (`%eth0`). */
  interfaces(): { name: string; address: string }[];
}
