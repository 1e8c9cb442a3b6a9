/** View of the machine for configurations. */
export interface HostView {
  env(name: string): string | undefined;
  /** Throws errors like `Deno.errors.NotFound`. */
  readTextFile(path: string): string;
  /** "other" is a FIFO, device or socket. */
  kindOf(path: string): "file" | "directory" | "other" | null;
  /** Sorted; empty if unreadable. */
  readDirectory(path: string): string[];
  absolute(path: string): string;
  hostname(): string;
  /** IPv6 link-local addresses have a scope (`%eth0`). */
  interfaces(): { name: string; address: string }[];
}
