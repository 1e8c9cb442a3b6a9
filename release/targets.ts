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
