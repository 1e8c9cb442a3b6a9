import type { Surroundings } from "./surroundings.ts";
import { type Owner, parseProcNet, processName, type Socket } from "../judge/sockets.ts";

const FILES = [["udp", "udp"], ["udp6", "udp"], ["tcp", "tcp"], ["tcp6", "tcp"]] as const;

/** Sockets that listen at some ports, with their processes where those can be seen; null without /proc. */
export function probeSockets(
  ports: readonly number[],
  tree: Surroundings["tree"],
): Socket[] | null {
  if (tree === null) return null;
  const texts = FILES.map(([file, protocol]) => ({
    text: tree.read(`/proc/net/${file}`),
    protocol,
  }));
  // Without IPv6 there are two of them.
  if (texts.every(({ text }) => text === null)) return null;
  const sockets = texts.flatMap(({ text, protocol }) => parseProcNet(text ?? "", protocol))
    .filter(({ port }) => ports.includes(port));
  const owners = findOwners(new Set(sockets.map(({ inode }) => inode)), tree);
  return sockets.map((socket) => ({ ...socket, owner: owners.get(socket.inode) ?? null }));
}

function findOwners(
  inodes: Set<number>,
  tree: NonNullable<Surroundings["tree"]>,
): Map<number, Owner> {
  const owners = new Map<number, Owner>();
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
