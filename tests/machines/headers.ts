/**
 * The numbers and layouts of `src/sys/constants.ts` against a machine's C headers: a C program that
 * compiles only if all are right, made from a list of what each of them is called there.
 */
import assert from "node:assert/strict";

/** The constants by name, as `import *` or JSON has them. */
export type Constants = Readonly<Record<string, number | Readonly<Record<string, number>>>>;

/** What is called in C as here, or has a prefix there. Names of a group have an underscore between. */
const PREFIXES: Readonly<Record<string, string>> = { ERRNO: "E", SOCKET_STATE: "TCP_" };
/** Events of epoll have no underscore, and operations another prefix. */
const EPOLL_OPERATIONS = ["ADD", "DEL", "MOD"];
/** What is called altogether differently. */
const NAMES: Readonly<Record<string, string>> = {
  "SK_MEMINFO.WORDS": "SK_MEMINFO_VARS",
  "EPOLL_EVENT.size": "sizeof(struct epoll_event)",
  "EPOLL_EVENT.data": "offsetof(struct epoll_event, data)",
  "MMSGHDR.size": "sizeof(struct mmsghdr)",
  "MMSGHDR.name": "offsetof(struct mmsghdr, msg_hdr.msg_name)",
  "MMSGHDR.nameLength": "offsetof(struct mmsghdr, msg_hdr.msg_namelen)",
  "MMSGHDR.iov": "offsetof(struct mmsghdr, msg_hdr.msg_iov)",
  "MMSGHDR.iovLength": "offsetof(struct mmsghdr, msg_hdr.msg_iovlen)",
  "MMSGHDR.control": "offsetof(struct mmsghdr, msg_hdr.msg_control)",
  "MMSGHDR.controlLength": "offsetof(struct mmsghdr, msg_hdr.msg_controllen)",
  "MMSGHDR.flags": "offsetof(struct mmsghdr, msg_hdr.msg_flags)",
  "MMSGHDR.length": "offsetof(struct mmsghdr, msg_len)",
  "DIRENT.name": "offsetof(struct dirent, d_name)",
};
const HEADERS = [
  ...["dirent", "errno", "fcntl", "netinet/in", "netinet/tcp", "stddef", "sys/epoll"],
  ...["sys/eventfd", "sys/ioctl", "sys/mman", "sys/resource", "sys/socket", "time"],
  ...["linux/sock_diag", "linux/sockios"],
];

/** Throws with the compiler's words where a constant is another in the headers. */
export async function assertAsInHeaders(
  constants: Constants,
  compilerFlags: readonly string[] = [],
): Promise<void> {
  const rows = Object.entries(constants).flatMap(([name, value]) =>
    typeof value === "number"
      ? [[name, name, value] as const]
      : Object.entries(value).map(([key, one]) =>
        [`${name}.${key}`, nameInC(name, key), one] as const
      )
  );
  assert.ok(rows.length > 50, "there are constants");
  const program = [
    "#define _GNU_SOURCE",
    ...HEADERS.map((name) => `#include <${name}.h>`),
    // Of 32 bits, since epoll's highest bit is a sign here.
    ...rows.map(([ours, theirs, value]) =>
      `_Static_assert((unsigned)(${theirs}) == ${value >>> 0}u, "${ours} is ${value}");`
    ),
  ].join("\n");
  const child = new Deno.Command("gcc", {
    args: ["-fsyntax-only", "-std=gnu11", ...compilerFlags, "-x", "c", "-"],
    stdin: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(`${program}\n`));
  await writer.close();
  const { success, stderr } = await child.output();
  assert.ok(success, new TextDecoder().decode(stderr));
}

/** Flags that make this machine's gcc read the headers of arm64 below a folder; both have 64 bits. */
export async function arm64Flags(root: string): Promise<string[]> {
  const include = `${root}/usr/include`;
  const { stdout } = await new Deno.Command("gcc", { args: ["-print-file-name=include"] }).output();
  const own = new TextDecoder().decode(stdout).trim();
  const folders = [own, `${include}/aarch64-linux-gnu`, include];
  return ["-nostdinc", "-U__x86_64__", "-D__aarch64__"]
    .concat(folders.flatMap((folder) => ["-isystem", folder]));
}

function nameInC(group: string, key: string): string {
  if (group === "EPOLL") return `EPOLL${EPOLL_OPERATIONS.includes(key) ? "_CTL_" : ""}${key}`;
  return NAMES[`${group}.${key}`] ?? `${PREFIXES[group] ?? `${group}_`}${key}`;
}
