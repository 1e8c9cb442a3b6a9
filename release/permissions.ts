/**
 * Permissions for `deno run` and `deno compile`; see docs/install.md.
 *
 * Narrower ones are useless: the Corefile determines names and files, and the C library is
 * unrestricted. `--allow-run` does not name iptables: Deno would search for each program at every
 * start, and report missing ones.
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

/** Permissions of the executable, for every way of serving. */
export const PERMISSIONS: readonly string[] = NEEDS.node;
