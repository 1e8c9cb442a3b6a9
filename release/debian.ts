/** Debian packages. They start nothing: port 53 may be in use, and the Corefile is missing. */
import { gzipSync } from "node:zlib";
import { COMMANDS } from "../src/cli/commands.ts";
import { SCRIPTS } from "../src/cli/shell/scripts.ts";
import { manualPage } from "../src/cli/shell/man.ts";
import { VERSION } from "../src/cli/version.ts";
import { setTimes } from "./archive.ts";
import { mustRun } from "./command.ts";
import type { Target } from "./compile.ts";

const LOCAL = "/usr/local/bin/nodens";
const PACKAGED = "/usr/bin/nodens";

export interface DebianPackage {
  root: string;
  executable: string;
  notices: string;
  target: Target;
  version: string;
  epochSeconds: number;
}

export function debianName({ version, target }: Pick<DebianPackage, "version" | "target">): string {
  return `nodens_${version}_${target.debian}.deb`;
}

/** Builds a package in the new folder `work`, reproducibly. */
export async function packDebian(
  made: DebianPackage,
  { work, file }: { work: string; file: string },
): Promise<void> {
  const { root, executable, epochSeconds } = made;
  const read = (path: string) => Deno.readTextFileSync(root + path);
  const unit = (name: string) => read(`deploy/systemd/${name}`).replaceAll(LOCAL, PACKAGED);
  const texts: Record<string, string | Uint8Array> = {
    "usr/lib/systemd/system/nodens.service": unit("nodens.service"),
    "usr/lib/systemd/system/nodens.socket": unit("nodens.socket"),
    "usr/lib/sysusers.d/nodens.conf": read("deploy/systemd/nodens.sysusers"),
    "usr/share/man/man1/nodens.1.gz": packed(manualPage(COMMANDS, VERSION)),
    "usr/share/bash-completion/completions/nodens": SCRIPTS.bash,
    "usr/share/zsh/vendor-completions/_nodens": SCRIPTS.zsh,
    "usr/share/fish/vendor_completions.d/nodens.fish": SCRIPTS.fish,
    "usr/share/doc/nodens/copyright":
      `Copyright ${new Date(1000 * epochSeconds).getUTCFullYear()} ${AUTHORS}\n\n` +
      `nodens is under the Apache License 2.0, which is in ` +
      `/usr/share/common-licenses/Apache-2.0.\n\n${made.notices}`,
    "usr/share/doc/nodens/changelog.gz": packed(changelog(made)),
    "usr/share/doc/nodens/CHANGELOG.md.gz": packed(read("CHANGELOG.md")),
    "usr/share/doc/nodens/examples/Corefile": read("Corefile.example"),
  };
  // Files and folders must be world-readable.
  const umask = Deno.umask(0o022);
  for (const [path, text] of Object.entries(texts)) put(`${work}/${path}`, text);
  put(`${work}${PACKAGED}`, Deno.readFileSync(executable), 0o755);
  const kilobytes = Math.ceil(Deno.statSync(executable).size / 1024);
  put(`${work}/DEBIAN/control`, control(made, kilobytes));
  for (const name of ["postinst", "prerm", "postrm"]) {
    put(`${work}/DEBIAN/${name}`, read(`deploy/debian/${name}`), 0o755);
  }
  Deno.umask(umask);
  setTimes(work, epochSeconds);
  await mustRun("dpkg-deb", ["--build", "--root-owner-group", "-Zxz", work, file], {
    env: { SOURCE_DATE_EPOCH: String(epochSeconds) },
  });
}

const AUTHORS = "The nodens authors";
const MAINTAINER = `${AUTHORS} <nodens@localhost>`;

function changelog({ version, epochSeconds }: DebianPackage): string {
  const date = new Date(1000 * epochSeconds).toUTCString().replace("GMT", "+0000");
  return `nodens (${version}) unstable; urgency=medium

  * Changes are in CHANGELOG.md.gz beside this file.

 -- ${MAINTAINER}  ${date}
`;
}

const DEPENDS = "libc6 (>= 2.27), libgcc-s1, systemd | systemd-standalone-sysusers";

function control({ version, target }: DebianPackage, kilobytes: number): string {
  return `Package: nodens
Version: ${version}
Architecture: ${target.debian}
Maintainer: ${MAINTAINER}
Installed-Size: ${kilobytes}
Depends: ${DEPENDS}
Suggests: iptables
Section: net
Priority: optional
Description: DNS cache for every node
 Serves CoreDNS's configuration as a cache in front of other servers, on a host
 or on the nodes of a Kubernetes cluster. It starts once /etc/nodens/Corefile is
 there and the service is enabled: systemctl enable --now nodens.service
`;
}

function packed(text: string): Uint8Array {
  return gzipSync(text, { level: 9 });
}

function put(path: string, content: string | Uint8Array, mode = 0o644): void {
  Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  Deno.writeFileSync(path, bytes, { mode });
}
