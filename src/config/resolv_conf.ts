import { parseAddress } from "../dns/address.ts";

/** The C library uses only three. */
const MAX_SERVERS = 100;
/** The C library's bounds (RES_MAXRETRANS, RES_MAXRETRY). */
const TIMEOUT_SECONDS = { min: 1, max: 30 } as const;
const ATTEMPTS = { min: 1, max: 5 } as const;

/** Settings of a resolv.conf(5); null if unset. */
export interface ResolvConf {
  servers: string[];
  timeoutMs: number | null;
  attempts: number | null;
  rotate: boolean;
}

/** `ResolvConf` with faults. */
export interface ParsedResolvConf extends ResolvConf {
  /** Invalid addresses of `nameserver` lines. */
  invalid: string[];
}

/** Parses a resolv.conf(5). Never throws. */
export function parseResolvConf(text: string): ParsedResolvConf {
  const found: ParsedResolvConf = {
    servers: [],
    invalid: [],
    timeoutMs: null,
    attempts: null,
    rotate: false,
  };
  for (const line of text.split("\n")) {
    const [word, ...rest] = line.trim().split(/\s+/);
    const [server] = rest;
    if (word === "nameserver" && server !== undefined) {
      const [address, scope] = server.split("%");
      const valid = parseAddress(address!) !== null && scope !== "" && server.length < 100;
      const list = valid ? found.servers : found.invalid;
      if (list.length < MAX_SERVERS) list.push(server);
    } else if (word === "options") {
      for (const option of rest) readOption(option, found);
    }
  }
  return found;
}

/** As in the C library, the last value wins. */
function readOption(option: string, found: ResolvConf): void {
  const [, name, digits] = /^(timeout|attempts):([0-9]{1,9})$/.exec(option) ?? [];
  if (name === "timeout") found.timeoutMs = clamp(Number(digits), TIMEOUT_SECONDS) * 1000;
  else if (name === "attempts") found.attempts = clamp(Number(digits), ATTEMPTS);
  else if (option === "rotate") found.rotate = true;
}

function clamp(value: number, { min, max }: { min: number; max: number }): number {
  return Math.min(Math.max(value, min), max);
}
