import { parseAddress } from "../dns/address.ts";

/** Most servers that one file may name; the C library itself takes three. */
const MAX_SERVERS = 100;
/** What the C library takes at most (RES_MAXRETRANS, RES_MAXRETRY); beyond, it takes the bound. */
const TIMEOUT_SECONDS = { min: 1, max: 30 } as const;
const ATTEMPTS = { min: 1, max: 5 } as const;

/** What a file in the form of resolv.conf(5) says to a forwarder. */
export interface ResolvConf {
  /** Addresses of the `nameserver` lines, IPv6 link-local ones with their scope. */
  servers: string[];
  /** `options timeout:N`; null if it is not set. */
  timeoutMs: number | null;
  /** `options attempts:N`: rounds over all servers; null if it is not set. */
  attempts: number | null;
  /** `options rotate`. */
  rotate: boolean;
}

/** What was read from such a file. */
export interface ReadResolvConf extends ResolvConf {
  /** What stands where an address should. */
  invalid: string[];
}

/** Reads a resolv.conf(5). Nothing in it is a fault; other lines are for the C library alone. */
export function parseResolvConf(text: string): ReadResolvConf {
  const found: ReadResolvConf = {
    servers: [],
    invalid: [],
    timeoutMs: null,
    attempts: null,
    rotate: false,
  };
  for (const line of text.split("\n")) {
    const [word, ...rest] = line.trim().split(/\s+/);
    if (word === "nameserver" && rest.length > 0) {
      const [address, scope] = rest[0]!.split("%");
      const valid = parseAddress(address!) !== null && (scope !== "" && rest[0]!.length < 100);
      const list = valid ? found.servers : found.invalid;
      if (list.length < MAX_SERVERS) list.push(rest[0]!);
    } else if (word === "options") {
      for (const option of rest) readOption(option, found);
    }
  }
  return found;
}

/** As in the C library, the last one that is set counts. */
function readOption(option: string, found: ResolvConf): void {
  const [, name, digits] = /^(timeout|attempts):([0-9]{1,9})$/.exec(option) ?? [];
  if (name === "timeout") found.timeoutMs = within(Number(digits), TIMEOUT_SECONDS) * 1000;
  else if (name === "attempts") found.attempts = within(Number(digits), ATTEMPTS);
  else if (option === "rotate") found.rotate = true;
}

function within(value: number, { min, max }: { min: number; max: number }): number {
  return Math.min(Math.max(value, min), max);
}
