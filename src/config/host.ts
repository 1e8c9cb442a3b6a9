/**
 * What reading a configuration may ask of the machine. Handed in, so that tests hand in their own
 * and `setup.ts` files stay free of `Deno`.
 */
export interface HostView {
  /** Value of an environment variable, or undefined. */
  env(name: string): string | undefined;
  /** Text of a file. Throws `Deno.errors.NotFound` and the like; callers name file and reason. */
  readTextFile(path: string): string;
  /** What a path leads to; "other" is a FIFO, a device or a socket, null is nothing. */
  kindOf(path: string): "file" | "directory" | "other" | null;
  /** Names in a directory, sorted; empty if it cannot be read. */
  readDirectory(path: string): string[];
  /** Absolute form of a path. */
  absolute(path: string): string;
  /** Name of the machine. */
  hostname(): string;
  /** Every address of every network interface; IPv6 link-local ones carry their scope (`%eth0`). */
  interfaces(): { name: string; address: string }[];
}
