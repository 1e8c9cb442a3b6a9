import { type CommandResult, type RunCommand, TIMED_OUT } from "./command.ts";
import type { Family } from "./rule_text.ts";
import { parseSaved, type SavedRules } from "./saved_rules.ts";
import { type Change, restoreInput } from "./transaction.ts";

/** Time that iptables-restore waits for the lock, in seconds. */
export const LOCK_WAIT_SECONDS = 5;
/** The same at stop, where all must be done within seconds. */
export const LOCK_WAIT_AT_STOP_SECONDS = 1;
/** A node with 50,000 rules and a tenth of a processor takes some seconds. */
const SAVE_LIMIT_MS = 20_000;
/** Added to the wait for the lock, since a large table takes its time. */
const RESTORE_LIMIT_MS = 20_000;

/** Why rules cannot be read or changed. */
export type IptablesFault =
  /** There is no iptables. */
  | "missing"
  /** CAP_NET_ADMIN is missing. */
  | "permission"
  /** Others held the lock for too long. */
  | "lock"
  /** Others change the same rules, or the machine is too slow. */
  | "busy"
  | "other";

/** Rules cannot be read or changed; the message says why and what would do. */
export class IptablesError extends Error {
  readonly fault: IptablesFault;

  constructor(fault: IptablesFault, message: string) {
    super(message);
    this.fault = fault;
  }
}

/** One of the two kinds of iptables, as it is now. */
export interface Backend {
  readonly name: "nft" | "legacy" | "default";
  readonly saved: SavedRules;
}

/** Both kinds, and which of them the node uses. */
export interface Backends {
  readonly used: Backend;
  /** The other one, where it has any rule; else null. */
  readonly other: Backend | null;
  /** Why this one. */
  readonly reason: string;
  /** Why the other one, which the rules were never in, cannot be read; null if it can. */
  readonly unread: string | null;
}

/** How commands are run. */
export interface RunOptions {
  readonly run: RunCommand;
  /** Ends them early. */
  readonly signal?: AbortSignal;
}

/** Chains that kubelet and kube-proxy make in the backend that they use. */
const HINT = / KUBE-(IPTABLES-HINT|KUBELET-CANARY|PROXY-CANARY)$/;

/** What a kernel says that has no nf_tables, or no nfnetlink at all. */
const NO_SUCH_BACKEND =
  /protocol not supported|address family not supported|generation id: invalid argument/i;

/**
 * Reads the rules of one family in both backends, and finds the one that the node uses: that of
 * kubelet and kube-proxy, else the one with more rules, else what the command `iptables` is.
 *
 * A backend that is there and cannot be read is an error: the other one would seem to be the only
 * one, and rules would be in both. Once it is known which one the rules are in (`known`), that one
 * must be readable, and where the other one is not, nothing is changed about the choice.
 *
 * Throws `IptablesError`.
 */
export async function readBackends(
  family: Family,
  { run, signal, known = new Set() }: RunOptions & { known?: ReadonlySet<Backend["name"]> },
): Promise<Backends> {
  const failures: IptablesError[] = [];
  const absent: IptablesError[] = [];
  const backends: Backend[] = [];
  for (const name of ["nft", "legacy", "default"] as const) {
    // The command without a name is one of the two, so it is read only where neither is there.
    const isAlias = name === "default";
    if (isAlias && backends.length + failures.length + absent.length > 0) break;
    const command = commandOf(family, name, "save");
    const saved = await readSaved(command, { run, ...withSignal(signal) });
    const isKnown = known.has(name);
    if (saved === null) {
      if (isKnown) throw new IptablesError("missing", `${command} was there and is gone`);
    } else if (!(saved instanceof IptablesError)) {
      backends.push({ name, saved });
    } else if (isKnown) {
      throw saved;
    } else {
      (NO_SUCH_BACKEND.test(saved.message) ? absent : failures).push(saved);
    }
  }
  const [first, second] = backends;
  const failure = failures.find(({ fault }) => fault === "permission") ?? failures[0];
  if (first !== undefined && failure !== undefined && known.has(first.name)) {
    return { used: first, other: null, reason: "the rules are in it", unread: failure.message };
  }
  if (failure !== undefined) throw failure;
  if (first === undefined) {
    throw absent[0] ?? new IptablesError(
      "missing",
      `there is no ${
        commandOf(family, "default", "save")
      }: install iptables (the image has it), or switch the rules off with -setupiptables=false`,
    );
  }
  if (second === undefined) {
    return { used: first, other: null, reason: "it is the only one", unread: null };
  }
  return await choose([first, second], family, { run, ...withSignal(signal) });
}

/** The rules of one backend; null if there is no such command. */
async function readSaved(
  command: string,
  { run, signal }: RunOptions,
): Promise<SavedRules | IptablesError | null> {
  const options = { args: [], timeoutMs: SAVE_LIMIT_MS, ...withSignal(signal) };
  const result = await run(command, options);
  if (result === null) return null;
  if (result.code !== 0) return failureOf(command, result);
  const saved = parseSaved(result.stdout);
  return saved ?? new IptablesError("other", `${command} printed only a part of the rules`);
}

async function choose(
  [nft, legacy]: readonly [Backend, Backend],
  family: Family,
  { run, signal }: RunOptions,
): Promise<Backends> {
  const pick = (used: Backend, reason: string): Backends => {
    const other = used === nft ? legacy : nft;
    return { used, other: other.saved.rules.length > 0 ? other : null, reason, unread: null };
  };
  const hinted = [nft, legacy].filter(({ saved }) => [...saved.chains].some((at) => HINT.test(at)));
  if (hinted.length === 1) return pick(hinted[0]!, "kubelet or kube-proxy use it");
  const [ofNft, ofLegacy] = [nft.saved.rules.length, legacy.saved.rules.length];
  if (ofNft !== ofLegacy) {
    return pick(
      ofNft > ofLegacy ? nft : legacy,
      `it has more rules (${ofNft} in nft, ${ofLegacy}` +
        " in legacy)",
    );
  }
  const command = commandOf(family, "default", "save");
  const options = { args: ["-V"], timeoutMs: SAVE_LIMIT_MS, ...withSignal(signal) };
  const result = await run(command, options);
  if (result !== null && result.code !== 0) throw failureOf(command, result);
  const isLegacy = result !== null && /legacy/.test(result.stdout);
  return pick(isLegacy ? legacy : nft, `${command} is of this kind`);
}

/** The command that puts changes in, with its arguments. */
export function restoreCommand(
  family: Family,
  backend: Backend["name"],
  lockWaitSeconds: number = LOCK_WAIT_SECONDS,
): string[] {
  const command = commandOf(family, backend, "restore");
  return [command, "--noflush", "-w", String(lockWaitSeconds)];
}

/** Changes of one family in one backend. */
export interface BackendChanges {
  readonly family: Family;
  readonly backend: Backend["name"];
  readonly changes: readonly Change[];
}

/** Makes the changes, all of a table or none. Throws `IptablesError`. */
export async function applyChanges(
  { family, backend, changes }: BackendChanges,
  { run, signal, lockWaitSeconds = LOCK_WAIT_SECONDS }: RunOptions & { lockWaitSeconds?: number },
): Promise<void> {
  const [command = "", ...args] = restoreCommand(family, backend, lockWaitSeconds);
  const input = restoreInput(changes);
  const timeoutMs = lockWaitSeconds * 1000 + RESTORE_LIMIT_MS;
  const result = await run(command, { args, input, timeoutMs, ...withSignal(signal) });
  if (result === null) {
    throw new IptablesError("missing", `there is no ${command} beside the other`);
  }
  if (result.code !== 0) throw failureOf(command, result);
}

/** A command that takes rules out by hand, for the log. */
export function removalCommand(family: Family, backend: Backend["name"]): string {
  const save = commandOf(family, backend, "save");
  const restore = commandOf(family, backend, "restore");
  return `${save} | grep -v -e "NodeLocal DNS Cache" -e "nodens: " | ${restore}`;
}

function withSignal(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

function commandOf(family: Family, backend: Backend["name"], what: "save" | "restore"): string {
  const program = family === 4 ? "iptables" : "ip6tables";
  return backend === "default" ? `${program}-${what}` : `${program}-${backend}-${what}`;
}

function failureOf(command: string, { code, stderr }: CommandResult): IptablesError {
  const said = stderr.split("\n").map((line) => line.trim())
    .filter((line) => line !== "" && !/^(Try `|# )/.test(line)).join("; ").slice(0, 500);
  if (/holding the xtables lock|can't lock .*temporarily/i.test(stderr)) {
    return new IptablesError(
      "lock",
      `another program holds the xtables lock, which ${command} needs (find it with` +
        ' "fuser -v /run/xtables.lock")',
    );
  }
  if (/can't open lock file/i.test(stderr)) {
    return new IptablesError(
      "permission",
      `${command} cannot use its lock file: ${said} (mount /run/xtables.lock of the host)`,
    );
  }
  if (/permission denied|operation not permitted|must be root/i.test(stderr)) {
    return new IptablesError(
      "permission",
      `${command} may not: ${said} (nodens needs the capability NET_ADMIN, or` +
        " -setupiptables=false)",
    );
  }
  if (code === TIMED_OUT) {
    return new IptablesError(
      "busy",
      `${command} took too long and was killed (run it by hand to see what it waits for)`,
    );
  }
  // The legacy one says no more than this for either reason.
  const hint = /unable to initialize table/.test(stderr)
    ? " (nodens needs the capability NET_ADMIN, and the kernel this table)"
    : "";
  return new IptablesError("other", `${command} failed (${code}): ${said}${hint}`);
}
