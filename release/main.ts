/**
 * Makes a release in dist/ (or `--output FOLDER`): for each kind of machine an archive with the
 * executable and a Debian package, a bill of materials, and checksums of them all.
 *
 * Where the runtime to embed cannot be downloaded there is no executable. Then everything else is
 * done and checked all the same, with a stand-in that is thrown away, and the last lines say what
 * was not.
 */
import manifest from "../deno.json" with { type: "json" };
import { checksums, packFolder } from "./archive.ts";
import { mustRun, say } from "./command.ts";
import { compileOnce, NO_RUNTIME, ROOT } from "./compile.ts";
import { debianName, type DebianPackage, packDebian } from "./debian.ts";
import { readGraph } from "./graph.ts";
import { type Origin, readOrigin } from "./origin.ts";
import { noticeText, readPackages } from "./packages.ts";
import { billOfMaterials } from "./sbom.ts";
import { type Target, TARGETS } from "./targets.ts";

/** What lies beside the executable. */
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
  say(`nodens ${version}, commit ${origin.commit}, deno ${Deno.version.deno}`);
  if (!/^[0-9a-f]+$/.test(origin.commit)) {
    say(`NOT FOR PUBLISHING: these sources are no commit (${origin.commit}).`);
  }

  const made: string[] = [];
  const notRun: string[] = [];
  let runnable = true;
  for (const target of TARGETS) {
    const name = `nodens-${version}-linux-${target.machine}`;
    const folder = `${work}/${name}`;
    Deno.mkdirSync(folder);
    const executable = `${folder}/nodens`;
    const staging = `${work}/${target.machine}`;
    const compiled = await compileOnce(staging, { graph, origin, target, output: executable });
    runnable &&= compiled.runnable;
    if (target.machine !== Deno.build.arch) notRun.push(target.machine);
    // The stand-in is packed only to see that packing works.
    if (!compiled.runnable) Deno.truncateSync(executable, STAND_IN_BYTES);
    say(`${target.machine}: ${graph.modules.length} modules and ${packages.length} packages`);
    for (const file of BESIDE) Deno.copyFileSync(ROOT + file, `${folder}/${file}`);
    Deno.mkdirSync(`${folder}/systemd`);
    for (const { name: unit } of Deno.readDirSync(ROOT + UNITS)) {
      Deno.copyFileSync(`${ROOT}${UNITS}/${unit}`, `${folder}/systemd/${unit}`);
    }
    const notices = noticeText(packages);
    Deno.writeTextFileSync(`${folder}/THIRD_PARTY_NOTICES`, notices);
    made.push(await pack(folder, { work, origin, target }));
    const { epochSeconds } = origin;
    const debian = { root: ROOT, executable, notices, target, version, epochSeconds };
    made.push(await packTwice(debian, work));
  }
  const bom = `nodens-${version}.cdx.json`;
  const runtime = { deno: Deno.version.deno, v8: Deno.version.v8 };
  const { imported } = graph;
  const text = billOfMaterials({ version, origin, packages, imported, runtime });
  Deno.writeTextFileSync(`${work}/${bom}`, text);
  made.push(bom);
  Deno.writeTextFileSync(`${work}/${SUMS}`, checksums(work, made));
  await mustRun("sha256sum", ["--check", "--strict", SUMS], { cwd: work });

  // A release is there as a whole or not at all; what is left is what this machine can make.
  const names = runnable ? [...made, SUMS] : [bom];
  Deno.mkdirSync(output, { recursive: true });
  for (const name of names) Deno.copyFileSync(`${work}/${name}`, `${output}/${name}`);
  say(`Made in ${output}: ${names.join(", ")}`);
  if (!runnable) {
    const missing = [...made, SUMS].filter((name) => name !== bom).join(", ");
    say(`NOT MADE: ${missing}, since ${NO_RUNTIME}.`);
    say("Checked with Deno itself in its place: what is embedded, archives, checksums.");
    say("Not checked: that the executables start and answer.");
  } else if (notRun.length > 0) {
    say(
      `Not checked: that the executables for ${notRun.join(", ")} start; this machine is another.`,
    );
  }
}

/** Packs a folder twice, since an archive that differs the second time cannot be made again. */
async function pack(
  folder: string,
  { work, origin, target }: { work: string; origin: Origin; target: Target },
): Promise<string> {
  const name = `${folder.slice(folder.lastIndexOf("/") + 1)}.tar.gz`;
  const again = `${target.machine}.again`;
  const { epochSeconds } = origin;
  for (const file of [name, again]) {
    await packFolder(folder, { archive: `${work}/${file}`, epochSeconds });
  }
  const [first, second] = [name, again].map((file) => checksums(work, [file]).split(" ")[0]);
  if (first !== second) throw new Error(`Cannot pack ${name}: it differs the second time`);
  Deno.removeSync(`${work}/${again}`);
  return name;
}

/** Makes a Debian package twice, for the same reason. */
async function packTwice(debian: DebianPackage, work: string): Promise<string> {
  const name = debianName(debian);
  const digests: string[] = [];
  for (const file of [`${name}.again`, name]) {
    await packDebian(debian, { work: `${work}/${file}.tree`, file: `${work}/${file}` });
    Deno.removeSync(`${work}/${file}.tree`, { recursive: true });
    digests.push(checksums(work, [file]).split(" ")[0]!);
  }
  Deno.removeSync(`${work}/${name}.again`);
  if (digests[0] !== digests[1]) throw new Error(`Cannot pack ${name}: it differs the second time`);
  return name;
}

if (import.meta.main) await main(Deno.args);
