import { runCommand } from "./command.ts";

/** Where a build comes from: what its version says, and the time that its files bear. */
export interface Origin {
  /** Twelve digits of the commit, with `-dirty` where files differ from it; or "unknown". */
  readonly commit: string;
  /** Seconds since 1970: of the commit, so that the same sources give the same files. */
  readonly epochSeconds: number;
}

/** The time of files whose commit is unknown: 1 January 1980, the first that every format can hold. */
const UNKNOWN_EPOCH_SECONDS = 315_532_800;
const COMMIT = /^([0-9a-f]{7,64})(-dirty)?$/;
const COMMIT_DIGITS = 12;

/**
 * Reads the origin of the sources in `root`.
 *
 * The environment goes before git, for builds that have the sources without it: `NODENS_COMMIT` and
 * `SOURCE_DATE_EPOCH`. Throws for values there that are none.
 */
export async function readOrigin(
  root: string,
  env: (name: string) => string | undefined = (name) => Deno.env.get(name),
): Promise<Origin> {
  const commit = env("NODENS_COMMIT") || await readCommit(root);
  const epoch = env("SOURCE_DATE_EPOCH") || await readTime(root, commit);
  const [, digits, dirty = ""] = COMMIT.exec(commit) ?? [];
  if (digits === undefined && commit !== "unknown") {
    throw new Error(`Cannot use NODENS_COMMIT "${commit}": it is no commit (git rev-parse HEAD)`);
  }
  if (!/^[0-9]{1,11}$/.test(epoch)) {
    throw new Error(`Cannot use SOURCE_DATE_EPOCH "${epoch}": it is no number of seconds`);
  }
  return {
    commit: digits === undefined ? "unknown" : digits.slice(0, COMMIT_DIGITS) + dirty,
    epochSeconds: Number(epoch),
  };
}

async function readCommit(root: string): Promise<string> {
  // A folder without git inside another's checkout has no commit of its own.
  if (await git(root, "rev-parse", "--show-prefix") !== "") return "unknown";
  const commit = await git(root, "rev-parse", "HEAD");
  if (commit === null) return "unknown";
  const changes = await git(root, "status", "--porcelain");
  return changes === "" ? commit : `${commit}-dirty`;
}

async function readTime(root: string, commit: string): Promise<string> {
  const [, digits] = COMMIT.exec(commit) ?? [];
  const time = digits === undefined
    ? null
    : await git(root, "show", "--no-patch", "--format=%ct", digits);
  return time ?? String(UNKNOWN_EPOCH_SECONDS);
}

/** What git says; null where it cannot, for want of git or of a checkout. */
async function git(root: string, ...args: string[]): Promise<string | null> {
  try {
    const { ok, stdout } = await runCommand("git", args, { cwd: root });
    return ok ? stdout.trim() : null;
  } catch {
    return null;
  }
}
