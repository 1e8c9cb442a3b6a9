import { parseName } from "../../dns/name.ts";
import type { HostsOptions } from "./options.ts";

/** Names added to the file are soon found. */
const MAX_DENIAL_SECONDS = 60;
/** Mailbox of zones that nobody maintains (RFC 6303 section 3), and refresh, retry, expire. */
const MAILBOX = parseName("nobody.invalid.");
const TIMES = [3600, 1200, 604_800];

/** A zone whose names exist only if they are listed. */
export interface Authority {
  /** In lower-case wire form. */
  readonly name: Uint8Array;
  /** SOA data. */
  readonly soa: Uint8Array;
  readonly ttlSeconds: number;
}

/** Creates the authority of a zone. */
export function createAuthority(
  zone: string,
  { ttlSeconds }: Pick<HostsOptions, "ttlSeconds">,
): Authority {
  const name = parseName(zone);
  const seconds = Math.min(ttlSeconds, MAX_DENIAL_SECONDS);
  const numbers = [1, ...TIMES, seconds].flatMap((n) => [n >>> 24, n >>> 16, n >>> 8, n]);
  return { name, soa: Uint8Array.from([...name, ...MAILBOX, ...numbers]), ttlSeconds: seconds };
}
