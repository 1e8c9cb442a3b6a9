import { type CommandResult, type RunCommand, TIMED_OUT } from "./command.ts";
import type { Family } from "./rule_text.ts";
import { parseSaved, type SavedRules } from "./saved_rules.ts";
import { type Change, restoreInput } from "./transaction.ts";

/** Time that iptables-restore waits for the lock, in seconds. */
export const LOCK_WAIT_SECONDS = 5;
const SAVE_LIMIT_MS = 20_000;
/** Behind the wait for the lock, since a large table takes its time. */
const RESTORE_LIMIT_MS = (LOCK_WAIT_SECONDS + 20) * 1000;

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
}

/** Chains that kubelet and kube-proxy make in the backend that they use. */
const HINT = / KUBE-(IPTABLES-HINT|KUBELET-CANARY|PROXY-CANARY)$/;

/**
 * Reads the rules of one family in both backends, and finds the one that the node uses: that of
 * kubelet and kube-proxy, else the one with more rules, else what the command `iptables` is.
 *
 * Throws `IptablesError`.
 */
export async function readBackends(family: Family, run: RunCommand): Promise<Backends> {
  const failures: IptablesError[] = [];
  const backends: Backend[] = [];
  for (const name of ["nft", "legacy", "default"] as const) {
    // The command without a name is one of the two, so it is read only where neither is there.
    if (name === "default" && (backends.length > 0 || failures.length > 0)) break;
    const command = commandOf(family, name, "save");
    const result = await run(command, { args: [], timeoutMs: SAVE_LIMIT_MS });
    if (result === null) continue;
    if (result.code === 0) backends.push({ name, saved: parseSaved(result.stdout) });
    else failures.push(failureOf(command, result));
  }
  const [first, second] = backends;
  if (first === undefined) {
    throw failures.find(({ fault }) => fault === "permission") ?? failures[0] ??
      new IptablesError(
        "missing",
        `there is no ${
          commandOf(family, "default", "save")
        }: install iptables (the image has it),` +
          " or switch the rules off with -setupiptables=false",
      );
  }
  if (second === undefined) return { used: first, other: null, reason: "it is the only one" };
  return await choose([first, second], family, run);
}

async function choose(
  [nft, legacy]: readonly [Backend, Backend],
  family: Family,
  run: RunCommand,
): Promise<Backends> {
  const pick = (used: Backend, reason: string): Backends => {
    const other = used === nft ? legacy : nft;
    return { used, other: other.saved.rules.length > 0 ? other : null, reason };
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
  const result = await run(command, { args: ["-V"], timeoutMs: SAVE_LIMIT_MS });
  const isLegacy = result !== null && /legacy/.test(result.stdout);
  return pick(isLegacy ? legacy : nft, `${command} is of this kind`);
}

/** The command that puts changes in, with its arguments. */
export function restoreCommand(family: Family, backend: Backend["name"]): string[] {
  const command = commandOf(family, backend, "restore");
  return [command, "--noflush", "-w", String(LOCK_WAIT_SECONDS)];
}

/** Makes the changes, all of a table or none. Throws `IptablesError`. */
export async function applyChanges(
  { family, backend, changes }: {
    family: Family;
    backend: Backend["name"];
    changes: readonly Change[];
  },
  run: RunCommand,
): Promise<void> {
  const [command = "", ...args] = restoreCommand(family, backend);
  const input = restoreInput(changes);
  const result = await run(command, { args, input, timeoutMs: RESTORE_LIMIT_MS });
  if (result === null) {
    throw new IptablesError("missing", `there is no ${command} beside the other`);
  }
  if (result.code !== 0) throw failureOf(command, result);
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
      `another program holds the xtables lock for more than ${LOCK_WAIT_SECONDS} s`,
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
  if (code === TIMED_OUT) return new IptablesError("busy", `${command} took too long`);
  // The legacy one says no more than this for either reason.
  const hint = /unable to initialize table/.test(stderr)
    ? " (nodens needs the capability NET_ADMIN, and the kernel this table)"
    : "";
  return new IptablesError("other", `${command} failed (${code}): ${said}${hint}`);
}
