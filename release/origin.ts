import { runCommand } from "./command.ts";

export interface Origin {
  /** Twelve digits, with `-dirty` for changed files; or "unknown". */
  readonly commit: string;
  /** Given to all files. */
  readonly epochSeconds: number;
}

/** 1 January 1980: the earliest time in every format. */
const UNKNOWN_EPOCH_SECONDS = 315_532_800;
const COMMIT = /^([0-9a-f]{7,64})(-dirty)?$/;
const COMMIT_DIGITS = 12;

/**
 * Reads the origin from git or, without it, `NODENS_COMMIT` and `SOURCE_DATE_EPOCH`. Throws if
 * these are invalid.
 */
export async function readOrigin(
  root: string,
  env: (name: string) => string | undefined = (name) => Deno.env.get(name),
): Promise<Origin> {
  const commit = env("NODENS_COMMIT") || await readCommit(root);
  const [, digits, dirty = ""] = COMMIT.exec(commit) ?? [];
  if (digits === undefined && commit !== "unknown") {
    throw new Error(
      `Cannot use NODENS_COMMIT "${commit}": it is not a commit (git rev-parse HEAD)`,
    );
  }
  const time = digits && await git(root, "show", "--no-patch", "--format=%ct", digits);
  const epoch = env("SOURCE_DATE_EPOCH") || (time ?? String(UNKNOWN_EPOCH_SECONDS));
  if (!/^[0-9]{1,11}$/.test(epoch)) {
    throw new Error(`Cannot use SOURCE_DATE_EPOCH "${epoch}": it is not a number of seconds`);
  }
  return {
    commit: digits === undefined ? "unknown" : digits.slice(0, COMMIT_DIGITS) + dirty,
    epochSeconds: Number(epoch),
  };
}

async function readCommit(root: string): Promise<string> {
  // A folder inside another checkout has no commit.
  if (await git(root, "rev-parse", "--show-prefix") !== "") return "unknown";
  const commit = await git(root, "rev-parse", "HEAD");
  if (commit === null) return "unknown";
  return await git(root, "status", "--porcelain") === "" ? commit : `${commit}-dirty`;
}

async function git(root: string, ...args: string[]): Promise<string | null> {
  try {
    const { ok, stdout } = await runCommand("git", args, { cwd: root });
    return ok ? stdout.trim() : null;
  } catch {
    return null;
  }
}
