import assert from "node:assert/strict";
import { type MemoryUse, parseMemoryUse, restWatch } from "../../src/control/rest_watch.ts";

const MIB = 2 ** 20;
const CHECK_MS = 500;

/** Actions by memory use in MiB, [anonymous, resident]: `c`ollect, `r`elease, `.` after each check. */
function actions(uses: readonly (readonly [number, number])[]): string {
  let at = 0;
  let found = "";
  const read = (): MemoryUse => {
    const [anonymous, resident] = uses[at]!;
    return { anonymousBytes: anonymous * MIB, residentBytes: resident * MIB };
  };
  const check = restWatch({
    read,
    collectGarbage: () => found += "c",
    release: () => found += "r",
  });
  for (at = 0; at < uses.length; at++) {
    check(at * CHECK_MS);
    found += ".";
  }
  return found;
}

/** Four seconds at the same use. */
const wait = (anonymous: number, resident: number) =>
  Array.from({ length: 8 }, () => [anonymous, resident]);

for (
  const { title, uses, expected } of [
    {
      title: "after the start, and once more",
      uses: [[33, 60], ...wait(33, 60), ...wait(33, 60)],
      expected: "cr........r.........",
    },
    {
      title: "after a burst, not during it",
      uses: [[33, 60], [40, 66], [50, 76], [50.5, 76], ...wait(51, 76), [51, 76]],
      expected: "cr...cr........r..",
    },
    {
      title: "once for growth that stays",
      uses: [[33, 60], [60, 87], ...wait(60, 87), ...wait(60, 87)],
      expected: "cr..cr........r........",
    },
    {
      title: "not for less than 4 MiB",
      uses: [[33, 60], ...wait(36, 63), ...wait(36, 63)],
      expected: "cr........r.........",
    },
    {
      title: "once a minute for pages of files",
      uses: [[33, 45], ...wait(33, 45), ...Array.from({ length: 130 }, () => [33, 60])],
      expected: `cr........r.${".".repeat(119)}r.${".".repeat(10)}`,
    },
  ] as { title: string; uses: [number, number][]; expected: string }[]
) {
  Deno.test(`memory is released: ${title}`, () => {
    assert.deepEqual(actions(uses), expected);
  });
}

Deno.test("memory use is parsed from /proc/self/status, and is null without it", () => {
  const text = "Name:\tdeno\nVmHWM:\t  90000 kB\nVmRSS:\t   62000 kB\nRssAnon:\t   40000 kB\n";
  assert.deepEqual(parseMemoryUse(text), {
    anonymousBytes: 40000 * 1024,
    residentBytes: 62000 * 1024,
  });
  assert.equal(parseMemoryUse("VmRSS:\t   62000 kB\n"), null);
});
