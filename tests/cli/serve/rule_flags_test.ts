import assert from "node:assert/strict";
import { FlagError, parseFlags } from "../../../src/cli/flags.ts";
import { readRuleOptions, RULE_FLAGS } from "../../../src/cli/serve/rule_flags.ts";

const NODE = {
  localIps: ["169.254.20.10", "10.96.0.10", "fd00::a"],
  dnsPort: 53,
  healthPort: 8080,
  setupIptables: true,
};

function read(args: string[], node = NODE) {
  return readRuleOptions(parseFlags(args, RULE_FLAGS).values, node);
}

Deno.test("by default fail-open is on and redirect is off", () => {
  assert.deepEqual(read([]), {
    rules: { addresses: NODE.localIps, port: 53, healthPort: 8080, failOpenTo: [], tracked: [] },
    failOpen: true,
    redirect: null,
  });
  assert.equal(read(["-failopen=false"]).failOpen, false);
  assert.deepEqual(read([], { ...NODE, setupIptables: false }).rules.addresses, []);
});

Deno.test("-failopen-to accepts addresses of both families, with and without ports", () => {
  const { rules } = read([
    "-failopen-to",
    "192.0.2.1, 192.0.2.2:5353,2001:DB8::1,[2001:db8::2]:54",
  ]);
  assert.deepEqual(rules.failOpenTo, [
    { address: "192.0.2.1", port: 53 },
    { address: "192.0.2.2", port: 5353 },
    { address: "2001:db8::1", port: 53 },
    { address: "2001:db8::2", port: 54 },
  ]);
});

Deno.test("-redirect leads to the node's addresses, and connections to them are tracked", () => {
  const { redirect, rules } = read(["-redirect", "all", "-redirect-except-uid", "101"]);
  assert.deepEqual(redirect, {
    to: { 4: "169.254.20.10", 6: "fd00::a" },
    port: 53,
    only: [],
    except: [],
    exceptUid: 101,
    interfaces: [],
    failOpen: true,
  });
  assert.deepEqual(rules.tracked, ["169.254.20.10", "fd00::a"]);
  const host = { ...NODE, localIps: [] };
  assert.deepEqual(read(["-redirect", "all"], host).redirect!.to, { 4: null, 6: null });
  const some = read(["-redirect", "192.0.2.53", "-redirect-interface", "none"], host).redirect!;
  assert.deepEqual([some.to, some.only, some.interfaces], [{ 4: null }, ["192.0.2.53"], null]);
});

Deno.test("an invalid value is reported with its flag and a remedy", () => {
  const rows: [string[], string][] = [
    [
      ["-failopen-to", "192.0.2.1:0"],
      'flag -failopen-to: "192.0.2.1:0" is not an address (write 192.0.2.1, 192.0.2.1:5353,' +
      " 2001:db8::1 or [2001:db8::1]:5353)",
    ],
    [
      ["-redirect", "everything"],
      'flag -redirect: "everything" is not an IP address (write 192.0.2.1 or 2001:db8::1)',
    ],
    [
      ["-redirect", "2001:db8::53", "-redirect-to", "192.0.2.1"],
      'flag -redirect: for "2001:db8::53" an address of its family is missing in -redirect-to' +
      ' ("192.0.2.1")',
    ],
    [
      ["-redirect", "all", "-redirect-to", "192.0.2.1,192.0.2.2"],
      'flag -redirect-to: "192.0.2.1,192.0.2.2" has two addresses of IPv4; one a family is enough',
    ],
    [
      ["-redirect", "all", "-redirect-except-uid", "no:body"],
      'flag -redirect-except-uid: "no:body" is not a user here, by number or name',
    ],
    [
      ["-redirect", "all", "-redirect-interface", "docker 0"],
      'flag -redirect-interface: "docker 0" is not the name of an interface (write docker0, or br-+ for' +
      " several)",
    ],
  ];
  for (const [args, message] of rows) {
    assert.throws(() => read(args), (error: Error) => {
      assert.ok(error instanceof FlagError);
      assert.equal(error.message, message);
      return true;
    });
  }
});
