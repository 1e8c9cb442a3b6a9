import assert from "node:assert/strict";
import { type CommandResult, mustRun } from "../../../release/command.ts";
import { ROOT } from "../../../release/compile.ts";
import { V8_FLAGS } from "../../../release/v8_flags.ts";
import { IMAGE, ImageRoot } from "./image_root.ts";
import { type Program, putSources } from "./image_program.ts";
import type { Podman } from "./podman.ts";

const BASES: Readonly<Record<string, string>> = Object.fromEntries(
  [...Deno.readTextFileSync(`${ROOT}Containerfile`).matchAll(/^FROM (\S+) AS (\w+)$/gm)]
    .map(([, image, stage]) => [stage, image]),
);
const standIn = (stage: string) => `localhost/stand-in/${stage}`;
/** Nothing is pulled; npm packages come through the host's network. */
const BUILD_FLAGS = [
  ...["--pull-never", "--network", "host"],
  ...Object.entries(BASES).flatMap(([stage, image]) => [
    "--build-context",
    `${image}=container-image://${standIn(stage)}:latest`,
  ]),
];

/** Unnecessary parts of a small Debian. */
const UNUSED = ["/usr/share/doc", "/usr/share/locale", "/usr/share/man", "/var/cache", "/var/lib"];
const SETTINGS = [`ENV PATH=${IMAGE.path}`, "ENV NO_COLOR=1"];
/** This machine's certificates; Debian's image has none. */
const CERTIFICATES = "/etc/own_certificates.crt";
const LAUNCHER = "/opt/launcher";
const LIBRARIES = ["libdl.so.2", "libgcc_s.so.1", "libm.so.6", "libpthread.so.0", "librt.so.1"];
/** Output of a build that cannot download the executable's runtime part. */
const NO_RUNTIME = /Setting up base binary[^]*denort[^]*deno task compile/;

/**
 * Builds the images by the unchanged Containerfile. The bases consist of Debian's packages, since
 * their registries may be unreachable. If the executable's runtime part cannot be downloaded, a
 * second build uses a launcher that executes Deno with the sources in the bases.
 */
export class ImageBuild {
  readonly what: string;
  /** Output of compiling. */
  readonly listing: string;
  readonly commit: string;
  readonly #podman: Podman;

  private constructor(
    podman: Podman,
    { what, listing, commit }: Pick<ImageBuild, "what" | "listing" | "commit">,
  ) {
    this.#podman = podman;
    this.what = what;
    this.listing = listing;
    this.commit = commit;
  }

  /** Makes the bases from a Debian, and builds up to the executable. */
  static async create(podman: Podman, tree: string): Promise<ImageBuild> {
    // The Containerfile copies the other libraries to the base with iptables.
    const roots = { nodens: new ImageRoot(tree), node: new ImageRoot(tree, ["libc6"]) };
    const folder = Deno.makeTempDirSync({ prefix: "nodens_bases_" });
    try {
      roots.node.addIptables();
      Deno.chmodSync(folder, 0o755);
      await importBuilders(podman, { tree, folder });
      const commit = (await mustRun("git", ["-C", ROOT, "rev-parse", "HEAD"])).trim();
      let what = "the compiled nodens";
      let executable = await build(podman, commit);
      if (executable.code !== 0) {
        assert.match(executable.text, NO_RUNTIME);
        what = "a launcher of Deno with the sources (NOT TRIED: the compiled nodens, " +
          "whose runtime part cannot be downloaded here)";
        const program = await putSources(...Object.values(roots));
        Deno.mkdirSync(`${folder}/opt`);
        await compileLauncher(`${folder}${LAUNCHER}`, program);
        const changes = [`ENV DENORT_BIN=${LAUNCHER}`];
        await podman.add(folder, standIn("build"), { base: standIn("build"), changes });
        executable = await build(podman, commit);
        assert.equal(executable.code, 0, executable.text);
      }
      for (const [stage, root] of Object.entries(roots)) {
        await podman.import(root.path, standIn(stage));
      }
      return new ImageBuild(podman, { what, commit, listing: executable.text });
    } finally {
      for (const root of Object.values(roots)) root.remove();
      Deno.removeSync(folder, { recursive: true });
    }
  }

  async type(command: string): Promise<void> {
    assert.match(command, /^podman build /);
    const flags = BUILD_FLAGS.map((flag) => `'${flag}'`).join(" ");
    const line = command.replace("podman build", `podman build ${flags}`);
    const { code, text } = await this.#podman.type(line, ROOT);
    assert.equal(code, 0, text);
  }
}

async function importBuilders(
  podman: Podman,
  { tree, folder }: { tree: string; folder: string },
): Promise<void> {
  const deno = `${folder}/deno`;
  Deno.mkdirSync(`${deno}/usr/bin`, { recursive: true });
  Deno.copyFileSync(Deno.realPathSync(Deno.execPath()), `${deno}/usr/bin/deno`);
  await podman.import(deno, standIn("deno"));
  Deno.removeSync(deno, { recursive: true });
  await podman.import(tree, standIn("build"), { changes: SETTINGS, exclude: UNUSED });
  const own = Deno.env.get("SSL_CERT_FILE");
  if (own === undefined) return;
  Deno.mkdirSync(`${folder}/etc`);
  Deno.copyFileSync(own, folder + CERTIFICATES);
  const changes = [`ENV DENO_CERT=${CERTIFICATES}`];
  await podman.add(folder, standIn("build"), { base: standIn("build"), changes });
}

/** Compiles a program that executes another one with the executable's options. */
async function compileLauncher(output: string, { command, args }: Program): Promise<void> {
  const [run, ...rest] = args;
  const words = [command, run, V8_FLAGS, ...rest].map((word) => `${JSON.stringify(word)},`);
  const source = new URL("../../containers/launcher.c", import.meta.url).pathname;
  const libraries = LIBRARIES.map((name) => `-l:${name}`);
  await mustRun("gcc", [
    ...[`-DARGUMENTS=${words.join("")}`, "-o", output, source],
    ...["-Wl,--no-as-needed", ...libraries],
  ]);
}

function build(podman: Podman, commit: string): Promise<CommandResult> {
  const args = ["--target", "build", "--build-arg", `COMMIT=${commit}`, ROOT];
  return podman.run(["build", ...BUILD_FLAGS, ...args]);
}
