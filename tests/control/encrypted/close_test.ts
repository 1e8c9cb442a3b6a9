import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import {
  closeConnection,
  MAX_LINGERING,
  type SecureConnection,
} from "../../../src/control/encrypted/tls/connection.ts";
import { VirtualClock } from "../../support/run/virtual_clock.ts";

class FakeSocket extends EventEmitter {
  paused = false;
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

const clock = new VirtualClock();

function connect() {
  const socket = new FakeSocket();
  const transport = new FakeSocket();
  return { socket, transport, both: { socket, transport } as unknown as SecureConnection };
}

Deno.test("closing TLS connections: few linger, and new ones destroy the oldest", () => {
  const all = Array.from({ length: 3 * MAX_LINGERING }, connect);
  let most = 0;
  for (const { both } of all) {
    closeConnection(both, clock);
    closeConnection(both, clock);
    most = Math.max(
      most,
      all.filter(({ socket, transport }) => socket.ends > 0 && !transport.destroyed).length,
    );
  }
  assert.equal(most, MAX_LINGERING);
  assert.ok(all.every(({ socket }) => socket.ends === 1), "one was not closed politely");
  const states = all.map(({ transport }) => transport.destroyed);
  const linger = all.length - MAX_LINGERING;
  assert.deepEqual(states, all.map((_, i) => i < linger));
  for (const { transport } of all) transport.destroy();
  assert.equal(clock.timers, 0);
  const next = connect();
  closeConnection(next.both, clock);
  assert.equal(next.transport.destroyed, false);
  next.transport.destroy();
});

Deno.test("closing a TLS connection: if it is paused or the peer keeps sending, it is destroyed", () => {
  const paused = connect();
  paused.transport.paused = true;
  closeConnection(paused.both, clock);
  assert.deepEqual([paused.socket.ends, paused.transport.destroyed], [0, true]);
  const flooding = connect();
  closeConnection(flooding.both, clock);
  for (let i = 0; i < 3; i++) flooding.socket.emit("data", new Uint8Array(60_000));
  assert.equal(flooding.transport.destroyed, true);
});

Deno.test("closing a TLS connection: if the peer does not close, it is destroyed after a second", async () => {
  const { transport, both } = connect();
  closeConnection(both, clock);
  await clock.advance(999);
  assert.equal(transport.destroyed, false);
  await clock.advance(1);
  assert.equal(transport.destroyed, true);
});
