import type { Libc } from "../../sys/libc.ts";
import { folderFault } from "../../sys/own_folder.ts";
import { HttpAddressServer, type HttpTarget } from "../endpoints/http/address.ts";
import type { HttpContext, Peer } from "../endpoints/http/connection.ts";
import { PeerFinder } from "./peer.ts";

/** For a name in `sun_path` (unix(7)). */
const MAX_PATH = 107;
const SUFFIX_SIZE = 8;
const CONNECTIONS = 16;
/** Only the owner may connect. */
const UMASK = 0o177;
/** Only owners may replace their files. */
const STICKY = 0o1000;
/** Folders with a mode of our choice. */
const OWN_FOLDER = /\/nodens(-[0-9]+)?$/;

/** Names place and remedy. */
export class SocketError extends Error {}

/** Unix socket for operators. */
export class ControlSocket {
  readonly #path: string;
  readonly #bound: string;
  readonly #server: HttpAddressServer;
  readonly #inode: number | null;

  private constructor(path: string, bound: string, server: HttpAddressServer) {
    this.#path = path;
    this.#bound = bound;
    this.#server = server;
    this.#inode = Deno.lstatSync(path).ino;
  }

  /**
   * Serves at `path`. Replaces a crashed process's file; a running one's only if `succeeds`. Throws
   * `SocketError`.
   */
  static async open(
    path: string,
    { context, libc, targets, succeeds }: {
      context: HttpContext;
      /** Null without FFI: only the file's mode protects. */
      libc: Libc | null;
      targets: ReadonlyMap<string, HttpTarget>;
      succeeds: boolean;
    },
  ): Promise<ControlSocket> {
    // No other listener's connections have this name (`PeerFinder`).
    const bound = `${path}.${crypto.getRandomValues(new Uint8Array(SUFFIX_SIZE / 2)).toHex()}`;
    if (new TextEncoder().encode(bound).length > MAX_PATH) {
      throw new SocketError(
        `"${path}" is too long for a socket (${MAX_PATH - 1 - SUFFIX_SIZE} octets at most)`,
      );
    }
    if (!succeeds && await isServed(path)) {
      throw new SocketError(`"${path}" is the control socket of another process`);
    }
    const listener = listen(path, bound);
    const finder = libc === null ? null : new PeerFinder(libc, bound);
    const server = new HttpAddressServer(listener, context, {
      methods: ["GET", "HEAD", "POST"],
      admit: () => finder === null ? UNKNOWN : admitted(finder.next()),
    });
    server.targets = targets;
    server.maxConnections = CONNECTIONS;
    return new ControlSocket(path, bound, server);
  }

  /** Answers requests in flight, ends streams, removes the file. */
  async close(): Promise<void> {
    const stopped = this.#server.stop();
    try {
      if (Deno.lstatSync(this.#path).ino === this.#inode) Deno.removeSync(this.#path);
    } catch {
      // Already removed.
    }
    remove(this.#bound);
    await stopped;
  }
}

const UNKNOWN: Peer = { uid: -1, pid: -1 };

/** The file's mode already protects, on most file systems. */
function admitted(peer: Peer | null): Peer | null {
  return peer !== null && (peer.uid === 0 || peer.uid === Deno.uid()) ? peer : null;
}

async function isServed(path: string): Promise<boolean> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return true;
  } catch {
    return false;
  }
}

/** Binds beside the path, then moves the socket: it is never missing or unguarded. */
function listen(path: string, bound: string): Deno.UnixListener {
  let listener: Deno.UnixListener | null = null;
  try {
    const file = fileAt(path);
    if (file !== null && !file.isSocket) throw new SocketError(`"${path}" is not a socket`);
    makeFolder(path.replace(/\/[^/]*$/, "") || "/");
    const before = Deno.umask(UMASK);
    try {
      listener = Deno.listen({ transport: "unix", path: bound });
    } finally {
      Deno.umask(before);
    }
    Deno.renameSync(bound, path);
    return listener;
  } catch (error) {
    listener?.close();
    remove(bound);
    if (error instanceof SocketError) throw error;
    throw new SocketError(`"${path}" cannot be opened: ${reason(error as Error)}`);
  }
}

/** Writers to a folder could replace the socket. */
function makeFolder(folder: string): void {
  try {
    Deno.mkdirSync(folder, { recursive: true, mode: 0o755 });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
  if (OWN_FOLDER.test(folder)) makeSticky(folder);
  const fault = folderFault(folder);
  if (fault !== null) throw new SocketError(`"${folder}" is not a safe folder: ${fault}`);
}

/** An emptyDir of Kubernetes is writable for everybody. */
function makeSticky(folder: string): void {
  const { uid, mode, isDirectory } = Deno.lstatSync(folder);
  if (!isDirectory || uid !== Deno.uid() || mode === null || (mode & 0o022) === 0) return;
  Deno.chmodSync(folder, (mode & 0o7777) | STICKY);
}

function fileAt(path: string): Deno.FileInfo | null {
  try {
    return Deno.lstatSync(path);
  } catch {
    return null;
  }
}

function remove(path: string): void {
  try {
    if (Deno.lstatSync(path).isSocket) Deno.removeSync(path);
  } catch {
    // Not there.
  }
}

function reason(error: Error): string {
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.NotFound) return "there is no such folder";
  return error.message.replace(/ \(os error \d+\).*$/, "");
}
