import assert from "node:assert/strict";
import { SOCKET_STATE } from "../../../src/sys/constants.ts";
import { encodeRequest } from "../../../src/sys/netlink/netlink.ts";
import { decodeSocket, listSockets, socketRequest } from "../../../src/sys/netlink/sock_diag.ts";
import { freePort } from "../../support/servers/ports.ts";
import { skipUnlessLinux } from "../../support/run/require.ts";

const onLinux = skipUnlessLinux();

const bytes = (hex: string) => Uint8Array.fromHex(hex.replace(/\s/g, ""));

Deno.test("sock_diag: a request contains family, protocol, states and port", () => {
  const query = { family: 6, kind: "tcp", port: 53, states: [SOCKET_STATE.LISTEN] } as const;
  const request = encodeRequest(socketRequest(query), 7);
  const zeros = "00".repeat(44);
  assert.deepEqual(
    request,
    bytes(`48000000 1400 0103 07000000 00000000 0a060000 00040000 0035 0000 ${zeros}`),
  );
});

Deno.test("sock_diag: a socket is decoded, and a truncated one is an error", () => {
  const body = bytes(
    "02070000 0035 0000 7f000001 00000000 00000000 00000000" +
      "00000000 00000000 00000000 00000000 02000000 0100000000000080" +
      "00000000 00000000 00000000 e8030000 39300000",
  );
  const { local, peer, cookie, uid } = decodeSocket(body);
  assert.deepEqual([local.family, local.hostname(), local.port, local.scope], [
    4,
    "127.0.0.1",
    53,
    2,
  ]);
  assert.deepEqual([peer.hostname(), peer.port], ["0.0.0.0", 0]);
  assert.equal(cookie, 0x8000000000000001n);
  assert.equal(uid, 1000);
  for (let length = 0; length < body.length; length++) {
    assert.throws(() => decodeSocket(body.subarray(0, length)), RangeError);
  }
});

Deno.test({
  name: "open sockets are listed by port and state, and no others",
  ...onLinux,
  fn: () => {
    for (const hostname of ["127.0.0.1", "::1"]) {
      const family = hostname === "::1" ? 6 : 4;
      const port = freePort();
      const tcp = Deno.listen({ hostname, port });
      const udp = Deno.listenDatagram({ transport: "udp", hostname, port });
      const list = (kind: "tcp" | "udp", socket: { addr: Deno.Addr }, state: number) =>
        listSockets([{ family, kind, port: (socket.addr as Deno.NetAddr).port, states: [state] }]);
      const [listening, ...more] = list("tcp", tcp, SOCKET_STATE.LISTEN);
      assert.deepEqual([listening?.local.hostname(), more], [hostname, []]);
      assert.equal(listening?.uid, Deno.uid());
      assert.equal(list("udp", udp, SOCKET_STATE.CLOSE)[0]?.local.hostname(), hostname);
      assert.deepEqual(list("tcp", tcp, SOCKET_STATE.SYN_RECV), []);
      assert.deepEqual(list("udp", udp, SOCKET_STATE.ESTABLISHED), []);
      udp.close();
      assert.deepEqual(list("udp", { addr: { port: 1 } as Deno.NetAddr }, SOCKET_STATE.CLOSE), []);
      tcp.close();
    }
  },
});
