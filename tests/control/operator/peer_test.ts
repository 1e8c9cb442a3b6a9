import assert from "node:assert/strict";
import { PeerFinder } from "../../../src/control/operator/peer.ts";
import { AF, SO } from "../../../src/sys/constants.ts";
import type { Libc } from "../../../src/sys/libc.ts";

const PATH = "/run/nodens/control.sock.7";

/** A socket of the process; without a path it has no name. */
interface Socket {
  path?: string;
  family?: number;
  listening?: boolean;
  cookie: bigint;
  uid?: number;
}

/** Descriptors as the kernel shows them. */
function kernel(sockets: Map<number, Socket>): Libc {
  const getsockname = (fd: number, name: Uint8Array, size: Uint32Array) => {
    const socket = sockets.get(fd);
    if (socket === undefined) return -1;
    const { family = AF.UNIX, path } = socket;
    // An abstract name has a length and no final zero; no name is two octets.
    const text = path === undefined ? "" : path.startsWith("\0") ? path : `${path}\0`;
    name.set([family, 0, ...new TextEncoder().encode(text)]);
    size[0] = 2 + text.length;
    return 0;
  };
  const getsockopt = (fd: number, _: number, option: number, value: Uint32Array) => {
    const { listening = false, cookie, uid = 1000 } = sockets.get(fd)!;
    if (option === SO.ACCEPTCONN) value[0] = listening ? 1 : 0;
    else if (option === SO.COOKIE) (value as unknown as BigUint64Array)[0] = cookie;
    else value.set([100 + fd, uid, uid]);
    return 0;
  };
  return { getsockname, getsockopt } as unknown as Libc;
}

const LISTENER: Socket = { path: PATH, listening: true, cookie: 1n };
const ours = (cookie: bigint, uid = 1000): Socket => ({ path: PATH, cookie, uid });

for (
  const [what, others, peer] of [
    ["a new connection", {}, { uid: 1000, pid: 120 }],
    ["one among sockets of another path", {
      19: { path: `${PATH}7`, cookie: 9n, uid: 0 },
      21: { path: PATH.slice(0, -1), cookie: 10n, uid: 0 },
    }, { uid: 1000, pid: 120 }],
    ["one before sockets without a name", {
      21: { cookie: 9n, uid: 0 },
      22: { cookie: 10n, uid: 0 },
    }, { uid: 1000, pid: 120 }],
    ["one beside an abstract name", { 21: { path: `\0${PATH}`, cookie: 9n, uid: 0 } }, {
      ...{ uid: 1000, pid: 120 },
    }],
    ["one beside sockets of other families", {
      21: { path: PATH, family: AF.INET, cookie: 9n, uid: 0 },
    }, { uid: 1000, pid: 120 }],
    ["one of two", { 21: ours(9n, 0) }, null],
  ] as [string, Record<number, Socket>, object | null][]
) {
  Deno.test(`peer of ${what}`, () => {
    const sockets = new Map([[10, LISTENER], [20, ours(2n)]]);
    for (const [fd, socket] of Object.entries(others)) sockets.set(Number(fd), socket);
    assert.deepEqual(new PeerFinder(kernel(sockets), PATH).next(), peer);
  });
}

Deno.test("peer of a connection beside older ones, also of a used descriptor", () => {
  const sockets = new Map([[10, LISTENER], [20, ours(2n, 0)]]);
  const finder = new PeerFinder(kernel(sockets), PATH);
  assert.equal(finder.next()!.uid, 0);
  sockets.set(15, ours(3n, 1001));
  assert.equal(finder.next()!.uid, 1001);
  sockets.set(20, ours(4n, 1002));
  assert.equal(finder.next()!.uid, 1002);
  assert.equal(finder.next(), null, "nothing is new");
});

Deno.test("peer of a connection, while an older one was not seen for a time", () => {
  const sockets = new Map([[10, LISTENER]]);
  for (let fd = 11; fd < 3000; fd++) sockets.set(fd, { family: AF.INET, cookie: BigInt(fd) });
  const full = new Map(sockets);
  sockets.set(3000, ours(5000n, 0));
  const finder = new PeerFinder(kernel(sockets), PATH);
  assert.equal(finder.next()!.uid, 0);
  for (const fd of full.keys()) if (fd > 10) sockets.delete(fd);
  sockets.set(11, ours(5001n, 1001));
  assert.equal(finder.next()!.uid, 1001);
  for (const [fd, socket] of full) if (fd > 11) sockets.set(fd, socket);
  sockets.set(3001, ours(5002n, 1002));
  assert.equal(finder.next()!.uid, 1002, "and not the one seen again");
});
