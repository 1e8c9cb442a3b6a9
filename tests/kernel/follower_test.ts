import assert from "node:assert/strict";
import { InterfaceFollower } from "../../src/kernel/follower.ts";
import { Refusals } from "../../src/kernel/refusals.ts";
import type { Selection } from "../../src/kernel/selection.ts";
import { FakeErrno, FakeInterfaces } from "../support/doubles/fake_interfaces.ts";
import { VirtualClock } from "../support/run/virtual_clock.ts";

class Scene {
  readonly interfaces = new FakeInterfaces();
  readonly clock = new VirtualClock();
  readonly lines: string[] = [];
  readonly refusals = new Refusals(
    (level, line) => this.lines.push(`${level}: ${line}`),
    this.clock,
  );
  beside = false;
  changes = 0;
  readonly follower: InterfaceFollower;

  constructor(selection: Selection = "auto") {
    this.follower = new InterfaceFollower({
      interfaces: this.interfaces,
      redirects: true,
      selection,
      refusals: this.refusals,
      isBeside: () => this.beside,
      onChange: () => this.changes++,
      clock: this.clock,
    });
  }

  /** Starts with lo and two pods. */
  async start(): Promise<this> {
    this.interfaces.addLo();
    this.interfaces.add(2, "cali2");
    this.interfaces.add(3, "cali3");
    this.follower.start();
    await this.clock.advance(100);
    assert.equal(this.interfaces.served, "lo cali2 cali3");
    return this;
  }

  get reasons(): string {
    return this.refusals.all.map(({ reason }) => reason).join(" ");
  }
}

Deno.test("kernel hits, following: what is there at the start is attached at once", async () => {
  const { follower, interfaces, lines } = await new Scene().start();
  assert.deepEqual(follower.attached, ["lo", "cali2", "cali3"]);
  assert.equal(interfaces.counts.attached, 3);
  assert.deepEqual(lines, []);
});

Deno.test("kernel hits, following: stopping takes all programs away, and ends timers", async () => {
  const scene = await new Scene().start();
  scene.follower.stop();
  await scene.clock.advance(100);
  assert.equal(scene.interfaces.served, "");
  assert.equal(scene.clock.timers, 0);
  assert.deepEqual(scene.follower.attached, []);
});

Deno.test("kernel hits, following: a new interface waits for two seconds", async () => {
  const { interfaces, clock } = await new Scene().start();
  interfaces.add(4, "cali4");
  await clock.advance(2000);
  assert.equal(interfaces.served, "lo cali2 cali3");
  await clock.advance(1000);
  assert.equal(interfaces.served, "lo cali2 cali3 cali4");
});

Deno.test("kernel hits, following: a program that a CNI adds within that time counts", async () => {
  const { interfaces, clock, refusals } = await new Scene().start();
  interfaces.add(4, "cali4");
  await clock.advance(1000);
  interfaces.put(4, 9, "cil_from_contai");
  await clock.advance(2000);
  assert.equal(interfaces.served, "lo");
  assert.equal(refusals.all[0]!.reason, "foreign");
});

Deno.test("kernel hits, following: an interface that goes and comes back", async () => {
  const scene = await new Scene().start();
  const { interfaces, clock, lines } = scene;
  interfaces.delete(3);
  await clock.advance(1000);
  assert.deepEqual(scene.follower.attached, ["lo", "cali2"]);
  interfaces.add(7, "cali3");
  await clock.advance(4000);
  assert.deepEqual(scene.follower.attached, ["lo", "cali2", "cali3"]);
  assert.deepEqual(lines, []);
});

Deno.test("kernel hits, following: an interface that goes without a notice", async () => {
  const scene = await new Scene().start();
  scene.interfaces.links.delete(3);
  scene.interfaces.programs.delete(3);
  await scene.clock.advance(3000);
  assert.deepEqual(scene.follower.attached, ["lo", "cali2"]);
  assert.deepEqual(scene.lines, []);
});

Deno.test("kernel hits, following: a program of others ends it for all pods, not for lo", async () => {
  const scene = await new Scene().start();
  const { interfaces, clock, lines } = scene;
  interfaces.put(3, 9, "policy");
  await clock.advance(1100);
  assert.equal(interfaces.served, "lo");
  assert.deepEqual(lines, [
    'warning: kernel hits: cali3 has "policy" (TCX ingress), so no interface of pods is used' +
    " (see docs/kernel-path.md; -kernel-hits lo and -kernel-hits off end this warning);" +
    " nodens itself answers instead",
  ]);
  assert.equal(scene.reasons, "foreign");
  interfaces.put(2, 10, "policy");
  await clock.advance(5000);
  assert.equal(lines.length, 1);
  interfaces.take(3, 9);
  await clock.advance(3000);
  assert.equal(interfaces.served, "lo");
  interfaces.take(2, 10);
  await clock.advance(3000);
  assert.equal(interfaces.served, "lo cali2 cali3");
  assert.equal(scene.reasons, "");
});

Deno.test("kernel hits, following: a program that comes and goes warns once a minute", async () => {
  const { interfaces, clock, lines } = await new Scene().start();
  for (let i = 0; i < 10; i++) {
    interfaces.put(3, 9, "policy");
    await clock.advance(3000);
    interfaces.take(3, 9);
    await clock.advance(3000);
  }
  assert.equal(lines.length, 1);
  interfaces.put(3, 9, "policy");
  await clock.advance(30_000);
  assert.equal(lines.length, 2, "what stays is told");
});

Deno.test("kernel hits, following: a program of others on lo concerns lo alone", async () => {
  const { interfaces, clock, lines } = await new Scene().start();
  interfaces.put(1, 9, "trace");
  await clock.advance(1100);
  assert.equal(interfaces.served, "cali2 cali3");
  assert.match(lines[0]!, /lo has "trace" \(TCX ingress\), so lo is left out/);
});

const FOREIGN: { what: string; id: number; name: string; kind?: string; where?: string }[] = [
  { what: "on egress", id: 9, name: "policy", where: "TCX egress" },
  { what: "a filter of clsact", id: 9, name: "policy.o:[tc]", where: "tc ingress" },
  { what: "a filter of another kind", id: 0, name: "", kind: "u32", where: "tc ingress" },
  { what: "a name that cannot be read", id: 9, name: "" },
  { what: "a filter of another kind with this name", id: 0, name: "nodens_hits", kind: "flower" },
];

for (const { what, id, name, ...more } of FOREIGN) {
  Deno.test(`kernel hits, following: foreign is ${what}`, async () => {
    const { interfaces, clock } = await new Scene().start();
    interfaces.put(2, id, name, more);
    await clock.advance(1100);
    assert.equal(interfaces.served, "lo");
  });
}

Deno.test("kernel hits, following: the program of another nodens process is not foreign", async () => {
  const { interfaces, clock, lines } = await new Scene().start();
  interfaces.put(2, 77, "nodens_hits");
  await clock.advance(5000);
  assert.equal(interfaces.served, "lo cali2 cali3");
  assert.deepEqual(lines, []);
});

Deno.test("kernel hits, following: beside another nodens, unreadable names are no warning", async () => {
  const scene = new Scene();
  scene.beside = true;
  scene.interfaces.add(2, "cali2");
  scene.interfaces.put(2, 77, "");
  scene.follower.start();
  await scene.clock.advance(3000);
  assert.equal(scene.interfaces.served, "");
  scene.beside = false;
  await scene.clock.advance(5000);
  assert.deepEqual(scene.lines, [], "its program may outlive its sockets");
  await scene.clock.advance(10_000);
  assert.equal(scene.reasons, "foreign");
  scene.interfaces.take(2, 77);
  await scene.clock.advance(3000);
  assert.equal(scene.interfaces.served, "cali2");
});

Deno.test("kernel hits, following: a program that others removed comes back after a while", async () => {
  const { interfaces, clock } = await new Scene().start();
  interfaces.take(2, 2);
  await clock.advance(5000);
  assert.equal(interfaces.served, "lo cali3");
  await clock.advance(7000);
  assert.equal(interfaces.served, "lo cali2 cali3");
});

Deno.test("kernel hits, following: a program that another nodens replaced stays away", async () => {
  const { interfaces, clock } = await new Scene().start();
  interfaces.take(2, 2);
  interfaces.put(2, 77, "nodens_hits", { where: "tc ingress" });
  await clock.advance(60_000);
  assert.equal(interfaces.served, "lo cali3");
  interfaces.take(2, 77);
  await clock.advance(2000);
  assert.equal(interfaces.served, "lo cali2 cali3");
});

Deno.test("kernel hits, following: what is attached too late is removed", async () => {
  const scene = new Scene();
  const attaching = Promise.withResolvers<void>();
  scene.interfaces.delay = attaching.promise;
  scene.interfaces.addLo();
  scene.interfaces.add(2, "cali2");
  scene.follower.start();
  await scene.clock.advance(1000);
  assert.deepEqual(scene.follower.attached, []);
  scene.interfaces.put(2, 9, "policy");
  await scene.clock.advance(2000);
  attaching.resolve();
  await scene.clock.advance(100);
  assert.equal(scene.interfaces.served, "lo");
  assert.equal(scene.interfaces.counts.attached, 2);
});

Deno.test("kernel hits, following: what is attached after the stop is removed", async () => {
  const scene = new Scene();
  const attaching = Promise.withResolvers<void>();
  scene.interfaces.delay = attaching.promise;
  scene.interfaces.addLo();
  scene.follower.start();
  scene.follower.stop();
  attaching.resolve();
  await scene.clock.advance(100);
  assert.equal(scene.interfaces.counts.attached, 1);
  assert.equal(scene.interfaces.served, "");
  assert.equal(scene.changes, 0);
});

Deno.test("kernel hits, following: a refused attachment is one warning, and tried again", async () => {
  const scene = new Scene();
  scene.interfaces.fault = new FakeErrno(16);
  scene.interfaces.addLo();
  scene.follower.start();
  await scene.clock.advance(25_000);
  assert.equal(scene.lines.length, 1);
  assert.equal(scene.reasons, "attach");
  scene.interfaces.fault = null;
  await scene.clock.advance(11_000);
  assert.equal(scene.interfaces.served, "lo");
  assert.equal(scene.reasons, "");
});

Deno.test("kernel hits, following: a fault of the kernel is over when a look succeeds", async () => {
  const scene = await new Scene().start();
  const { listLinks } = scene.interfaces;
  scene.interfaces.listLinks = () => {
    throw new FakeErrno(105);
  };
  await scene.clock.advance(30_000);
  assert.equal(scene.reasons, "memory");
  assert.equal(scene.interfaces.served, "lo cali2 cali3");
  scene.interfaces.listLinks = listLinks;
  await scene.clock.advance(11_000);
  assert.equal(scene.reasons, "");
  assert.equal(scene.lines.length, 1);
});

Deno.test("kernel hits, following: a fault on one interface ends with it", async () => {
  const scene = new Scene();
  const { interfaces, clock } = scene;
  interfaces.fault = new FakeErrno(16);
  interfaces.addLo();
  interfaces.add(2, "cali2");
  scene.follower.start();
  await clock.advance(5000);
  assert.equal(scene.reasons, "attach");
  interfaces.delete(2);
  await clock.advance(2000);
  assert.equal(scene.reasons, "attach", "lo is left");
  interfaces.delete(1);
  await clock.advance(2000);
  assert.equal(scene.reasons, "");
});

Deno.test("kernel hits, following: without capabilities the reason says so", async () => {
  const scene = new Scene();
  scene.interfaces.fault = new FakeErrno(1);
  scene.interfaces.addLo();
  scene.follower.start();
  await scene.clock.advance(1000);
  assert.equal(scene.reasons, "capability");
  assert.match(scene.lines[0]!, /give nodens BPF, PERFMON and NET_ADMIN/);
});

for (const natsBridges of [false, true]) {
  const what = natsBridges ? "after NAT, is left out" : "not after NAT, is served";
  Deno.test(`kernel hits, following: with -redirect, a bridge ${what}`, async () => {
    const { interfaces, clock } = await new Scene().start();
    interfaces.natsBridges = natsBridges;
    interfaces.add(5, "cni0", { kind: "bridge", elsewhere: false });
    interfaces.links.set(3, { ...interfaces.links.get(3)!, master: 5 });
    await clock.advance(5000);
    assert.equal(interfaces.served, natsBridges ? "lo cali2" : "lo cali2 cni0");
  });
}

Deno.test("kernel hits, following: a veth that becomes a bridge's port is left to the bridge", async () => {
  const { interfaces, clock } = await new Scene().start();
  interfaces.add(5, "cni0", { kind: "bridge", elsewhere: false });
  const veth = interfaces.links.get(3)!;
  interfaces.links.set(3, { ...veth, master: 5 });
  await clock.advance(5000);
  assert.equal(interfaces.served, "lo cali2 cni0");
});

Deno.test("kernel hits, following: names that are missing or unsuitable are one warning", async () => {
  const scene = new Scene(["lo", "cni0", "eth0"]);
  scene.interfaces.addLo();
  scene.interfaces.add(2, "eth0", { kind: "", elsewhere: false });
  scene.follower.start();
  await scene.clock.advance(30_000);
  assert.equal(scene.interfaces.served, "lo");
  assert.deepEqual(scene.lines, [
    "warning: kernel hits: not on eth0: it is a physical device, or one of the system's own; not" +
    " on cni0: there is no such interface (name others with -kernel-hits);" +
    " nodens itself answers instead",
  ]);
  assert.equal(scene.reasons, "interface");
});

Deno.test("kernel hits, following: a turn checks a bounded number of interfaces", async () => {
  const scene = new Scene();
  const { interfaces, clock } = scene;
  for (let i = 2; i < 102; i++) interfaces.add(i, `cali${i}`);
  scene.follower.start();
  assert.equal(interfaces.counts.checks, 64);
  assert.equal(interfaces.counts.attached, 0, "none before all are checked");
  await clock.advance(3000);
  assert.equal(interfaces.counts.attached, 100);
  const { checks, looks } = interfaces.counts;
  await clock.advance(10_000);
  assert.ok(interfaces.counts.checks - checks <= 1000, "each once a second");
  assert.ok(interfaces.counts.looks - looks <= 2, "no look without a notice");
});
