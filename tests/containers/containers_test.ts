/**
 * The images, built by the Containerfile, run by podman as in docs/install.md, and as pods of the
 * manifests of docs/kubernetes.md on a node in a network namespace.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { compareEmbedded, parseListing, ROOT } from "../../release/compile.ts";
import { readGraph } from "../../release/graph.ts";
import { helmReasons } from "../manifest/chart.ts";
import { madeTree } from "../support/containers/booted_tree.ts";
import { withFolder } from "../support/run/folder.ts";
import { ImageBuild } from "../support/containers/image_build.ts";
import { commandsOf } from "../support/containers/installed_tree.ts";
import { skipFor } from "../support/run/require.ts";
import { Podman, podmanReasons } from "../support/containers/podman.ts";
import { ADDRESS, Network } from "./network.ts";
import { stopByCommand, tryOperator } from "./operator.ts";
import { tryPod, WAYS } from "./pods.ts";
import { CAPABILITIES, USER } from "./rights.ts";
import { ANSWERS, Site } from "./site.ts";

const { version }: { version: string } = JSON.parse(Deno.readTextFileSync(`${ROOT}deno.json`));
const IMAGES = {
  serving: `nodens:${version}`,
  forNodes: `nodens-node:${version}`,
  docker: "nodens:docker",
} as const;

const COREFILE = `. {
    errors
    health
    prometheus localhost:9153
    cache
    hosts {
${Object.entries(ANSWERS).map(([name, address]) => `        ${address} ${name}`).join("\n")}
    }
}
`;

type Step = (name: string, run: () => void | Promise<void>) => Promise<void>;

Deno.test({
  name: "images: are built by the Containerfile, and run by podman and as pods of the manifests",
  ...skipFor([...helmReasons, ...reasons()]),
  fn: (t) =>
    withFolder(async (folder) => {
      const step: Step = async (name, run) => {
        if (!await t.step(name, run)) throw new Error("what follows needs that step");
      };
      const tree = await madeTree(folder, {
        variable: "NODENS_IMAGE_TREE",
        script: "tests/containers/make_tree",
      });
      const podman = await Podman.create();
      try {
        await buildImages(step, podman, tree);
        await runImages(step, podman, folder);
      } finally {
        await podman.remove();
      }
    }),
});

function reasons(): string[] {
  const saves = ["iptables-nft-save", "iptables-legacy-save", "iptables-legacy"];
  return podmanReasons("debootstrap", "gcc", "git", "ip", "dig", "curl", "kubectl", ...saves);
}

function pageCommands(subcommand: "build" | "run"): string[] {
  return commandsOf("## The container image")
    .filter((line) => line.startsWith(`podman ${subcommand} `));
}

async function buildImages(step: Step, podman: Podman, tree: string): Promise<void> {
  let build!: ImageBuild;
  await step(
    "the Containerfile compiles exactly the modules and packages",
    async () => {
      build = await ImageBuild.create(podman, tree);
      assert.deepEqual(compareEmbedded(parseListing(build.listing), await readGraph(ROOT)), []);
    },
  );
  await step(`docs/install.md builds the images, of ${build.what}`, async () => {
    const [serving, forNodes, ...others] = pageCommands("build");
    assert.deepEqual(others, []);
    await build.type(serving!);
    await build.type(forNodes!);
    const docker = serving!.replace(" build ", " build --format docker ");
    await build.type(docker.replace(IMAGES.serving, IMAGES.docker));
    for (const name of Object.values(IMAGES)) {
      const format = '{{index .Config.Labels "org.opencontainers.image.revision"}}';
      assert.equal((await podman.must(["inspect", "--format", format, name])).trim(), build.commit);
      const executable = await podman.readImage(name, "/usr/local/bin/nodens");
      const commit = `COMMIT: string = "${build.commit.slice(0, 12)}"`;
      assert.ok(Buffer.from(executable).includes(commit), `${name}: ${commit}`);
    }
  });
}

/**
 * Runs the image for serving in three ways; the last container is the cluster's DNS of the pods.
 */
async function runImages(step: Step, podman: Podman, folder: string): Promise<void> {
  Deno.writeTextFileSync(`${folder}/Corefile`, COREFILE);
  await using site = new Site(podman, new Network());
  const { network } = site;
  await step("the command of docs/install.md serves port 53 of a machine", async () => {
    const [command, ...others] = pageCommands("run");
    assert.deepEqual(others, []);
    const line = command!.replace(" run ", " run --detach --name page ");
    const { code, text } = await podman.type(line, folder, { namespace: network.cluster });
    assert.equal(code, 0, text);
    await site.assertAnswers("page", "node", ADDRESS.cluster);
    await site.nodens("page", "status");
    await site.stop("page");
  });
  const mounted = [`--volume=${folder}/Corefile:/etc/nodens/Corefile:ro`];
  const confined = ["--read-only", "--cap-drop=all", "--security-opt=no-new-privileges"];
  const limited = [...confined, `--memory=${USER.memoryBytes}`, ...mounted];
  await step("nodens needs no capability if port 53 is unprivileged", async () => {
    const sysctl = "--sysctl=net.ipv4.ip_unprivileged_port_start=53";
    await site.start("bare", [...limited, "--network=none", sysctl, IMAGES.serving]);
    await site.until("bare", () => site.nodens("bare", "healthcheck"));
    assert.equal(await site.nodens("bare", "query example.org +short"), "192.0.2.80\n");
    await site.assertConfined("bare", { ...USER, capabilities: CAPABILITIES.none });
    // podman has a /tmp in memory, for the control socket of a user.
    await tryOperator(site, "bare", { cached: "example.org", upstream: /^No forward / });
    await stopByCommand(site, "bare");
  });
  await step("without anything that can be written, nodens serves and says so", async () => {
    const sysctl = "--sysctl=net.ipv4.ip_unprivileged_port_start=53";
    const nowhere = ["--read-only-tmpfs=false", "--network=none", sysctl];
    await site.start("sealed", [...limited, ...nowhere, IMAGES.serving]);
    await site.until("sealed", () => site.nodens("sealed", "healthcheck"));
    const paths = ["/run/nodens/control.sock", "/tmp/nodens-65532/control.sock"];
    const { code, text } = await site.tryNodens("sealed", "flush -all");
    assert.equal(code, 1, text);
    assert.ok(text.includes(`no nodens has a control socket at ${paths.join(" or ")}`), text);
    const log = await site.log("sealed");
    const told = paths.map((path) => `"${path}" cannot be opened: [^;]+`).join("; ");
    assert.match(log, new RegExp(`no control socket: ${told} \\(-control PATH`));
    await site.stop("sealed");
  });
  await step(
    "otherwise nodens needs NET_BIND_SERVICE alone, and is healthy",
    async () => {
      const own = ["--cap-add=NET_BIND_SERVICE", `--network=ns:/run/netns/${network.cluster.name}`];
      await site.start("dns", [...limited, ...own, IMAGES.docker]);
      await site.assertAnswers("dns", "node", ADDRESS.cluster);
      await site.assertConfined("dns", { ...USER, capabilities: CAPABILITIES.serving });
      await site.podman(["healthcheck", "run", "dns"]);
      const status = await site.nodens("dns", "status");
      assert.match(status, /^nodens \d+\.\d+\.\d+, process 1, .*, driver linux, /);
    },
  );
  await podman.setResolvConf(`nameserver ${ADDRESS.cluster}\n`);
  const backends = ["nft", "legacy"] as const;
  for (const [i, [name, way]] of Object.entries(WAYS).entries()) {
    const backend = backends[i % backends.length]!;
    await step(
      `the pod of ${name}, on a node with iptables-${backend}`,
      () => tryPod(site, way, { image: `localhost/${IMAGES.forNodes}`, folder, backend }),
    );
  }
  await step("nodens stops in order after it has served those pods", () => site.stop("dns"));
}
