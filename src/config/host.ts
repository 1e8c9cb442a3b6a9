/** The machine, as far as configurations depend on it; tests provide their own. */
export interface HostView {
  env(name: string): string | undefined;
  /** Throws `Deno.errors.NotFound` and the like; callers name the file and the reason. */
  readTextFile(path: string): string;
  /** "other" is a FIFO, a device or a socket; null if nothing is there. */
  kindOf(path: string): "file" | "directory" | "other" | null;
  /** Sorted names; empty if the directory cannot be read. */
  readDirectory(path: string): string[];
  /** The absolute form of a path. */
  absolute(path: string): string;
  hostname(): string;
  /** All addresses of all network interfaces; IPv6 link-local ones have a scope (`%eth0`). */
  interfaces(): { name: string; address: string }[];
}
