import assert from "node:assert/strict";
import type { EngineServices } from "../../src/engine/handler.ts";
import type { Connection } from "../../src/upstream/transport/connection.ts";
import { ConnectionSlots, type SlotHolder } from "../../src/upstream/transport/slots.ts";

class Holder implements SlotHolder {
  constructor(
    private readonly slots: ConnectionSlots,
    private readonly name: string,
    private readonly taken: string[],
    public size: number,
  ) {
    slots.changed(this);
  }

  idle(): void {
    const connection = {
      close: () => {
        this.taken.push(`idle of ${this.name}`);
        this.size--;
      },
    } as unknown as Connection;
    this.slots.idle.set(connection, this);
  }

  freeOne(): void {
    this.taken.push(`busy of ${this.name}`);
    this.size--;
  }
}

function setup() {
  const slots = ConnectionSlots.of({} as EngineServices);
  const taken: string[] = [];
  const holder = (name: string, size: number) => new Holder(slots, name, taken, size);
  return { slots, taken, holder };
}

Deno.test("the longest idle connection is closed for a new one, whatever its server", () => {
  const { slots, taken, holder } = setup();
  const [greedy, first, second] = [holder("greedy", 3), holder("first", 2), holder("second", 2)];
  first.idle();
  second.idle();
  greedy.idle();
  for (let i = 0; i < 4; i++) assert.equal(slots.makeRoom(greedy), i < 3);
  assert.deepEqual(taken, ["idle of first", "idle of second", "idle of greedy"]);
});

Deno.test("a server with connections does not get the only slot of another", () => {
  const { slots, taken, holder } = setup();
  const [greedy, steady] = [holder("greedy", 15), holder("steady", 1)];
  steady.idle();
  assert.equal(slots.makeRoom(greedy), false);
  assert.equal(slots.makeRoom(holder("new", 0)), true);
  assert.deepEqual(taken, ["idle of steady"]);
});

Deno.test("a server without connections gets a slot of the one with the most, but never its last", () => {
  const { slots, taken, holder } = setup();
  const [few, many] = [holder("few", 2), holder("many", 3)];
  const none = holder("none", 0);
  for (let i = 0; i < 4; i++) slots.makeRoom(none);
  assert.deepEqual(taken, ["busy of many", "busy of few", "busy of many"]);
  assert.deepEqual([few.size, many.size], [1, 1]);
  many.size = 0;
  slots.changed(many);
  assert.equal(slots.makeRoom(none), false);
});
