/** Name of the client at an address; null: unknown. */
export function clientText(_address: string): string | null {
  return null;
}
