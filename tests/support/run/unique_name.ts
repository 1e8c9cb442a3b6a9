/**
 * A name that carries the process id, and that nothing else on this machine has: files of a run share
 * a process but no module, so a counter would start anew in each.
 */
export function uniqueName(prefix: string): string {
  return `${prefix}-${Deno.pid}-${crypto.randomUUID().slice(0, 8)}`;
}
