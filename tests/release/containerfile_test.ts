import assert from "node:assert/strict";
import type { Copy, From, Instruction, JSONInstruction, Label } from "dockerfile-ast";
import { DockerfileParser } from "dockerfile-ast";
import { validate } from "dockerfile-utils";
import manifest from "../../deno.json" with { type: "json" };
import { mustRun, runCommand } from "../../release/command.ts";
import { compareEmbedded, parseListing } from "../../release/embedded.ts";
import { readGraph } from "../../release/graph.ts";
import { EmptyCache } from "../support/empty_cache.ts";
import { withFolder } from "../support/folder.ts";
import { skipUnless } from "../support/net_require.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const TEXT = Deno.readTextFileSync(`${ROOT}Containerfile`);

/** A stage of the build: from one FROM to the next. */
interface Stage {
  name: string;
  image: string;
  instructions: Instruction[];
}

const STAGES: Stage[] = [];
for (const instruction of DockerfileParser.parse(TEXT).getInstructions()) {
  if (instruction.getKeyword() === "FROM") {
    const from = instruction as From;
    const name = from.getBuildStage() ?? "";
    STAGES.push({ name, image: from.getImage() ?? "", instructions: [] });
  } else STAGES.at(-1)!.instructions.push(instruction);
}

/** Arguments of each instruction of a kind in a stage. */
function all(stage: string, keyword: string): string[] {
  const { instructions } = STAGES.find(({ name }) => name === stage)!;
  return instructions.filter((one) => one.getKeyword() === keyword)
    .map((one) => one.getArgumentsContent() ?? "");
}

/** The parts of a JSON array that an instruction has. */
function json(stage: string, keyword: string): string[] {
  const { instructions } = STAGES.find(({ name }) => name === stage)!;
  const one = instructions.find((one) => one.getKeyword() === keyword) as JSONInstruction;
  return one.getJSONStrings().map((part) => part.getJSONValue());
}

/** Stages that are copied from, and the sources, of the COPY instructions of a stage. */
function copies(stage: string): { from: string | undefined; sources: string[] }[] {
  const { instructions } = STAGES.find(({ name }) => name === stage)!;
  return instructions.filter((one) => one.getKeyword() === "COPY").map((one) => {
    const from = (one as Copy).getFlags().find((flag) => flag.getName() === "from")?.getValue() ??
      undefined;
    const sources = one.getArguments().map((part) => part.getValue()).slice(0, -1);
    return { from, sources };
  });
}

Deno.test("a linter finds no fault in the Containerfile", () => {
  const found = validate(TEXT).map(({ range, message }) => `${range.start.line + 1}: ${message}`);
  assert.deepEqual(found, []);
});

Deno.test("the linter would find some", () => {
  const wrong = TEXT.replace("ENTRYPOINT", "ENTRYPONT").replace("EXPOSE 53/udp", "EXPOSE 53/upd");
  assert.equal(validate(wrong).length, 2);
});

Deno.test("every base has a version or a variant as its tag, and a digest", () => {
  for (const { name, image } of STAGES) {
    assert.match(image, /^[a-z0-9.]+\.[a-z]+\/[a-z0-9/-]+:[\w.-]+@sha256:[0-9a-f]{64}$/, name);
    assert.doesNotMatch(image, /:(latest|debug|stable)[@-]/, name);
  }
  assert.deepEqual(STAGES.map(({ name }) => name), ["deno", "build", "node", "nodens"]);
});

Deno.test("the images are made of the same Debian, and of the Deno that the tests run with", () => {
  const image = (stage: string) => STAGES.find(({ name }) => name === stage)!.image;
  assert.match(image("build"), /debian:trixie-slim@/);
  assert.match(image("nodens"), /\/cc-debian13:nonroot@/);
  assert.match(image("node"), /\/distroless-iptables:v0\.9\./);
  const ci = Deno.readTextFileSync(`${ROOT}.ci/run`);
  const version = /^deno_version=(\S+)$/m.exec(ci)![1]!;
  assert.ok(image("deno").includes(`/deno:${version}@`), version);
});

Deno.test("what is copied into the build is there, and is let into it", () => {
  const ignored = Deno.readTextFileSync(`${ROOT}.dockerignore`).split("\n");
  assert.ok(ignored.includes("*"));
  let count = 0;
  for (const { name } of STAGES) {
    for (const { from, sources } of copies(name)) {
      if (from !== undefined) {
        const before = STAGES.slice(0, STAGES.findIndex((stage) => stage.name === name));
        assert.ok(before.some((stage) => stage.name === from), `${name} copies from ${from}`);
        continue;
      }
      for (const source of sources) {
        assert.ok(Deno.statSync(ROOT + source.replace("./", "")), source);
        assert.ok(ignored.includes(`!${source.replace("./", "")}`), `.dockerignore: ${source}`);
        count++;
      }
    }
  }
  assert.ok(count >= 5);
});

Deno.test("the images hold the executable, run it directly, and hold no shell's work", () => {
  for (const stage of ["nodens", "node"]) {
    assert.deepEqual(json(stage, "ENTRYPOINT"), ["/nodens"], stage);
    assert.deepEqual(all(stage, "RUN"), [], `${stage}: there is no shell to run anything with`);
    const built = copies(stage).filter(({ from }) => from === "build");
    assert.ok(built.some(({ sources }) => sources[0] === "/build/dist/nodens"), stage);
    assert.ok(all(stage, "ENV").some((text) => text === "DENO_DIR=/deno-dir"), stage);
    assert.deepEqual(all(stage, "EXPOSE"), ["53/udp 53/tcp"], stage);
  }
  assert.deepEqual(all("nodens", "USER"), ["65532:65532"]);
  assert.deepEqual(all("node", "USER"), ["0:0"]);
  assert.match(all("nodens", "HEALTHCHECK")[0]!, /CMD \["\/nodens", "healthcheck"\]$/);
});

Deno.test("labels say what the images are, and the version is deno.json's", () => {
  for (const stage of ["nodens", "node"]) {
    const { image, instructions } = STAGES.find(({ name }) => name === stage)!;
    const labels = new Map(
      instructions.filter((one) => one.getKeyword() === "LABEL")
        .flatMap((one) => (one as Label).getProperties())
        .map((property) => [property.getName(), property.getValue()]),
    );
    const prefix = "org.opencontainers.image.";
    const said = Object.fromEntries(
      [...labels].map(([name, value]) => [name.slice(prefix.length), value]),
    );
    assert.equal(said["version"], "$VERSION", stage);
    assert.equal(said["revision"], "$COMMIT", stage);
    assert.equal(said["licenses"], manifest.license, stage);
    assert.equal(said["base.name"], image.split("@")[0], stage);
    assert.match(said["title"]!, /^nodens/, stage);
    assert.match(said["description"]!, /^DNS cache/, stage);
    assert.ok(all(stage, "ARG").includes(`VERSION=${manifest.version}`), stage);
    assert.ok(all(stage, "ARG").includes("COMMIT=unknown"), stage);
  }
});

Deno.test("images are compiled as releases are, with the same rights", () => {
  const [compile] = all("build", "RUN");
  assert.match(compile!, /\bdeno task compile && test -x dist\/nodens$/);
  assert.doesNotMatch(TEXT, /deno compile|--allow-/, "rights are given in one place");
});

Deno.test({
  name: "an image's build compiles with an empty cache, without git, and writes the commit in",
  ...skipUnless("sed", "cut", "sh"),
  async fn() {
    await withFolder(async (folder) => {
      const allowed = Deno.readTextFileSync(`${ROOT}.dockerignore`).split("\n")
        .filter((line) => line.startsWith("!")).map((line) => ROOT + line.slice(1));
      await mustRun("cp", ["--recursive", ...allowed, folder]);
      const cache = new EmptyCache();
      try {
        const COMMIT = "0123456789abcdef0123456789abcdef01234567";
        const [compile] = all("build", "RUN");
        const script = compile!.replaceAll(/\\\n/g, " ");
        const result = await runCommand("sh", ["-c", script], {
          cwd: folder,
          env: { ...cache.env, COMMIT },
        });
        assert.ok(result.ok, result.text);
        assert.deepEqual(compareEmbedded(parseListing(result.text), await readGraph(ROOT)), []);
        const text = Deno.readTextFileSync(`${folder}/src/cli/commit.ts`);
        assert.match(text, /^export const COMMIT: string = "0123456789ab";$/m);
      } finally {
        cache.remove();
      }
    });
  },
});

Deno.test({
  name: "the libraries for the node's image are found, the loader among them",
  ...skipUnless("ldd", "install", "sh"),
  async fn() {
    const folder = Deno.makeTempDirSync({ prefix: "nodens_libraries_" });
    try {
      // Deno asks for the same libraries as what is made of it.
      const [, command] = all("build", "RUN");
      const script = command!.replaceAll(/\\\n/g, " ").replace("dist/nodens", Deno.execPath())
        .replaceAll("/libraries/", `${folder}/`);
      await mustRun("sh", ["-c", script]);
      const found = (await mustRun("find", [folder, "-type", "f"])).trim().split("\n")
        .map((path) => path.slice(folder.length));
      assert.ok(found.every((path) => path.startsWith("/usr/lib")), found.join(" "));
      const names = found.map((path) => path.slice(path.lastIndexOf("/") + 1)).sort();
      const wanted = ["libc.so.6", "libdl.so.2", "libgcc_s.so.1", "libm.so.6", "librt.so.1"];
      assert.deepEqual(wanted.filter((name) => !names.includes(name)), []);
      assert.equal(names.filter((name) => name.startsWith("ld-linux-")).length, 1);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});
