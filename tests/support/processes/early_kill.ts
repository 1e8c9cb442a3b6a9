interface Started {
  readonly pid: number;
  readonly ended: Promise<unknown>;
  stop(): Promise<unknown>;
}

/**
 * Kills a process that starts beside another one before it binds its sockets; stops it in order, and
 * returns false, if it was faster.
 *
 * @param bound - whether sockets of two processes are bound
 */
export async function killBeforeBound(
  started: Started,
  bound: () => boolean | Promise<boolean>,
): Promise<boolean> {
  const { pid, ended } = started;
  // Stopped, it cannot bind between the look and the end.
  Deno.kill(pid, "SIGSTOP");
  if (await bound()) {
    Deno.kill(pid, "SIGCONT");
    await started.stop();
    return false;
  }
  Deno.kill(pid, "SIGKILL");
  await ended;
  return true;
}
