import assert from "node:assert/strict";
import { FlagError, parseFlags } from "../../../src/cli/flags.ts";
import { KERNEL_FLAGS, readKernelHits } from "../../../src/cli/serve/kernel_flags.ts";

function read(...args: string[]) {
  return readKernelHits(parseFlags(args, KERNEL_FLAGS).values);
}

const NAMES = Array.from({ length: 65 }, (_, i) => `veth${i}`);

Deno.test("-kernel-hits is off by default", () => {
  assert.equal(read(), null);
  assert.equal(read("-kernel-hits", "off"), null);
});

Deno.test("-kernel-hits takes auto, or names of interfaces, each once", () => {
  assert.equal(read("-kernel-hits", "auto"), "auto");
  assert.deepEqual(read("-kernel-hits=lo"), ["lo"]);
  assert.deepEqual(read("-kernel-hits", "lo, cni0,br-1.2_x,lo"), ["lo", "cni0", "br-1.2_x"]);
  assert.equal(read("-kernel-hits", NAMES.slice(1).join(","))?.length, 64);
});

const WRONG: [value: string, message: string][] = [
  ["", 'a name is missing in ""'],
  ["lo,", 'a name is missing in "lo,"'],
  ["auto,lo", '"auto" stands alone'],
  ["lo,off", '"off" stands alone'],
  ["abcdefghijklmnop", '"abcdefghijklmnop" is too long, Linux takes at most 15 octets'],
  ["eth0:1", '"eth0:1" is not the name of an interface'],
  ["..", '".." is not the name of an interface'],
  ["a/b", '"a/b" is not the name of an interface'],
  ["cni\u00e9", '"cni\u00e9" is not the name of an interface'],
  [NAMES.join(","), "65 names, at most 64"],
];

for (const [value, message] of WRONG) {
  Deno.test(`-kernel-hits refuses ${value.slice(0, 20) || "nothing"}`, () => {
    assert.throws(() => read("-kernel-hits", value), (error: FlagError) => {
      assert.ok(error instanceof FlagError);
      assert.equal(error.message, `flag -kernel-hits: ${message} (write auto, lo,cni0 or off)`);
      return true;
    });
  });
}
