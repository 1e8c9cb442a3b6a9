import { createHash } from "node:crypto";
import { mustRun } from "./command.ts";

/** Options of tar that leave nothing to the machine: order, times, owners, and no extras. */
const TAR = ["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--format=gnu"];

/**
 * Packs a folder by the system's tar and gzip, under its own name.
 *
 * The same files give the same archive, byte for byte: every file bears `epochSeconds`, and gzip
 * neither name nor time. Throws with tar's words where it fails.
 */
export async function packFolder(
  folder: string,
  options: { archive: string; epochSeconds: number },
): Promise<void> {
  const { archive, epochSeconds } = options;
  const [, parent, name] = /^(.*)\/([^/]+)\/?$/.exec(folder) ?? [];
  if (parent === undefined || name === undefined) throw new Error(`Cannot pack "${folder}"`);
  const times = [`--mtime=@${epochSeconds}`];
  // Rights as they are for everybody who unpacks it, whatever this machine's umask is.
  const mode = ["--mode=u=rwX,go=rX"];
  const compress = ["--use-compress-program", "gzip --no-name"];
  await mustRun("tar", [
    ...["--create", "--file", archive, "--directory", parent],
    ...[...TAR, ...times, ...mode, ...compress, name],
  ]);
}

/** Lines of SHA256SUMS for files of a folder, as `sha256sum --check` reads them. */
export function checksums(folder: string, names: readonly string[]): string {
  return [...names].sort().map((name) => {
    const digest = createHash("sha256").update(Deno.readFileSync(`${folder}/${name}`));
    return `${digest.digest("hex")}  ${name}\n`;
  }).join("");
}
