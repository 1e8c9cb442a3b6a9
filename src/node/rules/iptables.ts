import { type CommandResult, type RunCommand, TIMED_OUT } from "./command.ts";
import { type Family, parseSaved, type SavedRules } from "./rule_text.ts";
import { type Change, restoreInput } from "./transaction.ts";

/** Seconds that iptables-restore waits for the lock. */
export const LOCK_WAIT_SECONDS = 5;
/** Shorter at stop. */
export const LOCK_WAIT_AT_STOP_SECONDS = 1;
/** 50,000 rules take seconds at 0.1 CPU. */
const COMMAND_LIMIT_MS = 20_000;

/** Kind of error; "busy": concurrent changes, or a hanging command. */
export type IptablesFault = "missing" | "permission" | "lock" | "busy" | "other";

/** An iptables error with cause and remedy. */
export class IptablesError extends Error {
  readonly fault: IptablesFault;

  constructor(fault: IptablesFault, message: string) {
    super(message);
    this.fault = fault;
  }
}

/** Kind of iptables, or the command `iptables`. */
export type BackendName = "nft" | "legacy" | "default";

/** One kind of iptables. */
export interface Backend {
  readonly name: BackendName;
  readonly saved: SavedRules;
}

/** Both kinds, and the one in use. */
export interface Backends {
  readonly used: Backend;
  readonly other: Backend | null;
  readonly reason: string;
  readonly unread: string | null;
}

/** How commands are run. */
export interface RunOptions {
  readonly run: RunCommand;
  readonly signal?: AbortSignal;
}

const HINT = / KUBE-(IPTABLES-HINT|KUBELET-CANARY|PROXY-CANARY)$/;

const NO_SUCH_BACKEND =
  /protocol not supported|address family not supported|generation id: invalid argument/i;

/**
 * Reads both backends of a family and finds the one in use: of kubelet and kube-proxy, else with
 * more rules, else of `iptables`. All must be readable unless ours is `known`: rules could end up
 * in both. Throws `IptablesError`.
 */
export async function readBackends(
  family: Family,
  { known = new Set(), ...options }: RunOptions & { known?: ReadonlySet<BackendName> },
): Promise<Backends> {
  const failures: IptablesError[] = [];
  const absent: IptablesError[] = [];
  const backends: Backend[] = [];
  for (const name of ["nft", "legacy", "default"] as const) {
    // An alias: read only if neither exists.
    if (name === "default" && backends.length + failures.length + absent.length > 0) break;
    const command = commandOf(family, name, "save");
    const saved = await readSaved(command, options);
    if (saved === null) {
      if (known.has(name)) throw new IptablesError("missing", `${command} was there and is gone`);
    } else if (!(saved instanceof IptablesError)) {
      backends.push({ name, saved });
    } else {
      if (known.has(name)) throw saved;
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
    const command = commandOf(family, "default", "save");
    throw absent[0] ?? new IptablesError(
      "missing",
      `there is no ${command}: install iptables (the image has it), or switch the rules off with` +
        " -setupiptables=false",
    );
  }
  if (second === undefined) {
    return { used: first, other: null, reason: "it is the only one", unread: null };
  }
  return await choose([first, second], family, options);
}

async function readSaved(
  command: string,
  { run, signal }: RunOptions,
): Promise<SavedRules | IptablesError | null> {
  const result = await run(command, { args: [], timeoutMs: COMMAND_LIMIT_MS, signal });
  if (result === null) return null;
  if (result.code !== 0) return failureOf(command, result);
  return parseSaved(result.stdout) ??
    new IptablesError("other", `${command} printed only a part of the rules`);
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
    const reason = `it has more rules (${ofNft} in nft, ${ofLegacy} in legacy)`;
    return pick(ofNft > ofLegacy ? nft : legacy, reason);
  }
  const command = commandOf(family, "default", "save");
  const result = await run(command, { args: ["-V"], timeoutMs: COMMAND_LIMIT_MS, signal });
  if (result !== null && result.code !== 0) throw failureOf(command, result);
  const isLegacy = result !== null && /legacy/.test(result.stdout);
  return pick(isLegacy ? legacy : nft, `${command} is of this kind`);
}

/** Builds a changing command. */
export function restoreCommand(
  family: Family,
  backend: BackendName,
  lockWaitSeconds: number = LOCK_WAIT_SECONDS,
): [string, ...string[]] {
  const command = commandOf(family, backend, "restore");
  return [command, "--noflush", "-w", String(lockWaitSeconds)];
}

/** Changes of one family in one backend. */
export interface BackendChanges {
  readonly family: Family;
  readonly backend: BackendName;
  readonly changes: readonly Change[];
}

/** Applies changes atomically per table. Throws `IptablesError`. */
export async function applyChanges(
  { family, backend, changes }: BackendChanges,
  { run, signal, lockWaitSeconds = LOCK_WAIT_SECONDS }: RunOptions & { lockWaitSeconds?: number },
): Promise<void> {
  const [command, ...args] = restoreCommand(family, backend, lockWaitSeconds);
  const timeoutMs = lockWaitSeconds * 1000 + COMMAND_LIMIT_MS;
  const result = await run(command, { args, input: restoreInput(changes), timeoutMs, signal });
  if (result === null) {
    throw new IptablesError("missing", `there is no ${command} beside the other`);
  }
  if (result.code !== 0) throw failureOf(command, result);
}

/** Command for manual removal, for the log. */
export function removalCommand(family: Family, backend: BackendName): string {
  const save = commandOf(family, backend, "save");
  const restore = commandOf(family, backend, "restore");
  return `${save} | grep -v -e "NodeLocal DNS Cache" -e "nodens: " | ${restore}`;
}

function commandOf(family: Family, backend: BackendName, what: "save" | "restore"): string {
  const program = family === 4 ? "iptables" : "ip6tables";
  return backend === "default" ? `${program}-${what}` : `${program}-${backend}-${what}`;
}

function failureOf(command: string, { code, stderr }: CommandResult): IptablesError {
  const said = stderr.split("\n").map((line) => line.trim())
    .filter((line) => line !== "" && !/^(Try `|# )/.test(line)).join("; ").slice(0, 500);
  const because = (fault: IptablesFault, what: string, remedy: string) =>
    new IptablesError(fault, remedy === "" ? what : `${what} (${remedy})`);
  if (/holding the xtables lock|can't lock .*temporarily/i.test(stderr)) {
    const what = `another program holds the xtables lock, which ${command} needs`;
    return because("lock", what, 'find it with "fuser -v /run/xtables.lock"');
  }
  if (/can't open lock file/i.test(stderr)) {
    const what = `${command} cannot use its lock file: ${said}`;
    return because("permission", what, "mount /run/xtables.lock of the host");
  }
  if (/permission denied|operation not permitted|must be root/i.test(stderr)) {
    const remedy = "nodens needs the capability NET_ADMIN, or -setupiptables=false";
    return because("permission", `${command} is not permitted: ${said}`, remedy);
  }
  if (code === TIMED_OUT) {
    const what = `${command} took too long and was killed`;
    return because("busy", what, "run it by hand to see what it waits for");
  }
  const hint = /unable to initialize table/.test(stderr)
    ? "nodens needs the capability NET_ADMIN, and the kernel this table"
    : "";
  return because("other", `${command} failed (${code}): ${said}`, hint);
}
