export function listeningPorts(pid: number): Set<number> {
  const sockets = new Set<string>();
  const ports = new Set<number>();
  try {
    for (const { name } of Deno.readDirSync(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${name}`))?.[1];
      if (inode !== undefined) sockets.add(inode);
    }
    for (const file of ["tcp", "tcp6"]) {
      for (const line of Deno.readTextFileSync(`/proc/${pid}/net/${file}`).split("\n").slice(1)) {
        const words = line.trim().split(/\s+/);
        if (words[3] !== LISTEN || !sockets.has(words[9]!)) continue;
        ports.add(parseInt(words[1]!.split(":")[1]!, 16));
      }
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return ports;
}

/** State of a listening socket in /proc/net/tcp. */
const LISTEN = "0A";

function linkOf(path: string): string {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return ""; // closed meanwhile
  }
}
