/**
 * What nodens may do, as arguments of `deno run` and `deno compile`: nothing else is granted, and
 * nothing is asked for. docs/install.md says what each right is for.
 *
 * None of them can be narrower: a Corefile says names and files, and what may call the C library may
 * do everything that the process may do anyway. `--allow-run` does not name iptables: Deno would look
 * for each program at every start, and tell of those that are not there.
 */

const ALWAYS = [
  "--no-prompt",
  "--deny-import",
  "--allow-net",
  "--allow-read",
  "--allow-env",
  "--allow-sys=networkInterfaces,hostname,uid",
];

/** The rights that nodens needs by the way it serves. */
export const NEEDS = {
  /** Without FFI and without writing: the portable driver. */
  portable: ALWAYS,
  /** The linux driver. */
  plain: [...ALWAYS, "--allow-ffi"],
  /** With what is written on demand: a pid file, caches that are kept. */
  writing: [...ALWAYS, "--allow-ffi", "--allow-write"],
  /** Interface, rules and a Corefile made of a template. */
  node: [...ALWAYS, "--allow-ffi", "--allow-write", "--allow-run"],
} as const satisfies Record<string, readonly string[]>;

/** What the executable is granted: it can serve in every way. */
export const PERMISSIONS: readonly string[] = NEEDS.node;
