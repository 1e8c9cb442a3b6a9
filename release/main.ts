/**
 * Builds a release in dist/ (or `--output FOLDER`): an archive and a Debian package per machine
 * type, a bill of materials, and checksums.
 *
 * If the runtime cannot be downloaded, a stand-in replaces the executable: only the bill of
 * materials is published, and the last lines list what is missing.
 */
import manifest from "../deno.json" with { type: "json" };
import { checksums, packFolder } from "./archive.ts";
import { mustRun, say } from "./command.ts";
import { compileOnce, NO_RUNTIME, ROOT, TARGETS } from "./compile.ts";
import { debianName, packDebian } from "./debian.ts";
import { readGraph } from "./graph.ts";
import { readOrigin } from "./origin.ts";
import { billOfMaterials, noticeText, readPackages } from "./sbom.ts";

const BESIDE = ["CHANGELOG.md", "Corefile.example", "LICENSE", "README.md"];
const UNITS = "deploy/systemd";
const STAND_IN_BYTES = 1024 * 1024;
const SUMS = "SHA256SUMS";

async function main(args: readonly string[]): Promise<void> {
  const output = readOutput(args);
  const work = Deno.makeTempDirSync({ prefix: "nodens_release_" });
  try {
    await release(output, work);
  } finally {
    Deno.removeSync(work, { recursive: true });
  }
}

function readOutput(args: readonly string[]): string {
  if (args.length === 0) return `${ROOT}dist`;
  const [flag, folder, more] = args;
  if (flag === "--output" && folder !== undefined && more === undefined) return folder;
  say("Usage: deno task release [--output FOLDER]");
  Deno.exit(2);
}

async function release(output: string, work: string): Promise<void> {
  const graph = await readGraph(ROOT);
  const origin = await readOrigin(ROOT);
  const packages = readPackages(ROOT, graph);
  const { version } = manifest;
  const { epochSeconds } = origin;
  say(`nodens ${version}, commit ${origin.commit}, deno ${Deno.version.deno}`);
  if (!/^[0-9a-f]+$/.test(origin.commit)) {
    say(`NOT FOR PUBLISHING: these sources are no commit (${origin.commit}).`);
  }

  const made: string[] = [];
  let runnable = true;
  for (const target of TARGETS) {
    const name = `nodens-${version}-linux-${target.machine}`;
    const folder = `${work}/${name}`;
    const executable = `${folder}/nodens`;
    Deno.mkdirSync(`${folder}/systemd`, { recursive: true });
    const staging = `${work}/${target.machine}`;
    const runs = await compileOnce(staging, { graph, origin, target, output: executable });
    runnable &&= runs;
    if (!runs) Deno.truncateSync(executable, STAND_IN_BYTES);
    say(`${target.machine}: ${graph.modules.length} modules and ${packages.length} packages`);
    for (const file of BESIDE) Deno.copyFileSync(ROOT + file, `${folder}/${file}`);
    for (const { name: unit } of Deno.readDirSync(ROOT + UNITS)) {
      Deno.copyFileSync(`${ROOT}${UNITS}/${unit}`, `${folder}/systemd/${unit}`);
    }
    const notices = noticeText(packages);
    Deno.writeTextFileSync(`${folder}/THIRD_PARTY_NOTICES`, notices);
    const archive = `${name}.tar.gz`;
    await makeTwice(archive, work, (archive) => packFolder(folder, { archive, epochSeconds }));
    const debian = { root: ROOT, executable, notices, target, version, epochSeconds };
    await makeTwice(debianName(debian), work, async (file) => {
      await packDebian(debian, { work: `${file}.tree`, file });
      Deno.removeSync(`${file}.tree`, { recursive: true });
    });
    made.push(archive, debianName(debian));
  }
  const bom = `nodens-${version}.cdx.json`;
  const runtime = { deno: Deno.version.deno, v8: Deno.version.v8 };
  const { imported } = graph;
  const text = billOfMaterials({ version, origin, packages, imported, runtime });
  Deno.writeTextFileSync(`${work}/${bom}`, text);
  made.push(bom);
  Deno.writeTextFileSync(`${work}/${SUMS}`, checksums(work, made));
  await mustRun("sha256sum", ["--check", "--strict", SUMS], { cwd: work });

  const names = runnable ? [...made, SUMS] : [bom];
  Deno.mkdirSync(output, { recursive: true });
  for (const name of names) Deno.copyFileSync(`${work}/${name}`, `${output}/${name}`);
  say(`Made in ${output}: ${names.join(", ")}`);
  if (!runnable) {
    const missing = [...made, SUMS].filter((name) => name !== bom).join(", ");
    say(`NOT MADE: ${missing}, since ${NO_RUNTIME}.`);
    say("Checked with Deno itself in its place: what is embedded, archives, checksums.");
    say("Not checked: that the executables start and answer.");
    return;
  }
  const others = TARGETS.map(({ machine }) => machine).filter((one) => one !== Deno.build.arch);
  say(`Not checked: that the executables for ${others.join(", ")} start; this machine is another.`);
}

async function makeTwice(
  name: string,
  work: string,
  make: (file: string) => Promise<void>,
): Promise<void> {
  const digests: string[] = [];
  for (const file of [`${name}.again`, name]) {
    await make(`${work}/${file}`);
    digests.push(checksums(work, [file]).split(" ")[0]!);
  }
  Deno.removeSync(`${work}/${name}.again`);
  if (digests[0] !== digests[1]) throw new Error(`Cannot pack ${name}: it differs the second time`);
}

if (import.meta.main) await main(Deno.args);
