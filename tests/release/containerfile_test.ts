import assert from "node:assert/strict";
import type { Copy, From, Instruction, JSONInstruction, Label } from "dockerfile-ast";
import { DockerfileParser } from "dockerfile-ast";
import { validate } from "dockerfile-utils";
import manifest from "../../deno.json" with { type: "json" };
import { IMAGE } from "../support/containers/image_root.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const TEXT = Deno.readTextFileSync(`${ROOT}Containerfile`);

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

function instructionsOf(stage: string, keyword: string): Instruction[] {
  const { instructions } = STAGES.find(({ name }) => name === stage)!;
  return instructions.filter((one) => one.getKeyword() === keyword);
}

function all(stage: string, keyword: string): string[] {
  return instructionsOf(stage, keyword).map((one) => one.getArgumentsContent() ?? "");
}

function json(stage: string, keyword: string): string[] {
  const [one] = instructionsOf(stage, keyword) as JSONInstruction[];
  return one!.getJSONStrings().map((part) => part.getJSONValue());
}

function copies(stage: string): { from: string | undefined; sources: string[] }[] {
  return instructionsOf(stage, "COPY").map((one) => {
    const from = (one as Copy).getFlags().find((flag) => flag.getName() === "from")?.getValue() ??
      undefined;
    const sources = one.getArguments().map((part) => part.getValue()).slice(0, -1);
    return { from, sources };
  });
}

Deno.test("Containerfile: a linter finds no faults", () => {
  const found = validate(TEXT).map(({ range, message }) => `${range.start.line + 1}: ${message}`);
  assert.deepEqual(found, []);
});

Deno.test("Containerfile: the linter detects faults", () => {
  const wrong = TEXT.replace("ENTRYPOINT", "ENTRYPONT").replace("EXPOSE 53/udp", "EXPOSE 53/upd");
  assert.equal(validate(wrong).length, 2);
});

Deno.test("Containerfile: every base has a tag with a version or variant, and a digest", () => {
  for (const { name, image } of STAGES) {
    assert.match(image, /^[a-z0-9.]+\.[a-z]+\/[a-z0-9/-]+:[\w.-]+@sha256:[0-9a-f]{64}$/, name);
    assert.doesNotMatch(image, /:(latest|debug|stable)[@-]/, name);
  }
  assert.deepEqual(STAGES.map(({ name }) => name), ["deno", "build", "node", "nodens"]);
});

Deno.test("Containerfile: the images have the same Debian, and the Deno of the tests", () => {
  const image = (stage: string) => STAGES.find(({ name }) => name === stage)!.image;
  assert.match(image("build"), /debian:trixie-slim@/);
  assert.match(image("nodens"), /\/cc-debian13:nonroot@/);
  assert.match(image("node"), /\/distroless-iptables:v0\.9\./);
  const ci = Deno.readTextFileSync(`${ROOT}.ci/run`);
  const version = /^deno_version=(\S+)$/m.exec(ci)![1]!;
  assert.ok(image("deno").includes(`/deno:${version}@`), version);
});

Deno.test("Containerfile: sources of COPY exist, and .dockerignore allows them", () => {
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

Deno.test("Containerfile: the executable is in PATH, and is run directly", () => {
  for (const stage of ["nodens", "node"]) {
    assert.deepEqual(json(stage, "ENTRYPOINT"), [IMAGE.executable], stage);
    assert.deepEqual(all(stage, "RUN"), [], `${stage}: there is no shell to run anything with`);
    const built = copies(stage).filter(({ from }) => from === "build");
    assert.ok(built.some(({ sources }) => sources[0] === "/build/dist/nodens"), stage);
    assert.deepEqual(all(stage, "ENV"), [`PATH=${IMAGE.path}`, "DENO_DIR=/deno-dir"], stage);
    assert.deepEqual(all(stage, "EXPOSE"), ["53/udp 53/tcp"], stage);
  }
  assert.deepEqual(all("nodens", "USER"), ["65532:65532"]);
  assert.deepEqual(all("node", "USER"), ["0:0"]);
  const health = `CMD ["${IMAGE.executable}", "healthcheck"]`;
  assert.ok(all("nodens", "HEALTHCHECK")[0]!.endsWith(health));
});

Deno.test("Containerfile: labels describe the images, with the version of deno.json", () => {
  for (const stage of ["nodens", "node"]) {
    const { image } = STAGES.find(({ name }) => name === stage)!;
    const prefix = "org.opencontainers.image.";
    const said = Object.fromEntries(
      instructionsOf(stage, "LABEL").flatMap((one) => (one as Label).getProperties())
        .map((property) => [property.getName().slice(prefix.length), property.getValue()]),
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

Deno.test("Containerfile: images are compiled like releases, with the same permissions", () => {
  const [compile] = all("build", "RUN");
  assert.match(compile!, /\bdeno task compile && test -x dist\/nodens$/);
  assert.doesNotMatch(TEXT, /deno compile|--allow-/, "rights are given in one place");
});
