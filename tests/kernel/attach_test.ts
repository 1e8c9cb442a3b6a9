import assert from "node:assert/strict";
import { KernelHitsChild } from "../support/namespaces/kernel_hits_child.ts";
import type { ScriptOptions } from "../support/namespaces/kernel_hits_script.ts";
import { Namespace, namespaceReasons } from "../support/namespaces/namespace.ts";
import { skipFor } from "../support/run/require.ts";

const HERE = skipFor(namespaceReasons("setpriv"));

/** A node with pods, each of which has a namespace of its own. */
class Node {
  readonly host = new Namespace();
  readonly #pods = new Map<string, Namespace>();

  /** A pod whose veth on the node has this name. */
  addPod(name: string): void {
    const pod = new Namespace();
    this.#pods.set(name, pod);
    this.host.ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", pod.name);
    this.host.ip("link", "set", name, "up");
  }

  removePod(name: string): void {
    // The namespace alone may outlive the command for a moment.
    this.host.ip("link", "delete", name);
    this.#pods.get(name)!.remove();
    this.#pods.delete(name);
  }

  addBridge(name: string, ...ports: string[]): void {
    this.host.ip("link", "add", name, "type", "bridge");
    for (const port of ports) this.host.ip("link", "set", port, "master", name);
    this.host.ip("link", "set", name, "up");
  }

  remove(): void {
    for (const pod of this.#pods.values()) pod.remove();
    this.host.remove();
  }
}

function nodeTest(
  name: string,
  options: ScriptOptions,
  run: (child: KernelHitsChild, node: Node) => Promise<void>,
): void {
  Deno.test(`kernel hits, attaching: ${name}`, HERE, async () => {
    const node = new Node();
    try {
      node.addPod("pod1");
      node.addPod("pod2");
      const child = new KernelHitsChild(node.host, options);
      try {
        await child.call("start");
        await run(child, node);
      } finally {
        await child.kill();
      }
    } finally {
      node.remove();
    }
  });
}

for (const attach of ["tcx", "clsact"] as const) {
  nodeTest(`${attach}: lo and pods are served, as pods come and go`, {
    selection: "auto",
    attach,
  }, async (child, node) => {
    const first = await child.serves("lo", "pod1", "pod2");
    assert.equal(first.state, "on");
    assert.equal(first.attach, attach);
    assert.deepEqual(first.opened, [true]);
    assert.match(
      first.log[0]!,
      /^info: kernel hits: the program is attached \(\w+\); its answers bypass ipt/,
    );
    node.addPod("pod3");
    await child.serves("lo", "pod1", "pod2", "pod3");
    node.removePod("pod2");
    await child.serves("lo", "pod1", "pod3");
    node.addPod("pod2");
    await child.serves("lo", "pod1", "pod2", "pod3");
    node.addBridge("cni0", "pod1", "pod2", "pod3");
    const last = await child.serves("lo", "cni0");
    assert.equal(last.log.length, 1);
    assert.deepEqual(last.opened, [true]);
    await child.call("retire");
    const { opened, interfaces, state } = await child.status();
    assert.deepEqual({ opened, interfaces, state }, {
      ...{ opened: [true, false], interfaces: [], state: "off" },
    });
  });

  nodeTest(`${attach}: a program of others ends it for pods until it goes`, {
    selection: "auto",
    attach,
  }, async (child, node) => {
    await child.serves("lo", "pod1", "pod2");
    await child.call("addForeign pod2");
    const { refusals, log } = await child.serves("lo");
    const where = attach === "tcx" ? "TCX" : "tc";
    const text = `pod2 has "policy" (${where} ingress), so no interface of pods is used`;
    assert.deepEqual(refusals, [{ reason: "foreign", text }]);
    assert.equal(log.length, 2);
    node.addPod("pod3");
    await child.call("removeForeign pod2");
    const { refusals: left } = await child.serves("lo", "pod1", "pod2", "pod3");
    assert.deepEqual(left, []);
  });

  nodeTest(`${attach}: a program of others that was there before is respected`, {
    selection: ["pod1", "pod2"],
    attach,
  }, async (child, node) => {
    await child.serves("pod1", "pod2");
    await child.call("addForeign pod1");
    await child.serves();
    const second = new KernelHitsChild(node.host, { selection: "auto", attach });
    try {
      await second.call("start");
      const { refusals } = await second.serves("lo");
      assert.equal(refusals[0]!.reason, "foreign");
    } finally {
      await second.kill();
    }
  });

  nodeTest(`${attach}: the program of a second process is not foreign, and takes over`, {
    selection: ["pod1"],
    attach,
  }, async (child, node) => {
    await child.serves("pod1");
    const second = new KernelHitsChild(node.host, { selection: ["pod1"], attach });
    try {
      await second.call("start");
      const { log } = await second.serves("pod1");
      assert.equal(log.length, 1);
      // A filter has one place; links stand side by side.
      await child.serves(...attach === "tcx" ? ["pod1"] : []);
      await child.call("stop");
      await second.serves("pod1");
      const names = (await second.call<{ found: string[] }>("filters pod1")).found;
      assert.deepEqual(names, attach === "tcx" ? [] : ["nodens_hits"]);
    } finally {
      await second.kill();
    }
  });
}

nodeTest("clsact: filters and qdiscs are removed at the end", {
  selection: ["pod1"],
  attach: "clsact",
}, async (child) => {
  await child.serves("pod1");
  assert.deepEqual(await child.call("filters pod1"), {
    ...{ found: ["nodens_hits"], emptyQdisc: false },
  });
  await child.call("stop");
  assert.deepEqual(await child.call("filters pod1"), { found: [], emptyQdisc: false });
});

nodeTest("clsact: the filter of a killed process is replaced, and removed at the end", {
  selection: ["pod1"],
  attach: "clsact",
}, async (child, node) => {
  await child.serves("pod1");
  await child.kill();
  const second = new KernelHitsChild(node.host, { selection: ["pod1"], attach: "clsact" });
  try {
    assert.deepEqual((await second.call<{ found: string[] }>("filters pod1")).found, [
      "nodens_hits",
    ]);
    await second.call("start");
    await second.serves("pod1");
    assert.equal((await second.call<{ found: string[] }>("filters pod1")).found.length, 1);
    await second.call("stop");
    // The qdisc was not made by this process, so it stays.
    assert.deepEqual(await second.call("filters pod1"), { found: [], emptyQdisc: true });
  } finally {
    await second.kill();
  }
});

nodeTest("tcx: the program of a killed process is gone", {
  selection: ["pod1"],
}, async (child, node) => {
  await child.serves("pod1");
  const second = new KernelHitsChild(node.host, { selection: ["pod1"] });
  try {
    assert.deepEqual(await second.call("programs pod1"), ["TCX ingress nodens_hits"]);
    await child.kill();
    assert.deepEqual(await second.call("programs pod1"), []);
  } finally {
    await second.kill();
  }
});

nodeTest("a program that the verifier rejects is a refusal", {
  selection: "auto",
  rejected: true,
}, async (child) => {
  const { state, refusals, bytes, log } = await child.status();
  assert.deepEqual([state, bytes], ["refused", 0]);
  assert.equal(refusals[0]!.reason, "verifier");
  assert.match(log[0]!, /^warning: kernel hits: Cannot load the program "rejected": the kernel's/);
});

const RIGHTS: { drop: string; lacks: RegExp }[] = [
  { drop: "-net_admin", lacks: /^this process lacks NET_ADMIN$/ },
  { drop: "-sys_admin,-bpf,-perfmon", lacks: /^this process lacks BPF, PERFMON$/ },
];

for (const { drop, lacks } of RIGHTS) {
  Deno.test(`kernel hits, attaching: with ${drop} it is refused`, HERE, async () => {
    const node = new Node();
    const through = ["setpriv", `--bounding-set=${drop}`, `--inh-caps=${drop}`];
    const child = new KernelHitsChild(node.host, { selection: "auto" }, through);
    try {
      await child.call("start");
      const { state, refusals, opened } = await child.status();
      assert.equal(state, "refused");
      assert.equal(refusals[0]!.reason, "capability");
      assert.match(refusals[0]!.text, lacks);
      assert.deepEqual(opened, []);
    } finally {
      await child.kill();
      node.remove();
    }
  });
}

Deno.test("kernel hits, attaching: without SYS_ADMIN it works, and unread names are foreign", {
  ...HERE,
}, async () => {
  const node = new Node();
  node.addPod("pod1");
  const drop = "--bounding-set=-sys_admin";
  const child = new KernelHitsChild(node.host, { selection: "auto" }, ["setpriv", drop]);
  const second = new KernelHitsChild(node.host, { selection: "auto" });
  try {
    await child.call("start");
    await child.serves("lo", "pod1");
    await second.call("start");
    await second.serves("lo", "pod1");
    const { refusals } = await child.serves();
    assert.match(
      refusals[0]!.text,
      /^pod1 has the program \d+, whose name cannot be read \(TCX in/,
    );
  } finally {
    await child.kill();
    await second.kill();
    node.remove();
  }
});
