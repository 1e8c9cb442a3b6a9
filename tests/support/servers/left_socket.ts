/** Leaves a Unix socket at which nobody listens, as a crash does. Closing removes the bound path. */
export function leaveSocket(path: string): void {
  const listener = Deno.listen({ transport: "unix", path: `${path}.left` });
  Deno.renameSync(`${path}.left`, path);
  listener.close();
}
