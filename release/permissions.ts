/**
 * What nodens may do, as arguments of `deno run` and `deno compile`: nothing else is granted, and
 * nothing is asked for.
 *
 * - Network: its sockets. Names cannot be given, since a Corefile says them.
 * - FFI: the C library. A narrower path would change nothing, as libc can do everything.
 * - Reading and writing: the files that a Corefile or a flag names (hosts, imports, resolv.conf,
 *   certificates, the pid file, caches that are kept).
 * - The environment: what a Corefile refers to.
 * - Starting programs: the commands of iptables. Not by name: Deno would look for each at every
 *   start, and tell of those that are not there; and what may call the C library may start programs
 *   anyway.
 * - The names of network interfaces (`bind eth0`) and of the machine (`nsid`).
 * - No code from elsewhere.
 */
export const PERMISSIONS: readonly string[] = [
  "--no-prompt",
  "--allow-net",
  "--allow-ffi",
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "--allow-run",
  "--allow-sys=networkInterfaces,hostname,uid",
  "--deny-import",
];
