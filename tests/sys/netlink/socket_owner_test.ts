import assert from "node:assert/strict";
import { encodeRequest } from "../../../src/sys/netlink/netlink.ts";
import {
  decodeOwner,
  ownerRequest,
  socketOwner,
  type TcpEnd,
} from "../../../src/sys/netlink/socket_owner.ts";
import { missing, rootReasons, skipFor, skipUnlessLinux } from "../../support/run/require.ts";

const NOBODY = 65534;

const bytes = (hex: string) => Uint8Array.fromHex(hex.replace(/\s/g, ""));

Deno.test("socket owner: a request names both ends of one socket", () => {
  const request = ownerRequest(
    { hostname: "::ffff:127.0.0.1", port: 40000 },
    { hostname: "127.0.0.1", port: 53 },
  );
  const zeros = "00".repeat(12);
  assert.deepEqual(
    encodeRequest(request!, 7),
    bytes(
      `48000000 1400 0500 07000000 00000000 02060000 ffffffff 9c40 0035 7f000001 ${zeros}` +
        `7f000001 ${zeros} 00000000 ffffffffffffffff`,
    ),
  );
});

const REFUSED: { title: string; ends: [TcpEnd, TcpEnd] }[] = [
  {
    title: "ends of two families",
    ends: [{ hostname: "127.0.0.1", port: 1 }, { hostname: "::1", port: 2 }],
  },
  {
    title: "a name",
    ends: [{ hostname: "localhost", port: 1 }, { hostname: "127.0.0.1", port: 2 }],
  },
];

for (const { title, ends } of REFUSED) {
  Deno.test(`socket owner: ${title} is not asked for`, () => {
    assert.equal(ownerRequest(...ends), null);
    assert.equal(socketOwner(...ends), null);
  });
}

Deno.test("socket owner: only an established socket with an inode has one", () => {
  const reply = (state: string, inode: string) =>
    bytes(`02${state}0000 ${"00".repeat(60)} e8030000 ${inode}`);
  const owner = (body: Uint8Array) => decodeOwner({ body });
  assert.equal(owner(reply("01", "39300000")), 1000);
  assert.equal(owner(reply("01", "00000000")), null, "orphaned");
  assert.equal(owner(reply("06", "39300000")), null, "TIME_WAIT");
  assert.equal(owner(reply("01", "39300000").subarray(0, 71)), null, "truncated");
  assert.equal(decodeOwner(undefined), null);
});

/** Connects, and looks up the owner of the client's end. */
async function ownerOf(
  listening: string,
  connect: (port: number) => { close(): Promise<void> | void },
): Promise<number | null> {
  using listener = Deno.listen({ hostname: listening, port: 0 });
  const client = connect(listener.addr.port);
  using accepted = await listener.accept();
  const owner = socketOwner(accepted.remoteAddr, accepted.localAddr);
  await client.close();
  return owner;
}

Deno.test({
  name: "socket owner: the own user is found over IPv4, IPv6 and a mapped address",
  ...skipUnlessLinux(),
  fn: async () => {
    for (
      const [listening, hostname] of [["127.0.0.1", "127.0.0.1"], ["::1", "::1"], [
        "::",
        "127.0.0.1",
      ]] as const
    ) {
      const owner = await ownerOf(listening, (port) => {
        const conn = Deno.connect({ hostname, port });
        return { close: async () => (await conn).close() };
      });
      assert.equal(owner, Deno.uid(), `${listening} ${hostname}`);
    }
  },
});

Deno.test({
  name: "socket owner: another user is told from the own",
  ...skipFor([...rootReasons(), ...missing(["setpriv", "bash"])]),
  fn: async () => {
    const owner = await ownerOf("127.0.0.1", (port) => {
      const child = new Deno.Command("setpriv", {
        args: [
          ...[`--reuid=${NOBODY}`, "--clear-groups", "bash", "-c"],
          `exec 3<>/dev/tcp/127.0.0.1/${port}; read -r <&3`,
        ],
        stdout: "null",
        stderr: "null",
      }).spawn();
      return { close: async () => void (child.kill("SIGKILL"), await child.status) };
    });
    assert.equal(owner, NOBODY);
  },
});
