/**
 * A name with the process id, unique on this machine. Test files share a process but no modules,
 * so a counter would restart in each.
 */
export function uniqueName(prefix: string): string {
  return `${prefix}-${Deno.pid}-${crypto.randomUUID().slice(0, 8)}`;
}
