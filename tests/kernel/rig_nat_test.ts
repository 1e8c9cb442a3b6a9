/** Queries of the node that a rule of nat leads to nodens: by a Service, or `nodens redirect`. */
import assert from "node:assert/strict";
import { query } from "../support/kernel/asker.ts";
import { connectedSocket } from "../support/kernel/connected_socket.ts";
import { inside } from "../support/kernel/inside.ts";
import { SERVED } from "../support/kernel/pod_network.ts";
import { answersOf, pause } from "../support/kernel/pod_rig.ts";
import { rigTest } from "../support/kernel/rig_test_case.ts";

const SERVICE = "10.99.0.10";
const WAIT_MS = 2000;

for (const connected of [true, false]) {
  const kind = connected ? "a connected" : "an unconnected";
  rigTest(`${kind} socket is answered from the address that it asked, before nat`, async (rig) => {
    const nodens = await rig.nodens();
    const [{ v4: via, port: dev }] = rig.pods;
    rig.inNode("ip", "route", "add", SERVICE, "via", via, "dev", dev, "onlink");
    const match = ["-d", SERVICE, "-p", "udp", "--dport", "53"];
    const to = ["-j", "DNAT", "--to-destination", `${SERVED.v4[0]}:53`];
    rig.inNode("iptables", "-t", "nat", "-A", "OUTPUT", ...match, ...to);
    await rig.untilInKernel(nodens, rig.asker(null));
    const before = await answersOf(nodens);
    const socket = inside(
      rig.network.node,
      () =>
        connected
          ? connectedSocket(SERVICE, 53)
          : Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port: 0 }),
    );
    try {
      const one = query("al9999.kernel.example");
      for (let i = 0; i < 4; i++) {
        await socket.send(one, { transport: "udp", hostname: SERVICE, port: 53 });
        const late = pause(WAIT_MS).then(() => null);
        const received = await Promise.race([socket.receive(), late]);
        assert.equal((received?.[1] as Deno.NetAddr | undefined)?.hostname, SERVICE);
      }
    } finally {
      socket.close();
    }
    assert.equal(await answersOf(nodens), before);
  }, { binaries: ["iptables"] });
}

rigTest("an unconnected socket of the node is answered by nodens itself", async (rig) => {
  const nodens = await rig.nodens();
  await rig.untilInKernel(nodens, rig.asker(null));
  const before = await answersOf(nodens);
  for (const server of [SERVED.v4[0], SERVED.v6[0]]) {
    const asker = rig.asker(null, server, { connected: false });
    for (let i = 0; i < 4; i++) assert.ok(await asker.ask(query("al9999.kernel.example")));
  }
  assert.equal(await answersOf(nodens), before);
});
