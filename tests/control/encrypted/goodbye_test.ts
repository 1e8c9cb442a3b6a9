/** How TLS connections end, and how many may be about to. */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { SecureConnection } from "../../../src/control/encrypted/tls/connect.ts";
import { closeConnection, MAX_LINGERING } from "../../../src/control/encrypted/tls/goodbye.ts";

/** One side of a connection, as far as its end is concerned. */
class FakeSocket extends EventEmitter {
  held = false;
  destroyed = false;
  ends = 0;

  resume(): void {}

  end(): void {
    this.ends++;
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit("close");
  }
}

function connect() {
  const socket = new FakeSocket();
  const transport = new FakeSocket();
  return { socket, transport, both: { socket, transport } as unknown as SecureConnection };
}

Deno.test("however many TLS connections close, few linger: the oldest end at once", () => {
  const all = Array.from({ length: 3 * MAX_LINGERING }, connect);
  let most = 0;
  for (const { both } of all) {
    closeConnection(both);
    closeConnection(both);
    most = Math.max(
      most,
      all.filter(({ socket, transport }) => socket.ends > 0 && !transport.destroyed).length,
    );
  }
  assert.equal(most, MAX_LINGERING);
  assert.ok(all.every(({ socket }) => socket.ends === 1), "one did not say goodbye");
  const states = all.map(({ transport }) => transport.destroyed);
  const linger = all.length - MAX_LINGERING;
  assert.deepEqual(states, all.map((_, i) => i < linger));
  // The peers say goodbye: no timer is left, which the test would notice.
  for (const { transport } of all) transport.destroy();
  const next = connect();
  closeConnection(next.both);
  assert.equal(next.transport.destroyed, false);
  next.transport.destroy();
});

Deno.test("a TLS connection that is not read from ends at once, and one that goes on sending", () => {
  const held = connect();
  held.transport.held = true;
  closeConnection(held.both);
  assert.deepEqual([held.socket.ends, held.transport.destroyed], [0, true]);
  const flooding = connect();
  closeConnection(flooding.both);
  for (let i = 0; i < 3; i++) flooding.socket.emit("data", new Uint8Array(60_000));
  assert.equal(flooding.transport.destroyed, true);
});
