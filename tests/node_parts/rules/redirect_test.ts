import assert from "node:assert/strict";
import { REDIRECT } from "../../../src/cli/redirect/command.ts";
import { run as runRedirect } from "../../../src/cli/redirect/redirect.ts";
import { callCommand } from "../../support/doubles/command_call.ts";
import {
  containersLeftOut,
  type RedirectOptions,
  redirectRules,
} from "../../../src/node/rules/redirect.ts";
import { joinWords } from "../../../src/node/rules/rule_text.ts";
import { userIdOf } from "../../../src/cli/redirect/options.ts";
import { FakeIptables } from "../../support/doubles/fake_iptables.ts";

const OPTIONS: RedirectOptions = {
  to: { 4: "169.254.20.10", 6: "::1" },
  port: 5353,
  only: [],
  except: [],
  exceptUid: null,
  interfaces: [],
  failOpen: true,
};
const COMMENT = '-m comment --comment "nodens: redirect"';
const RECENT = "-m recent --rcheck --seconds 2 --name nodens-redirect --mask 0.0.0.0 --rdest";

function lines(family: 4 | 6, changes: Partial<RedirectOptions> = {}): string[] {
  return redirectRules(family, { ...OPTIONS, ...changes })
    .map(({ table, chain, args }) => `${table} ${chain} ${joinWords(args)}`);
}

Deno.test("redirectRules: host and containers are redirected while nodens answers", () => {
  assert.deepEqual(lines(4).filter((line) => line.includes("udp")), [
    `nat PREROUTING -p udp --dport 53 ! -i lo -m addrtype ! --dst-type LOCAL ${RECENT} -j DNAT --to-destination 169.254.20.10:5353 ${COMMENT}`,
    `nat OUTPUT -p udp --dport 53 -m mark ! --mark 0x53 -m addrtype ! --dst-type LOCAL ${RECENT} -j DNAT --to-destination 169.254.20.10:5353 ${COMMENT}`,
    `filter INPUT -p udp --dport 5353 -m conntrack --ctstate DNAT -j ACCEPT ${COMMENT}`,
  ]);
  assert.equal(lines(4).length, 6);
});

Deno.test("redirectRules: support servers, exceptions, users and interfaces", () => {
  const rules = lines(4, {
    to: { 4: null },
    only: ["127.0.0.53", "192.0.2.53"],
    except: ["192.0.2.1", "2001:db8::1"],
    exceptUid: 101,
    interfaces: ["docker0"],
    failOpen: false,
  }).filter((line) => line.includes("tcp"));
  assert.deepEqual(rules, [
    `nat PREROUTING -p tcp -d 127.0.0.53 --dport 53 -i docker0 -j REDIRECT --to-ports 5353 ${COMMENT}`,
    `nat PREROUTING -p tcp -d 192.0.2.53 --dport 53 -i docker0 -j REDIRECT --to-ports 5353 ${COMMENT}`,
    `nat PREROUTING -p tcp -d 192.0.2.1 --dport 53 -i docker0 -j RETURN ${COMMENT}`,
    `nat OUTPUT -p tcp -d 127.0.0.53 --dport 53 -m mark ! --mark 0x53 -m owner ! --uid-owner 101 -j REDIRECT --to-ports 5353 ${COMMENT}`,
    `nat OUTPUT -p tcp -d 192.0.2.53 --dport 53 -m mark ! --mark 0x53 -m owner ! --uid-owner 101 -j REDIRECT --to-ports 5353 ${COMMENT}`,
    `nat OUTPUT -p tcp -d 192.0.2.1 --dport 53 -j RETURN ${COMMENT}`,
    `filter INPUT -p tcp --dport 5353 -m conntrack --ctstate DNAT -j ACCEPT ${COMMENT}`,
  ]);
  assert.deepEqual(lines(6, { to: { 4: null } }), []);
});

Deno.test("redirectRules: containers cannot be redirected to a loopback address", () => {
  assert.ok(lines(6).every((line) => !line.includes("PREROUTING")));
  assert.match(containersLeftOut(OPTIONS)!, /containers are not redirected to ::1: /);
  assert.equal(containersLeftOut({ ...OPTIONS, interfaces: null }), null);
  assert.equal(containersLeftOut({ ...OPTIONS, to: { 4: null } }), null);
});

Deno.test("userIdOf: finds the number of a user", () => {
  const passwd = "root:x:0:0:root:/root:/bin/sh\nnodens:x:994:994::/:/bin/false\n";
  const rows = [["nodens", "994"], ["nobody", "nobody"], ["", ""], ["x", "x"]] as const;
  for (const [name, id] of rows) assert.equal(userIdOf(name, () => passwd), id);
});

function call(iptables: Pick<FakeIptables, "run">, ...args: string[]) {
  return callCommand(REDIRECT, args, (call, io) => runRedirect(call, io, iptables.run));
}

Deno.test("redirect: reports its changes, and those of a dry run", async () => {
  const iptables = new FakeIptables();
  const dry = await call(iptables, "install", "-n", "-only", "192.0.2.53");
  assert.equal(iptables.restored.length, 0);
  assert.match(dry.out, /^iptables-nft-restore --noflush -w 5 <<'EOF'\n\*nat\n-I PREROUTING /);
  const real = await call(iptables, "install", "-only", "192.0.2.53");
  assert.equal(
    dry.out,
    `iptables-nft-restore --noflush -w 5 <<'EOF'\n${iptables.restored[0]}EOF\n`,
  );
  assert.match(real.err, /^IPv4: 6 changes \(nft\)\n/);
  const status = await call(iptables, "status", "-only", "192.0.2.53");
  assert.equal(status.code, 0);
  assert.match(status.out, /^IPv4: installed \(6 rules, nft\)\n {2}-t nat -A OUTPUT /);
  const other = await call(iptables, "status", "-only", "192.0.2.53", "-failopen=false");
  assert.equal(other.code, 1);
  assert.match(other.out, /^IPv4: 4 rules are missing or different\n/);
  assert.equal((await call(iptables, "remove")).code, 0);
  assert.deepEqual(iptables.rules(), []);
});

Deno.test("redirect: reports wrong usage with the remedy; removal needs no iptables", async () => {
  const iptables = new FakeIptables();
  const rows: [string[], RegExp][] = [
    [
      [],
      /^nodens redirect: ACTION is missing \(install, remove, status\)\nUsage: nodens redirect /,
    ],
    [["start"], /unknown action "start" \(install, remove, status\)/],
    [["remove", "now"], /unexpected argument "now"/],
    [["install", "-port", "0"], /flag -port: 0 is not a port/],
    [["install", "-to", "localhost"], /flag -to: "localhost" is not an IP address/],
  ];
  for (const [args, message] of rows) {
    const { code, err } = await call(iptables, ...args);
    assert.equal(code, 2);
    assert.match(err, message);
  }
  const help = await call(iptables, "-h");
  assert.equal(help.code, 0);
  assert.match(help.out, /-except-uid USER/);
  const none = { run: () => Promise.resolve(null) };
  assert.deepEqual(await call(none, "remove"), { code: 0, out: "", err: "" });
  const failed = await call(none, "install");
  assert.equal(failed.code, 1);
  assert.match(failed.err, /IPv4: there is no iptables-save: install iptables/);
});
