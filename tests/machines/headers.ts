/** Checks `src/sys/constants.ts` against headers by static assertions in C. */
import assert from "node:assert/strict";
import { mustRun } from "../../release/command.ts";
import { withFolder } from "../support/run/folder.ts";

export type Constants = Readonly<Record<string, number | Readonly<Record<string, number>>>>;

/** C prefixes of groups; default: the group's name with an underscore. */
const PREFIXES: Readonly<Record<string, string>> = { ERRNO: "E", SOCKET_STATE: "TCP_" };
const EPOLL_OPERATIONS = ["ADD", "DEL", "MOD"];
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
  SYS_BPF: "SYS_bpf",
  "DIRENT.name": "offsetof(struct dirent, d_name)",
};
const HEADERS = [
  ...["dirent", "errno", "fcntl", "netinet/in", "netinet/tcp", "stddef", "sys/epoll"],
  ...["sys/eventfd", "sys/ioctl", "sys/mman", "sys/resource", "sys/socket", "sys/syscall"],
  ...["time", "linux/sock_diag", "linux/sockios"],
];

/** Throws an error with the compiler's output for a wrong constant. */
export async function assertAsInHeaders(
  constants: Constants,
  compilerFlags: readonly string[] = [],
): Promise<void> {
  const rows = Object.entries(constants).flatMap(([name, value]) =>
    typeof value === "number"
      ? [[name, NAMES[name] ?? name, value] as const]
      : Object.entries(value).map(([key, one]) =>
        [`${name}.${key}`, nameInC(name, key), one] as const
      )
  );
  assert.ok(rows.length > 50, "there are constants");
  const program = [
    "#define _GNU_SOURCE",
    ...HEADERS.map((name) => `#include <${name}.h>`),
    // 32 bits: epoll's highest bit is a sign here.
    ...rows.map(([ours, theirs, value]) =>
      `_Static_assert((unsigned)(${theirs}) == ${value >>> 0}u, "${ours} is ${value}");`
    ),
  ].join("\n");
  await withFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/constants.c`, `${program}\n`);
    await mustRun("gcc", [
      ...["-fsyntax-only", "-std=gnu11", ...compilerFlags, `${folder}/constants.c`],
    ]);
  });
}

/** Flags for this machine's gcc to read the headers of arm64; both have 64 bits. */
export async function arm64Flags(root: string): Promise<string[]> {
  const include = `${root}/usr/include`;
  const own = (await mustRun("gcc", ["-print-file-name=include"])).trim();
  const folders = [own, `${include}/aarch64-linux-gnu`, include];
  return ["-nostdinc", "-U__x86_64__", "-D__aarch64__"]
    .concat(folders.flatMap((folder) => ["-isystem", folder]));
}

function nameInC(group: string, key: string): string {
  if (group === "EPOLL") return `EPOLL${EPOLL_OPERATIONS.includes(key) ? "_CTL_" : ""}${key}`;
  return NAMES[`${group}.${key}`] ?? `${PREFIXES[group] ?? `${group}_`}${key}`;
}
