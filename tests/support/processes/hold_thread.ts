/**
 * Holds one thread of a process, as if it hung: the data plane's, which waits in epoll_wait.
 *
 * A debugger's means (ptrace), since a signal stops all threads of a process. It says HELD, and lets
 * go when it ends. A process that ends meanwhile is gone only then.
 */
const PTRACE_ATTACH = 16;
/** System calls that the data plane's thread waits in: epoll_wait, epoll_pwait, epoll_pwait2. */
const WAITS: Readonly<Record<string, readonly string[]>> = {
  x86_64: ["232", "281", "441"],
  aarch64: ["22", "441"],
};

/**
 * The thread that runs the data plane: of those that wait in epoll, the one of a Worker. Throws where
 * it cannot be told.
 */
function dataPlaneThread(pid: number): number {
  const waits = WAITS[Deno.build.arch] ?? [];
  const found = [...Deno.readDirSync(`/proc/${pid}/task`)].map(({ name }) => {
    const read = (what: string) =>
      Deno.readTextFileSync(`/proc/${pid}/task/${name}/${what}`).trim();
    return { thread: Number(name), name: read("comm"), call: read("syscall").split(" ")[0]! };
  });
  const own = found.filter((one) => /^worker/i.test(one.name) && waits.includes(one.call));
  if (own.length === 1) return own[0]!.thread;
  throw new Error(`Cannot tell the data plane's thread of ${pid}: ${JSON.stringify(found)}`);
}

if (import.meta.main) {
  const libc = Deno.dlopen("libc.so.6", {
    ptrace: { parameters: ["i32", "i32", "usize", "usize"], result: "isize" },
  });
  const thread = dataPlaneThread(Number(Deno.args[0]));
  if (Number(libc.symbols.ptrace(PTRACE_ATTACH, thread, 0n, 0n)) !== 0) {
    throw new Error(`Cannot attach to thread ${thread}`);
  }
  Deno.stdout.writeSync(new TextEncoder().encode("HELD\n"));
  await new Promise((resolve) => setTimeout(resolve, 60_000));
}
