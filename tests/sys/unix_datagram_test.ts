import assert from "node:assert/strict";
import { openLibc } from "../../src/sys/libc.ts";
import { unixAddress, UnixDatagramSender } from "../../src/sys/unix_datagram.ts";
import { isLinux, skipFor } from "../support/run/require.ts";

Deno.test("unixAddress encodes paths and abstract names, and refuses other names", () => {
  const rows: [string, number[]][] = [
    ["/a", [1, 0, 0x2f, 0x61, 0]],
    ["@ab", [1, 0, 0, 0x61, 0x62]],
  ];
  for (const [name, bytes] of rows) assert.deepEqual([...unixAddress(name)], bytes, name);
  assert.equal(unixAddress(`/${"x".repeat(106)}`).length, 110);
  assert.throws(() => unixAddress(`/${"x".repeat(107)}`), /is too long for a socket/);
  for (const bad of ["", "@", "notify", "vsock:2:1", "/a\0b"]) {
    assert.throws(() => unixAddress(bad), /is neither a path nor "@"/, bad);
  }
});

if (isLinux()) {
  Deno.test("datagrams are delivered to an abstract socket, and a full queue does not block", () => {
    const libc = openLibc();
    const name = `@nodens-test-${Deno.pid}`;
    const receiver = libc.socket(1, 2, 0);
    const address = unixAddress(name);
    assert.equal(libc.bind(receiver, address, address.length), 0);
    assert.match(Deno.readTextFileSync("/proc/net/unix"), new RegExp(` ${name}\n`));
    const sender = new UnixDatagramSender(name);
    const buffer = new Uint8Array(64);
    assert.equal(sender.send(new TextEncoder().encode("READY=1\n")), true);
    const length = libc.recv(receiver, buffer, buffer.length, 0x40);
    assert.equal(new TextDecoder().decode(buffer.subarray(0, length)), "READY=1\n");
    let sent = 0;
    while (sent < 100_000 && sender.send(buffer)) sent++;
    assert.ok(sent > 0 && sent < 100_000, `${sent} datagrams in an unread queue`);
    sender.close();
    libc.close(receiver);
    const gone = new UnixDatagramSender(name);
    assert.equal(gone.send(buffer), false);
    gone.close();
  });
} else {
  skipFor(["it needs Linux"]);
}
