import assert from "node:assert/strict";
import { alignListeners, isOpen } from "../../src/config/align.ts";
import type { Config, ListenerConfig } from "../../src/config/types.ts";

const listener = (port: number, address = ""): ListenerConfig => ({
  address,
  port,
  zones: [{ zone: ".", block: 0 }],
});

const config = (...listeners: ListenerConfig[]): Config => ({
  file: "Corefile",
  blocks: [],
  listeners,
  debug: false,
});

const cases: { what: string; old: number[]; next: number[]; aligned: number[] }[] = [
  { what: "no change", old: [1, 2], next: [1, 2], aligned: [1, 2] },
  { what: "another order", old: [1, 2, 3], next: [3, 1, 2], aligned: [1, 2, 3] },
  { what: "one added", old: [1], next: [2, 1], aligned: [1, 2] },
  { what: "the last removed", old: [1, 2], next: [1], aligned: [1] },
  { what: "the first removed", old: [1, 2], next: [2], aligned: [0, 2] },
  { what: "one replaced", old: [1, 2, 3], next: [4, 1, 3], aligned: [1, 4, 3] },
  { what: "more added than removed", old: [1, 2], next: [3, 4, 2], aligned: [3, 2, 4] },
  { what: "a gap filled later", old: [0, 2], next: [2, 5], aligned: [5, 2] },
  { what: "all removed", old: [1, 2], next: [], aligned: [] },
];

for (const { what, old, next, aligned } of cases) {
  Deno.test(`listeners: keep their index, ${what}`, () => {
    const before = old.map((port) => listener(port));
    const result = alignListeners(config(...next.map((port) => listener(port))), before);
    assert.deepEqual(result.listeners.map(({ port }) => port), aligned);
    for (const one of result.listeners) {
      assert.equal(isOpen(one), one.port !== 0);
      assert.equal(one.zones.length, one.port === 0 ? 0 : 1);
    }
  });
}

Deno.test("listeners: the same port on another address is another listener", () => {
  const { listeners } = alignListeners(config(listener(53, "::1")), [listener(53, "127.0.0.1")]);
  assert.deepEqual(listeners, [listener(53, "::1")]);
});
