/**
 * Permissions of nodens, as arguments of `deno run` and `deno compile`; docs/install.md explains each.
 *
 * Narrower ones are of no use: names and files come from the Corefile, and the C library can do all
 * that the process can. `--allow-run` does not name iptables: Deno would look for each program at every
 * start, and report those that are missing.
 */

const ALWAYS = [
  "--no-prompt",
  "--deny-import",
  "--allow-net",
  "--allow-read",
  "--allow-env",
  "--allow-sys",
];

export const NEEDS = {
  portable: ALWAYS,
  plain: [...ALWAYS, "--allow-ffi"],
  writing: [...ALWAYS, "--allow-ffi", "--allow-write"],
  node: [...ALWAYS, "--allow-ffi", "--allow-write", "--allow-run"],
} as const satisfies Record<string, readonly string[]>;

/** Permissions of the executable: those for every way of serving. */
export const PERMISSIONS: readonly string[] = NEEDS.node;
