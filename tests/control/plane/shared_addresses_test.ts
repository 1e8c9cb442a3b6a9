import assert from "node:assert/strict";
import { neighboursText, SharedAddresses } from "../../../src/control/plane/shared_addresses.ts";
import { bindListener, closeAll } from "../../../src/io/linux/listen.ts";
import { openLibc } from "../../../src/sys/libc.ts";
import { SOCKADDR_SIZE, writeSockaddr } from "../../../src/sys/sockaddr.ts";
import { Address } from "../../../src/dns/address.ts";
import { freePort } from "../../support/servers/ports.ts";
import { skipUnlessLinux } from "../../support/run/require.ts";

const onLinux = skipUnlessLinux();
const noLog = () => {};

Deno.test({
  name: "shared addresses: sockets of others count until they are connected or closed",
  ...onLinux,
  fn: () => {
    const libc = openLibc();
    const port = freePort();
    const listener = { address: "127.0.0.1", port, index: 0 };
    const wanted = SharedAddresses.wanted([{ ...listener, zones: [] }], noLog);
    assert.deepEqual(wanted.neighbours(), []);
    const own = bindListener(libc, listener);
    const shared = SharedAddresses.of(own, noLog);
    assert.deepEqual(shared.neighbours(), []);
    assert.equal(neighboursText(wanted.neighbours()), `127.0.0.1:${port}`);
    const elsewhere = bindListener(libc, { ...listener, address: "127.0.0.2" });
    assert.deepEqual(shared.neighbours(), []);
    const others = [...bindListener(libc, listener), ...bindListener(libc, listener)];
    assert.deepEqual(shared.neighbours().map(({ kind, count }) => [kind, count]), [
      ["udp", 2],
      ["tcp", 2],
    ]);
    const [udp, tcp] = others;
    const nobody = Object.assign(new Address(), { port: 9 });
    nobody.bytes.set([127, 0, 0, 1]);
    const name = new Uint8Array(SOCKADDR_SIZE);
    assert.equal(libc.connect(udp!.fd, name, writeSockaddr(nobody, name)), 0);
    closeAll(libc, [tcp!]);
    assert.deepEqual(shared.neighbours().map(({ count }) => count), [1, 1]);
    closeAll(libc, own);
    assert.deepEqual(shared.neighbours().map(({ count }) => count), [1, 1]);
    closeAll(libc, [udp!, ...others.slice(2), ...elsewhere]);
    assert.deepEqual(shared.neighbours(), []);
  },
});

Deno.test({
  name: "shared addresses: handed-over sockets do not count as another process's",
  ...onLinux,
  fn: () => {
    const libc = openLibc();
    const listener = { address: "127.0.0.1", port: freePort(), index: 0, zones: [] };
    const sockets = bindListener(libc, listener);
    const wanted = SharedAddresses.wanted([listener], noLog);
    assert.equal(wanted.neighbours().length, 2);
    wanted.disregard(sockets.map(({ fd }) => fd));
    assert.deepEqual(wanted.neighbours(), []);
    closeAll(libc, sockets);
  },
});
