/**
 * What a container engine would do with the images, done by hand: a root with nothing in it but the
 * base's libraries and nodens, read-only, without a shell, and without more rights than needed.
 */
import assert from "node:assert/strict";
import { imageRootReasons } from "../support/image_root.ts";
import { assertConfined, type Confinement, ImageRun, SERVER } from "../support/image_run.ts";
import { skipFor } from "../support/net_require.ts";

/** What the C library's package brings besides libraries. */
const LIBC_PROGRAMS = /^\/(?:usr\/)?s?bin\/(?:ldconfig|ld\.so)$/;
const COREFILE = `.:53 {
    bind ${SERVER}
    acl {
        allow net 192.0.2.0/24
        block
    }
    health 127.0.0.1:8080
    prometheus ${SERVER}:9153
    errors
    cache
    hosts {
        192.0.2.80 www.example.org
    }
}
`;
const USER = { uid: 65532 };

/** Starts nodens, tries it from outside and inside, and stops it. */
async function serve(image: ImageRun, options: Confinement, capabilities: string): Promise<void> {
  const nodens = await image.start(options, "-conf", "/etc/nodens/Corefile");
  try {
    assertConfined(nodens.pid, image.root, { ...USER, capabilities });
    assert.doesNotMatch(nodens.output, /WARNING|ERROR|portable/, nodens.output);
    for (const transport of ["+notcp", "+tcp"]) {
      const answer = await image.dig(`@${SERVER}`, transport, "www.example.org");
      assert.match(answer, /^www\.example\.org\.\s+\d+\s+IN\s+A\s+192\.0\.2\.80$/m, answer);
    }
    const healthy = await image.run(options, "healthcheck");
    assert.deepEqual(healthy, { code: 0, text: "http://127.0.0.1:8080/health: 200 OK\n" });
    const silent = await image.run(options, "healthcheck", "127.0.0.1:8081");
    assert.equal(silent.code, 1, silent.text);
    assert.match(silent.text, /^http:\/\/127\.0\.0\.1:8081\/health: .*refused/i);
  } finally {
    const { code } = await nodens.stop();
    assert.equal(code, 0, nodens.output);
  }
  assert.doesNotMatch(nodens.output, /ERROR|panic/i, nodens.output);
}

Deno.test({
  name: "the image: a root with libraries and nodens alone serves, read-only and without root",
  ...skipFor(imageRootReasons("dig")),
  async fn(t) {
    const image = await ImageRun.create({ "/etc/nodens/Corefile": COREFILE });
    try {
      // A step's name is what a quiet run shows.
      await t.step(`it holds no shell, and no program but ${image.what}`, () => {
        const others = image.otherPrograms().filter((path) => !LIBC_PROGRAMS.test(path));
        assert.deepEqual(others, []);
      });
      await t.step("with NET_BIND_SERVICE alone", async () => {
        const options = { ...USER, capabilities: ["net_bind_service"] as const };
        await serve(image, options, "0000000000000400");
      });
      await t.step("with no capability, where the kernel lets everybody have port 53", async () => {
        image.server.sysctl("ipv4/ip_unprivileged_port_start", "53");
        await serve(image, { ...USER, capabilities: [] }, "0000000000000000");
      });
      await t.step("-version tells version, runtime and commit", async () => {
        const { code, text } = await image.run({ ...USER, capabilities: [] }, "-version");
        assert.equal(code, 0, text);
        assert.match(text, /^nodens-\d+\.\d+\.\d+\nlinux\/\w+, deno \d+\.\d+\.\d+, /);
        assert.ok(text.endsWith(`, ${image.commit}\n`), text);
      });
    } finally {
      image.remove();
    }
  },
});

const LOCAL = "169.254.20.10";
const KUBE_DNS = "10.96.0.10";
const TEMPLATE = `cluster.local:53 {
    bind __PILLAR__LOCAL__DNS__ __PILLAR__DNS__SERVER__
    health __PILLAR__LOCAL__DNS__:8080
    errors
    cache
    loop
    prometheus :9253
    hosts {
        192.0.2.80 www.cluster.local
    }
}
`;
/** NET_BIND_SERVICE, NET_ADMIN, NET_RAW. */
const NODE_CAPABILITIES = "0000000000003400";

for (const backend of ["nft", "legacy"] as const) {
  Deno.test({
    name: `the node's image sets up interface and rules, and takes them away, iptables ${backend}`,
    ...skipFor(imageRootReasons("dig", `iptables-${backend}-save`)),
    async fn(t) {
      const image = await ImageRun.create({ "/etc/coredns/Corefile.base": TEMPLATE });
      const { server, client, root } = image;
      const save = async () => (await image.outside(`iptables-${backend}-save`)).text;
      const options: Confinement = {
        uid: 0,
        capabilities: ["net_admin", "net_raw", "net_bind_service"],
      };
      try {
        root.addIptables(backend);
        client.ip("route", "add", KUBE_DNS, "via", SERVER);
        await t.step(`what runs is ${image.what}`, () => {
          assert.ok(image.otherPrograms().some((path) => path.endsWith("/iptables-restore")));
          assert.ok(!image.otherPrograms().some((path) => /\/(?:ba|da)?sh$/.test(path)));
        });
        // As deploy/kustomize/base has it.
        const nodens = await image.start(
          options,
          ...["-localip", `${LOCAL},${KUBE_DNS}`, "-conf", "/run/nodens/Corefile"],
          ...["-upstreamsvc", "kube-dns-upstream"],
        );
        try {
          assertConfined(nodens.pid, root, { uid: 0, capabilities: NODE_CAPABILITIES });
          const [link] = server.json("address", "show", "dev", "nodelocaldns");
          const addresses = link.addr_info.map(({ local }: { local: string }) => local);
          assert.ok(addresses.includes(LOCAL) && addresses.includes(KUBE_DNS), nodens.output);
          await until(
            async () => (await save()).includes(`-d ${KUBE_DNS}/32`),
            () => nodens.output,
          );
          assert.match(await save(), /skip conntrack".* (?:NOTRACK|CT --notrack)$/m);
          for (const transport of ["+notcp", "+tcp"]) {
            const answer = await image.dig(`@${KUBE_DNS}`, transport, "www.cluster.local");
            assert.match(answer, /^www\.cluster\.local\.\s+\d+\s+IN\s+A\s+192\.0\.2\.80$/m, answer);
          }
          const healthy = await image.run(options, "healthcheck", `${LOCAL}:8080`);
          assert.equal(healthy.code, 0, healthy.text);
        } finally {
          const { code } = await nodens.stop();
          assert.equal(code, 0, nodens.output);
        }
        assert.doesNotMatch(nodens.output, /ERROR|panic/i, nodens.output);
        assert.doesNotMatch(await save(), /NodeLocal|nodens/, "no rule is left");
        assert.equal(server.can("link", "show", "nodelocaldns"), false, "no interface is left");
      } finally {
        image.remove();
      }
    },
  });
}

/** Waits until something is so; fails with what `why` says after a minute. */
async function until(isSo: () => Promise<boolean>, why: () => string): Promise<void> {
  const limitMs = performance.now() + 60_000;
  while (!(await isSo())) {
    assert.ok(performance.now() < limitMs, why());
    await new Promise((wake) => setTimeout(wake, 50));
  }
}
