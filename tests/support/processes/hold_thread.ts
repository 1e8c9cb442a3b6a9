/**
 * Stops a process's data plane thread, which waits in epoll, as if it hung. It uses ptrace, since
 * a signal stops all threads. It prints HELD, and releases the thread when it ends; a process that
 * ends meanwhile is reaped only then.
 */
const PTRACE_ATTACH = 16;
/** Numbers of epoll_wait, epoll_pwait and epoll_pwait2. */
const WAITS: Readonly<Record<string, readonly string[]>> = {
  x86_64: ["232", "281", "441"],
  aarch64: ["22", "441"],
};

/** The only Worker thread that waits in epoll; throws if there is not exactly one. */
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
