import { addressText } from "../../node/interface/addresses.ts";
import type { Socket } from "../judge/listeners.ts";
import type { Surroundings } from "./options.ts";

const FILES = [["udp", "udp"], ["udp6", "udp"], ["tcp", "tcp"], ["tcp6", "tcp"]] as const;
/** Listening TCP socket, and UDP socket without a peer. */
const STATE = { tcp: "0A", udp: "07" } as const;

/** Listening sockets; null without /proc. */
export function probeSockets(
  ports: readonly number[],
  tree: Surroundings["tree"],
): Socket[] | null {
  if (tree === null) return null;
  const texts = FILES.map(([file, protocol]) => ({
    text: tree.read(`/proc/net/${file}`),
    protocol,
  }));
  if (texts.every(({ text }) => text === null)) return null;
  const sockets = texts.flatMap(({ text, protocol }) => parseProcNet(text ?? "", protocol))
    .filter(({ port }) => ports.includes(port));
  const owners = findOwners(new Set(sockets.map(({ inode }) => inode)), tree);
  return sockets.map((socket) => ({ ...socket, owner: owners.get(socket.inode) ?? null }));
}

function findOwners(
  inodes: Set<number>,
  tree: NonNullable<Surroundings["tree"]>,
): Map<number, Socket["owner"]> {
  const owners = new Map<number, Socket["owner"]>();
  for (const pid of inodes.size === 0 ? [] : tree.list("/proc")) {
    if (!/^[0-9]+$/.test(pid)) continue;
    for (const fd of tree.list(`/proc/${pid}/fd`)) {
      const link = tree.readLink(`/proc/${pid}/fd/${fd}`);
      const inode = Number(/^socket:\[([0-9]+)\]$/.exec(link ?? "")?.[1]);
      if (!inodes.has(inode) || owners.has(inode)) continue;
      const read = (name: string) => tree.read(`/proc/${pid}/${name}`) ?? "";
      owners.set(inode, { pid: Number(pid), name: processName(read("cmdline"), read("comm")) });
    }
    if (owners.size === inodes.size) break;
  }
  return owners;
}

/** Parses /proc/net; skips malformed lines. */
export function parseProcNet(text: string, protocol: "udp" | "tcp"): Socket[] {
  return text.split("\n").slice(1).flatMap((line) => {
    const words = line.trim().split(/\s+/);
    const local = /^([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})$/.exec(words[1] ?? "");
    const inode = Number(words[9]);
    if (local === null || words[3] !== STATE[protocol] || !Number.isInteger(inode)) return [];
    const address = socketAddress(local[1]!);
    return [{ protocol, address, port: parseInt(local[2]!, 16), inode, owner: null }];
  });
}

/** Little-endian 32-bit words. */
function socketAddress(hex: string): string {
  const bytes = Uint8Array.fromHex(hex);
  for (let i = 0; i < bytes.length; i += 4) bytes.subarray(i, i + 4).reverse();
  const isMapped = bytes.length === 16 && /^::ffff:[^:]+:[^:]+$/.test(addressText(bytes));
  return addressText(isMapped ? bytes.subarray(12) : bytes);
}

/** Process name from /proc/PID/cmdline and comm. */
export function processName(cmdline: string, comm: string): string {
  const program = (cmdline.split("\0", 1)[0] ?? "").split("/").at(-1) ?? "";
  // Kernel threads and zombies have none; a script's begins with its interpreter.
  const short = comm.trim();
  return program === "" || short.startsWith("systemd-") ? short : program;
}
