import { canonicalAddress, formatIPv6 } from "../../dns/address.ts";

/** A process that holds a socket. */
export interface Owner {
  readonly pid: number;
  readonly name: string;
}

/** A socket that takes queries or connections. */
export interface Socket {
  readonly protocol: "udp" | "tcp";
  /** In one spelling; "0.0.0.0" and "::" for all. */
  readonly address: string;
  readonly port: number;
  readonly inode: number;
  /** Null if it cannot be seen. */
  readonly owner: Owner | null;
}

/** States of /proc/net's: a listening TCP socket, a UDP socket without a peer. */
const STATE = { tcp: "0A", udp: "07" } as const;

/**
 * Reads /proc/net/udp, tcp, udp6 or tcp6: the sockets that listen. Lines that are cut or strange are
 * passed over.
 */
export function parseProcNet(text: string, protocol: "udp" | "tcp"): Socket[] {
  return text.split("\n").slice(1).flatMap((line) => {
    const words = line.trim().split(/\s+/);
    const local = /^([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})$/.exec(words[1] ?? "");
    const inode = Number(words[9]);
    if (local === null || words[3] !== STATE[protocol] || !Number.isInteger(inode)) return [];
    const address = addressText(local[1]!);
    return [{ protocol, address, port: parseInt(local[2]!, 16), inode, owner: null }];
  });
}

/** Addresses stand there as words of 32 bits in the machine's order, which is little-endian. */
function addressText(hex: string): string {
  const bytes = Uint8Array.from({ length: hex.length / 2 }, (_, i) => {
    const at = (i & ~3) + 3 - (i & 3);
    return parseInt(hex.slice(2 * at, 2 * at + 2), 16);
  });
  if (bytes.length === 4) return bytes.join(".");
  const mapped = bytes.subarray(0, 10).every((octet) => octet === 0) && bytes[10] === 0xff &&
    bytes[11] === 0xff;
  return mapped ? bytes.subarray(12).join(".") : canonicalAddress(formatIPv6(bytes));
}

/** What a process is called, out of /proc/PID/cmdline and comm. */
export function processName(cmdline: string, comm: string): string {
  const program = (cmdline.split("\0", 1)[0] ?? "").split("/").at(-1) ?? "";
  // Kernel threads and zombies have no command line; a script has its interpreter there.
  const short = comm.trim();
  return program === "" || short.startsWith("systemd-") ? short : program;
}
