/** A kind of machine that nodens is made for. */
export interface Target {
  /** As `uname -m` says it; part of the archive's name. */
  readonly machine: string;
  /** As `deno compile --target` wants it. */
  readonly triple: string;
  /** As Debian says it. */
  readonly debian: string;
}

/** Every kind of machine that a release has an archive for. */
export const TARGETS: readonly Target[] = ([["x86_64", "amd64"], ["aarch64", "arm64"]] as const)
  .map(([machine, debian]) => ({
    machine,
    debian,
    triple: `${machine}-unknown-linux-gnu`,
  }));

/** The target of this machine. Throws where a release has none for it. */
export function ownTarget(): Target {
  const { os, arch } = Deno.build;
  const own = TARGETS.find(({ machine }) => os === "linux" && machine === arch);
  if (own !== undefined) return own;
  const names = TARGETS.map(({ machine }) => machine).join(", ");
  throw new Error(`Cannot compile for ${os} on ${arch}: linux on ${names} will do`);
}
