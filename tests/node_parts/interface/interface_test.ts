import assert from "node:assert/strict";
import { NodeInterface } from "../../../src/node/interface/interface.ts";
import { InterfaceChild } from "../../support/namespaces/interface_child.ts";
import { Namespace, namespaceReasons } from "../../support/namespaces/namespace.ts";
import { skipFor } from "../../support/run/require.ts";
import { until } from "../../support/run/until.ts";

const LINK = "nodens0";
const IPV4 = "169.254.20.10";
const IPV6 = "fd00:10:96::a";
const BOTH = { addresses: [IPV4, IPV6] };
/** All test kernels have bridges; some lack the module for dummies. */
const ON_DUMMY = { ...BOTH, kernelKinds: { dummy: "bridge" } };
const ON_BRIDGE = { ...BOTH, kernelKinds: { dummy: "nodens-none" } };
const ON_LO = { ...BOTH, kernelKinds: { dummy: "nodens-none", bridge: "nodens-none" } };

const skip = skipFor(
  namespaceReasons("setpriv"),
);

function inNamespace(name: string, run: (namespace: Namespace) => Promise<void>): void {
  Deno.test({
    name: `interface: ${name}`,
    ...skip,
    fn: async () => {
      const namespace = new Namespace();
      try {
        await run(namespace);
      } finally {
        namespace.remove();
      }
    },
  });
}

async function withChild(
  namespace: Namespace,
  options: ConstructorParameters<typeof InterfaceChild>[1],
  run: (child: InterfaceChild) => Promise<void>,
): Promise<void> {
  const child = new InterfaceChild(namespace, options);
  try {
    await run(child);
  } finally {
    await child.end();
  }
}

/** A test with a NodeInterface in a network namespace. */
function withInterface(
  name: string,
  run: (child: InterfaceChild, namespace: Namespace) => Promise<void>,
  options: ConstructorParameters<typeof InterfaceChild>[1] = ON_BRIDGE,
): void {
  inNamespace(name, (ns) => withChild(ns, options, (child) => run(child, ns)));
}

function addressesOf(namespace: Namespace, link = LINK): string[] {
  const [found] = namespace.json("address", "show", "dev", link);
  return found.addr_info
    .filter(({ scope }: { scope: string }) => scope === "global")
    .map(({ local, prefixlen }: { local: string; prefixlen: number }) => `${local}/${prefixlen}`);
}

function isUp(namespace: Namespace, link = LINK): boolean {
  return namespace.json("link", "show", "dev", link)[0].flags.includes("UP");
}

function hasLink(namespace: Namespace): boolean {
  return namespace.can("link", "show", "dev", LINK);
}

function everything(namespace: Namespace): string {
  return JSON.stringify(
    namespace.json("address").map(({ ifname, operstate, addr_info }) => ({
      ifname,
      operstate,
      addresses: addr_info.map(({ local }: { local: string }) => local),
    })),
  );
}

inNamespace("makes the link, with addresses of both families", async (namespace) => {
  const before = everything(namespace);
  const kind = namespace.can("link", "add", "probe", "type", "dummy") ? "dummy" : "bridge";
  if (kind === "dummy") namespace.ip("link", "delete", "probe");
  await withChild(namespace, BOTH, async (child) => {
    const made = await child.ensure();
    assert.equal(made.kind, kind);
    assert.equal(made.adopted, false);
    assert.deepEqual(made.changes, [
      `made the link, a ${kind}`,
      "set it up",
      `added ${IPV4}/32`,
      `added ${IPV6}/128`,
    ]);
    const [link] = namespace.json("-details", "link", "show", "dev", LINK);
    assert.equal(link.linkinfo.info_kind, kind);
    assert.ok(isUp(namespace));
    assert.deepEqual(addressesOf(namespace), [`${IPV4}/32`, `${IPV6}/128`]);
    assert.deepEqual(await child.command("bind"), BOTH.addresses);
    const again = await child.ensure();
    assert.deepEqual([again.kind, again.changes], [kind, []]);
    assert.ok(child.log.at(-1)!.startsWith(`info: interface ${LINK}: made the link`));
    assert.deepEqual(await child.command("remove"), [`the link, a ${kind}`]);
    assert.equal(everything(namespace), before);
    assert.deepEqual(await child.command("remove"), []);
  });
});

withInterface("uses the first kind that the kernel makes", async (child) => {
  assert.equal((await child.ensure()).kind, "dummy");
  assert.deepEqual(child.log.filter((line) => line.startsWith("warning")), []);
}, ON_DUMMY);

withInterface("without dummy links, makes a bridge and warns", async (child, namespace) => {
  assert.equal((await child.ensure()).kind, "bridge");
  assert.match(child.log[0]!, /^warning: .*a bridge without ports instead.*no dummy.*modprobe/);
  namespace.ip("link", "delete", LINK);
  await child.ensure();
  const warnings = child.log.filter((line) => line.includes("modprobe"));
  assert.equal(warnings.length, 1, "warns of the kind once");
});

inNamespace("without dummies and bridges, uses lo", async (namespace) => {
  namespace.ip("address", "add", "192.0.2.7/32", "dev", "lo");
  const before = everything(namespace);
  // Already on lo, and must stay.
  const addresses = [IPV4, "127.0.0.1", "::1", IPV6];
  await withChild(namespace, { ...ON_LO, addresses }, async (child) => {
    const made = await child.ensure();
    assert.deepEqual([made.kind, made.changes], [
      "lo",
      [`added ${IPV4}/32 on lo`, `added ${IPV6}/128 on lo`],
    ]);
    assert.match(child.log[0]!, /^warning: .*are on lo.*no dummy: .*no bridge: /);
    assert.deepEqual(addressesOf(namespace, "lo"), ["192.0.2.7/32", `${IPV4}/32`, `${IPV6}/128`]);
    assert.deepEqual(await child.command("bind"), addresses);
    namespace.ip("address", "delete", `${IPV6}/128`, "dev", "lo");
    assert.deepEqual((await child.ensure()).changes, [`added ${IPV6}/128 on lo`]);
    assert.deepEqual(
      await child.command("remove"),
      [`${IPV4}/32 from lo`, `${IPV6}/128 from lo`],
    );
    assert.equal(everything(namespace), before);
  });
});

inNamespace(
  "adopts leftovers of a killed process, and removes them at the end",
  async (namespace) => {
    const first = new InterfaceChild(namespace, BOTH);
    await first.ensure();
    await first.kill();
    assert.ok(hasLink(namespace));
    namespace.ip("address", "delete", `${IPV4}/32`, "dev", LINK);
    namespace.ip("address", "add", "192.0.2.7/32", "dev", LINK);
    await withChild(namespace, BOTH, async (child) => {
      const found = await child.ensure();
      assert.equal(found.adopted, true);
      assert.deepEqual(found.changes, [`added ${IPV4}/32`]);
      assert.match(child.log[0]!, /^info: .*adopted the link that was there/);
      assert.deepEqual(
        addressesOf(namespace).sort(),
        [`${IPV4}/32`, "192.0.2.7/32", `${IPV6}/128`].sort(),
        "others' addresses stay",
      );
      await child.command("remove");
      assert.equal(hasLink(namespace), false);
    });
  },
);

const DAMAGES: { what: string; damage: string[][]; mended: string[] }[] = [
  {
    what: "an IPv4 address",
    damage: [["address", "delete", `${IPV4}/32`, "dev", LINK]],
    mended: [`added ${IPV4}/32`],
  },
  {
    what: "an IPv6 address",
    damage: [["address", "delete", `${IPV6}/128`, "dev", LINK]],
    mended: [`added ${IPV6}/128`],
  },
  {
    // Linux drops IPv6 addresses, and keeps IPv4, when a link goes down.
    what: "the state of the link",
    damage: [["link", "set", LINK, "down"]],
    mended: ["set it up", `added ${IPV6}/128`],
  },
  {
    what: "the link",
    damage: [["link", "delete", LINK]],
    mended: ["made the link, a dummy", "set it up", `added ${IPV4}/32`, `added ${IPV6}/128`],
  },
  {
    what: "the link's name",
    damage: [["link", "set", LINK, "down"], ["link", "set", LINK, "name", "other"]],
    mended: [
      "made the link, a dummy",
      "set it up",
      `added ${IPV4}/32`,
      `added ${IPV6}/128`,
      "removed the link that was renamed to other",
    ],
  },
];

for (const { what, damage, mended } of DAMAGES) {
  withInterface(`${what} is restored soon after a notice`, async (child, namespace) => {
    await child.ensure();
    await child.command("watch");
    assert.deepEqual(await child.notice(), [], "a first check, for earlier changes");
    child.suspended(() => {
      for (const command of damage) namespace.ip(...command);
    });
    const done: string[] = [];
    // Later notices of the kernel may cause no changes.
    while (done.length < mended.length) done.push(...await child.notice());
    assert.deepEqual(done, mended);
    assert.deepEqual(addressesOf(namespace), [`${IPV4}/32`, `${IPV6}/128`]);
    assert.ok(isUp(namespace));
    const lines = child.log.filter((line) => line.includes("changed from outside"));
    assert.match(lines[0]!, /^warning/);
    assert.ok(mended.every((change) => lines.join().includes(change)), lines.join());
    await child.command("remove");
    assert.equal(hasLink(namespace), false);
  }, ON_DUMMY);
}

withInterface("its own changes trigger no further changes", async (child, namespace) => {
  await child.ensure();
  assert.equal(await child.command("look"), true, "a first check, for earlier changes");
  namespace.ip("address", "delete", `${IPV4}/32`, "dev", LINK);
  assert.equal(await child.command("look"), true);
  assert.equal((await child.ensure()).changes.length, 1);
  let notices = 0;
  for (let i = 0; i < 20; i++) {
    if (await child.command("look")) notices++;
    assert.deepEqual((await child.ensure()).changes, []);
  }
  assert.ok(notices >= 1 && notices < 10, `${notices} of 20 looks found a notice`);
}, BOTH);

withInterface("slows down if another program reverts its repairs", async (child, namespace) => {
  await child.ensure();
  let beginMs = 0;
  for (let i = 0; i < 4; i++) {
    beginMs = performance.now();
    namespace.ip("address", "delete", `${IPV4}/32`, "dev", LINK);
    assert.deepEqual((await child.ensure()).changes, [`added ${IPV4}/32`]);
  }
  const [third, fourth] = child.log.slice(-2);
  assert.match(third!, /^warning: .*outside: added 169\.254\.20\.10\/32$/);
  assert.match(fourth!, /; 4 times in a row, .* notices wait for 1 s$/);
  await child.command("watch");
  await child.notice();
  const waitedMs = performance.now() - beginMs;
  assert.ok(waitedMs >= 1000, `${waitedMs} ms after the fourth mend`);
}, { addresses: [IPV4] });

withInterface(
  "ignores notices of other links, unless notices were lost",
  async (child, namespace) => {
    assert.equal(await child.command("look"), true, "a first check, for earlier changes");
    addMany(namespace, 3);
    assert.equal(await child.command("look"), false);
    addMany(namespace, 4000);
    assert.equal(await child.command("look"), true, "notices were lost (ENOBUFS)");
    while (await child.command("look"));
    namespace.ip("link", "add", "absent", "type", "bridge");
    assert.equal(await child.command("look"), true, "a link of that name was made");
  },
  { addresses: [IPV4], name: "absent" },
);

inNamespace("reads a long list of addresses completely", async (namespace) => {
  addMany(namespace, 3000);
  const addresses = ["198.18.0.0", "198.18.11.183"];
  await withChild(namespace, { ...ON_LO, addresses }, async (child) => {
    assert.deepEqual((await child.ensure()).changes, []);
    await child.command("remove");
    assert.equal(addressesOf(namespace, "lo").length, 2998);
  });
});

withInterface(
  "replaces an address that the kernel considers a duplicate",
  async (child, namespace) => {
    await child.ensure();
    // Another host behind the bridge has the address.
    const other = new Namespace();
    try {
      namespace.ip("link", "add", "port", "type", "veth", "peer", "name", "far");
      namespace.ip("link", "set", "far", "netns", other.name);
      other.ip("address", "add", `${IPV6}/128`, "dev", "far", "nodad");
      other.ip("link", "set", "far", "up");
      namespace.ip("link", "set", "port", "up", "master", LINK);
      namespace.ip("address", "delete", `${IPV6}/128`, "dev", LINK);
      namespace.ip("address", "add", `${IPV6}/128`, "dev", LINK);
      const isDuplicate = () => namespace.ip("address", "show", "dev", LINK).includes("dadfailed");
      await until(isDuplicate);
      assert.deepEqual(
        (await child.ensure()).changes,
        [`added ${IPV6}/128, which was a duplicate`],
      );
      assert.equal(isDuplicate(), false);
    } finally {
      other.remove();
    }
  },
  { ...ON_BRIDGE, addresses: [IPV6] },
);

function addMany(namespace: Namespace, count: number): void {
  const addresses = Array.from({ length: count }, (_, i) => `198.18.${i >> 8}.${i & 255}/32`);
  const file = Deno.makeTempFileSync({ prefix: "nodens_test_" });
  const line = (address: string) => `address replace ${address} dev lo\n`;
  Deno.writeTextFileSync(file, addresses.map(line).join(""));
  namespace.ip("-batch", file);
  Deno.removeSync(file);
}

const TAKEN: { by: string; make: string[][]; kind: string }[] = [
  { by: "a veth", make: [["link", "add", LINK, "type", "veth"]], kind: "a link of kind veth" },
  {
    by: "a bridge with ports",
    make: [
      ["link", "add", LINK, "type", "bridge"],
      ["address", "add", `${IPV4}/32`, "dev", LINK],
      ["link", "add", "port", "type", "veth"],
      ["link", "set", "port", "master", LINK],
    ],
    kind: "a bridge with ports",
  },
];

for (const { by, make, kind } of TAKEN) {
  inNamespace(`refuses a name used by ${by}`, async (namespace) => {
    for (const command of make) namespace.ip(...command);
    const before = everything(namespace);
    await withChild(namespace, BOTH, async (child) => {
      await assert.rejects(child.ensure(), {
        message: `Cannot set up the interface "${LINK}": ${kind} has that name; ` +
          "choose another name, or remove that link",
      });
      assert.deepEqual(await child.command("remove"), []);
      assert.equal(everything(namespace), before);
    });
  });
}

withInterface("refuses a link of the system", async (child) => {
  await assert.rejects(child.ensure(), /"lo": a link of the system's own has that name/);
  assert.deepEqual(await child.command("remove"), []);
}, { ...BOTH, name: "lo" });

withInterface("keeps a bridge that now has ports", async (child, namespace) => {
  await child.ensure();
  namespace.ip("link", "add", "port", "type", "veth");
  namespace.ip("link", "set", "port", "master", LINK);
  assert.deepEqual((await child.ensure()).changes, []);
  assert.deepEqual(
    await child.command("remove"),
    [`${IPV4}/32 from ${LINK}`, `${IPV6}/128 from ${LINK}`],
  );
  assert.deepEqual(addressesOf(namespace), []);
  assert.match(
    child.log.find((line) => line.startsWith("warning: interface nodens0: the"))!,
    /ports/,
  );
});

inNamespace("replaces a renamed link, and removes it", async (namespace) => {
  const before = everything(namespace);
  await withChild(namespace, ON_BRIDGE, async (child) => {
    await child.ensure();
    const rename = (to: string) => {
      namespace.ip("link", "set", LINK, "down");
      namespace.ip("link", "set", LINK, "name", to);
    };
    rename("stolen");
    assert.deepEqual((await child.ensure()).changes, [
      "made the link, a bridge",
      "set it up",
      `added ${IPV4}/32`,
      `added ${IPV6}/128`,
      "removed the link that was renamed to stolen",
    ]);
    assert.equal(namespace.can("link", "show", "dev", "stolen"), false);
    assert.deepEqual(addressesOf(namespace), [`${IPV4}/32`, `${IPV6}/128`]);
    // Renamed, and another program uses the name: serves under the other name.
    rename("stolen");
    namespace.ip("link", "add", LINK, "type", "veth");
    await assert.rejects(child.ensure(), /a link of kind veth has that name/);
    // The kernel removed the IPv6 address when the link went down.
    assert.deepEqual(addressesOf(namespace, "stolen"), [`${IPV4}/32`]);
    assert.deepEqual(await child.command("remove"), ["the link that was renamed to stolen"]);
    namespace.ip("link", "delete", LINK);
    assert.equal(everything(namespace), before);
  });
});

inNamespace("reports addresses of other links", async (namespace) => {
  namespace.ip("link", "add", "other", "type", "bridge");
  namespace.ip("link", "add", "kube-ipvs0", "type", "bridge");
  namespace.ip("address", "add", `${IPV4}/32`, "dev", "kube-ipvs0");
  await withChild(namespace, ON_BRIDGE, async (child) => {
    await child.ensure();
    namespace.ip("address", "delete", `${IPV4}/32`, "dev", LINK);
    namespace.ip("address", "add", `${IPV4}/24`, "dev", "other");
    for (let look = 0; look < 2; look++) await child.ensure();
    assert.deepEqual(addressesOf(namespace), [`${IPV4}/32`, `${IPV6}/128`].toSorted());
    const told = child.log.filter((line) => line.includes("is on"));
    assert.equal(told.length, 1, told.join());
    assert.match(
      told[0]!,
      /^warning: .*169\.254\.20\.10\/24 is on other too.*ip address del .* dev other$/,
    );
    await child.command("remove");
    assert.deepEqual(addressesOf(namespace, "other"), [`${IPV4}/24`]);
  });
});

inNamespace("without NET_ADMIN, fails with the remedy", async (namespace) => {
  const through = ["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"];
  await withChild(namespace, { ...BOTH, through }, async (child) => {
    await assert.rejects(child.ensure(), {
      message: `Cannot set up the interface "${LINK}": operation not permitted; ` +
        "give nodens the capability NET_ADMIN (in Kubernetes: " +
        "securityContext.capabilities.add), or leave the interface to others with " +
        "-setupinterface=false",
    });
    assert.equal(hasLink(namespace), false);
    // Without changes, no right is needed.
    await withChild(namespace, BOTH, async (able) => {
      await able.ensure();
    });
    assert.deepEqual((await child.ensure()).changes, []);
    await assert.rejects(
      child.command("remove") as Promise<unknown>,
      /^Error: Cannot remove .*NET_ADMIN/,
    );
    assert.ok(hasLink(namespace));
  });
});

inNamespace("with IPv6 disabled, fails with the remedy", async (namespace) => {
  namespace.sysctl("ipv6/conf/default/disable_ipv6", "1");
  await withChild(namespace, BOTH, async (child) => {
    await assert.rejects(
      child.ensure(),
      /"nodens0": adding fd00:10:96::a\/128: permission denied.*sysctl net\.ipv6.*-localip$/,
    );
    assert.equal(hasLink(namespace), false, "the first call undoes its work");
  });
});

withInterface("keeps one address if the other fails", async (child, namespace) => {
  await child.ensure();
  namespace.sysctl("ipv6/conf/default/disable_ipv6", "1");
  namespace.ip("link", "delete", LINK);
  await assert.rejects(child.ensure(), /adding fd00:10:96::a\/128/);
  assert.deepEqual(addressesOf(namespace), [`${IPV4}/32`]);
  namespace.sysctl(`ipv6/conf/${LINK}/disable_ipv6`, "0");
  assert.deepEqual((await child.ensure()).changes, [`added ${IPV6}/128`]);
});

const REFUSED: { name: string; addresses?: string[]; message: RegExp }[] = [
  { name: "abcdefghijklmnop", message: /"abcdefghijklmnop": it has 16 octets; take 1 to 15/ },
  { name: "", message: /interface "": it is empty/ },
  { name: "a/b", message: /"a\/b": it is not a valid name for a link/ },
  { name: "..", message: /it is not a valid name for a link/ },
  { name: "ä".repeat(8), message: /it has 16 octets/ },
  { name: "ok", addresses: ["10.0.0.256"], message: /address "10\.0\.0\.256": name one IPv4 or/ },
  { name: "ok", addresses: [IPV4, "::"], message: /address "::"/ },
  { name: "ok", addresses: ["fe80::1%eth0"], message: /address "fe80::1%eth0"/ },
];

for (const options of [ON_BRIDGE, ON_LO]) {
  const where = options === ON_LO ? "on lo" : "on a link";
  inNamespace(
    `before removal, the host queries from another address: ${where}`,
    async (namespace) => {
      const [own4, own6] = ["192.168.5.2", "fd00:5::2"];
      namespace.ip("link", "set", "lo", "up");
      namespace.ip("link", "add", "out0", "type", "veth", "peer", "name", "out1");
      namespace.ip("address", "add", `${own4}/24`, "dev", "out0");
      namespace.ip("address", "add", `${own6}/64`, "nodad", "dev", "out0");
      for (const link of ["out0", "out1"]) namespace.ip("link", "set", link, "up");
      namespace.ip("route", "add", "default", "via", "192.168.5.1");
      namespace.ip("-6", "route", "add", "default", "via", "fd00:5::1");
      const sources = () =>
        [IPV4, IPV6].map((address) => {
          const [route] = namespace.json("route", "get", address);
          return [route.prefsrc, route.dev === "lo" || route.type === "local"];
        });
      await withChild(namespace, options, async (child) => {
        await child.ensure();
        assert.deepEqual(sources(), [[IPV4, true], [IPV6, true]]);
        assert.equal(await child.command("yieldSource"), true);
        // Packets to the addresses are still delivered.
        assert.deepEqual(sources(), [[own4, true], [own6, true]]);
        assert.deepEqual(await child.command("bind"), [IPV4, IPV6]);
        await child.command("reclaimSource");
        assert.deepEqual(sources(), [[IPV4, true], [IPV6, true]]);
        // The kernel removes its own routes with the addresses.
        const link = options === ON_LO ? "lo" : LINK;
        for (const address of [`${IPV4}/32`, `${IPV6}/128`]) {
          namespace.ip("address", "del", address, "dev", link);
        }
        assert.deepEqual(sources(), [[own4, false], [own6, false]]);
        await child.ensure();
        await child.command("yieldSource");
        await child.command("remove");
        assert.deepEqual(sources(), [[own4, false], [own6, false]]);
        assert.deepEqual(child.log.filter((line) => /route/.test(line)), []);
      });
    },
  );
}

inNamespace("its addresses are never used as source", async (namespace) => {
  // With only link-local addresses outside, the kernel would choose the interface's own.
  namespace.ip("link", "set", "lo", "up");
  namespace.ip("link", "add", "out0", "type", "veth", "peer", "name", "out1");
  for (const link of ["out0", "out1"]) namespace.ip("link", "set", link, "up");
  namespace.ip("-6", "route", "add", "default", "via", "fe80::1", "dev", "out0");
  await withChild(namespace, { ...ON_BRIDGE, addresses: [IPV6] }, async (child) => {
    await child.ensure();
    assert.equal(await child.command("yieldSource"), false);
    await child.command("remove");
  });
});

withInterface("keeps the source without a default route", async (child) => {
  await child.ensure();
  assert.equal(await child.command("yieldSource"), false);
  await child.command("remove");
  assert.deepEqual(child.log.filter((line) => /route/.test(line)), []);
});

Deno.test("NodeInterface: refuses invalid names and addresses", () => {
  for (const { name, addresses = [IPV4], message } of REFUSED) {
    assert.throws(() => new NodeInterface({ name, addresses, log: () => {} }), message);
  }
});
