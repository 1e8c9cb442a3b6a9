/** What serving must know of the rules even if it has none. */

/** SO_MARK of nodens' packets; avoids kube-proxy's bits (14, 15). */
export const OWN_MARK = 0x53;

/** Age from which rules let queries pass nodens by. */
export const HEARTBEAT_SECONDS = 2;

/** Conditions, best first; `socket`: heartbeat and, for remote packets, a listening socket. */
export const LEVELS = ["socket", "heartbeat", "none"] as const;
/** How rules fail open. */
export type FailOpenLevel = typeof LEVELS[number];

/** Address and port of a server. */
export interface Destination {
  readonly address: string;
  readonly port: number;
}

/** Family of an address. */
export function familyOf(address: string): 4 | 6 {
  return address.includes(":") ? 6 : 4;
}

/** Address and port in DNAT syntax. */
export function destinationText({ address, port }: Destination): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
