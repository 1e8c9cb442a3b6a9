const CLONE_NEWNET = 0x40000000;
const OWN = "/proc/thread-self/ns/net";

let libc: ReturnType<typeof open> | null = null;

function open() {
  return Deno.dlopen("libc.so.6", {
    open: { parameters: ["buffer", "i32"], result: "i32" },
    setns: { parameters: ["i32", "i32"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
  }).symbols;
}

/**
 * Runs `use`, which must not wait, in a network namespace. Sockets that it opens stay there, so that
 * one test can be several hosts.
 */
export function inside<T>(namespace: string, use: () => T): T {
  libc ??= open();
  const own = opened(OWN);
  try {
    enter(opened(`/run/netns/${namespace}`), namespace);
    return use();
  } finally {
    enter(own, OWN);
  }
}

function opened(path: string): number {
  const fd = libc!.open(new TextEncoder().encode(`${path}\0`), 0);
  if (fd < 0) throw new Error(`Cannot open "${path}"`);
  return fd;
}

function enter(fd: number, name: string): void {
  const failed = libc!.setns(fd, CLONE_NEWNET) !== 0;
  libc!.close(fd);
  if (failed) throw new Error(`Cannot enter the network namespace "${name}"`);
}
