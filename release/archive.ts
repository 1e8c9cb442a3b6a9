import { createHash } from "node:crypto";
import { mustRun } from "./command.ts";

/** Make the archive independent of the machine. */
const TAR = [
  ...["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--format=gnu"],
  ...["--mode=u=rwX,go=rX", "--use-compress-program", "gzip --no-name"],
];

/** Packs a folder under its own name, reproducibly. */
export async function packFolder(
  folder: string,
  { archive, epochSeconds }: { archive: string; epochSeconds: number },
): Promise<void> {
  const [, parent, name] = /^(.*)\/([^/]+)\/?$/.exec(folder) ?? [];
  if (parent === undefined || name === undefined) throw new Error(`Cannot pack "${folder}"`);
  const place = ["--create", "--file", archive, "--directory", parent];
  await mustRun("tar", [...place, ...TAR, `--mtime=@${epochSeconds}`, name]);
}

export function checksums(folder: string, names: readonly string[]): string {
  return [...names].sort().map((name) => {
    const digest = createHash("sha256").update(Deno.readFileSync(`${folder}/${name}`));
    return `${digest.digest("hex")}  ${name}\n`;
  }).join("");
}

export function setTimes(folder: string, epochSeconds: number): void {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) setTimes(path, epochSeconds);
    Deno.utimeSync(path, epochSeconds, epochSeconds);
  }
}
