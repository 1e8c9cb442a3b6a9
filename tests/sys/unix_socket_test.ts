import assert from "node:assert/strict";
import { openLibc } from "../../src/sys/libc.ts";
import {
  closeDescriptors,
  MAX_DESCRIPTORS,
  ownUser,
  UnixListener,
  UnixPeer,
  waitReadable,
} from "../../src/sys/unix_socket.ts";

const linux = Deno.build.os === "linux";
let count = 0;

/** Two connected ends. */
function pair(): { listener: UnixListener; here: UnixPeer; there: UnixPeer } {
  const name = `nodens-test-${Deno.pid}-${count++}`;
  const listener = UnixListener.listen(name)!;
  const here = UnixPeer.connect(name)!;
  const there = listener.accept()!;
  return { listener, here, there };
}

function close({ listener, here, there }: ReturnType<typeof pair>): void {
  here.close();
  there.close();
  listener.close();
}

Deno.test({ name: "unix sockets: messages stay apart, both ways", ignore: !linux }, () => {
  const ends = pair();
  const { here, there } = ends;
  assert.equal(there.receive(), "none");
  assert.ok(here.send("one") && here.send("zwei €"));
  assert.deepEqual(there.receive(), { text: "one", fds: [] });
  assert.deepEqual(there.receive(), { text: "zwei €", fds: [] });
  assert.ok(there.send("x".repeat(65_536)));
  assert.equal((here.receive() as { text: string }).text.length, 65_536);
  assert.deepEqual(there.credentials, { pid: Deno.pid, uid: Deno.uid() });
  assert.equal(ownUser(), Deno.uid());
  close(ends);
});

Deno.test({ name: "unix sockets: descriptors are copies of what was sent", ignore: !linux }, () => {
  const ends = pair();
  const libc = openLibc();
  const event = libc.eventfd(0, 0o4000);
  const many = new Array(MAX_DESCRIPTORS).fill(event);
  assert.ok(ends.here.send("take", [event]) && ends.here.send("these", many));
  const { text, fds } = ends.there.receive() as { text: string; fds: number[] };
  assert.equal(text, "take");
  assert.equal(fds.length, 1);
  assert.notEqual(fds[0], event);
  libc.write(fds[0]!, new Uint8Array([3, 0, 0, 0, 0, 0, 0, 0]), 8);
  const value = new Uint8Array(8);
  assert.equal(libc.read(event, value, 8), 8);
  assert.equal(value[0], 3);
  const more = (ends.there.receive() as { fds: number[] }).fds;
  assert.equal(new Set(more).size, MAX_DESCRIPTORS);
  closeDescriptors([...fds, ...more, event]);
  close(ends);
});

Deno.test(
  { name: "unix sockets: the end is seen, after what came before it", ignore: !linux },
  () => {
    const ends = pair();
    ends.here.send("last");
    ends.here.close();
    assert.deepEqual(ends.there.receive(), { text: "last", fds: [] });
    assert.equal(ends.there.receive(), "closed");
    assert.equal(ends.there.send("late"), false);
    close(ends);
  },
);

Deno.test({ name: "unix sockets: a name has one owner at a time", ignore: !linux }, () => {
  const name = `nodens-test-${Deno.pid}-${count++}`;
  assert.equal(UnixPeer.connect(name), null);
  const first = UnixListener.listen(name)!;
  assert.equal(UnixListener.listen(name), null);
  assert.equal(first.accept(), null);
  first.close();
  UnixListener.listen(name)!.close();
});

Deno.test({ name: "unix sockets: too much at once is an error", ignore: !linux }, () => {
  const ends = pair();
  assert.throws(() => ends.here.send("x".repeat(65_537)), /65537 bytes.*65536/);
  assert.throws(() => ends.here.send("", new Array(MAX_DESCRIPTORS + 1).fill(0)), /descriptors/);
  assert.throws(() => UnixListener.listen("n".repeat(108)), /1 to 107 octets/);
  close(ends);
});

Deno.test({
  name: "unix sockets: waiting ends with a message, an end, or the time",
  ignore: !linux,
}, async () => {
  const ends = pair();
  const { here, there } = ends;
  await waitReadable([there.fd], 20);
  assert.equal(there.receive(), "none");
  const waiting = waitReadable([ends.listener.fd, there.fd], 60_000);
  here.send("wake");
  await waiting;
  assert.deepEqual(there.receive(), { text: "wake", fds: [] });
  const closing = waitReadable([there.fd], 60_000);
  here.close();
  await closing;
  assert.equal(there.receive(), "closed");
  close(ends);
});
