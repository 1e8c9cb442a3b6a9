import assert from "node:assert/strict";
import { CommandError } from "../../../src/cli/failure.ts";
import { openScreen, type Screen } from "../../../src/cli/operator/terminal.ts";
import { showTop } from "../../../src/cli/operator/top.ts";
import { SCREEN_LISTS } from "../../../src/cli/operator/top_text.ts";
import { VirtualClock } from "../../support/run/virtual_clock.ts";
import { snapshotWith } from "./snapshot.ts";

const ENTERED = "\x1b[?1049h\x1b[?25l";
const LEFT = "\x1b[?25h\x1b[?1049l";

function fakeTerminal() {
  const keys: PromiseWithResolvers<Uint8Array | null>[] = [];
  const calls: string[] = [];
  let signal = () => {};
  const screen = openScreen({
    size: () => ({ columns: 80, rows: 24 }),
    write: (text) => void calls.push(text),
    setRaw: (raw) => void calls.push(`raw ${raw}`),
    read() {
      const next = Promise.withResolvers<Uint8Array | null>();
      keys.push(next);
      return next.promise;
    },
    onSignal(end) {
      signal = end;
      return () => calls.push("signals ignored");
    },
  });
  return {
    screen,
    calls,
    async press(text: string | null) {
      keys.at(-1)!.resolve(text === null ? null : new TextEncoder().encode(text));
      await new Promise((resolve) => setTimeout(resolve, 0));
    },
    signal: () => signal(),
  };
}

/** Whether it has ended, when all that is due has been done. */
async function isEnded(screen: Screen): Promise<boolean> {
  let ended = false;
  void screen.ended.then(() => ended = true);
  await new Promise((resolve) => setTimeout(resolve, 0));
  return ended;
}

for (
  const [what, keys] of [
    ["q", "q"],
    ["Ctrl-C", "\x03"],
    ["q among others", "abq"],
    ["the end of input", null],
  ] as const
) {
  Deno.test(`screen: ${what} ends it`, async () => {
    const { screen, press } = fakeTerminal();
    await press("x\x1b[A");
    assert.equal(await isEnded(screen), false);
    await press(keys);
    assert.equal(await isEnded(screen), true);
  });
}

Deno.test("screen: a signal ends it", async () => {
  const { screen, signal } = fakeTerminal();
  signal();
  assert.equal(await isEnded(screen), true);
});

Deno.test("screen: the terminal is taken over and restored", () => {
  const { screen, calls } = fakeTerminal();
  screen.draw(["one", "two"]);
  screen.close();
  assert.deepEqual(calls, [
    "raw true",
    ENTERED,
    "\x1b[Hone\x1b[K\r\ntwo\x1b[K\x1b[J",
    LEFT,
    "raw false",
    "signals ignored",
  ]);
});

Deno.test("top: the screen is redrawn each second until it ends", async () => {
  const { screen, calls, press } = fakeTerminal();
  const clock = new VirtualClock();
  let asked = 0;
  const snapshot = () => Promise.resolve(snapshotWith(++asked));
  const shown = showTop(screen, { snapshot, lists: SCREEN_LISTS, clock });
  const draws = () => calls.filter((text) => text.startsWith("\x1b[H")).length;
  for (let i = 0; i < 35; i++) await clock.advance(100);
  assert.ok(draws() >= 3 && draws() <= 4, `${draws()}`);
  const before = asked;
  await press("q");
  await shown;
  assert.equal(asked, before);
});

Deno.test("top: q ends it while an answer is due, and a failure is passed on", async () => {
  const { screen, press } = fakeTerminal();
  const shown = showTop(screen, { snapshot: () => new Promise(() => {}), lists: SCREEN_LISTS });
  await press("q");
  await shown;
  const failing = fakeTerminal();
  const snapshot = () => Promise.reject(new CommandError("nodens has stopped"));
  await assert.rejects(showTop(failing.screen, { snapshot, lists: SCREEN_LISTS }), CommandError);
});
