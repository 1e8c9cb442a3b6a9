import assert from "node:assert/strict";
import { runCommand, TIMED_OUT } from "../../../src/node/rules/command.ts";
import { until } from "../../support/run/until.ts";

const FOREVER = { timeoutMs: 60_000 };
const SOON = { timeoutMs: 100 };

function shell(script: string, options: { timeoutMs: number; input?: string }) {
  return runCommand("sh", { args: ["-c", script], ...options });
}

function isAlive(pid: number): boolean {
  try {
    return !/\) Z /.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch {
    return false;
  }
}

Deno.test("runCommand: passes input, and returns outputs and exit code", async () => {
  const result = await shell("cat; echo no >&2; exit 3", { ...FOREVER, input: "text" });
  assert.deepEqual(result, { code: 3, stdout: "text", stderr: "no\n" });
  assert.equal(await runCommand("no-such-program", { args: [], ...FOREVER }), null);
  const unread = await shell("exit 0", { ...FOREVER, input: "x".repeat(1 << 20) });
  assert.equal(unread?.code, 0);
  const denied = await runCommand("/etc", { args: [], ...FOREVER });
  assert.match(denied!.stderr, /Cannot run "\/etc": .*[Pp]ermission denied/);
});

Deno.test("runCommand: returns a long output completely", async () => {
  const result = await shell("yes 0123456789 | head -n 300000", FOREVER);
  assert.equal(result!.stdout.length, 300_000 * 11);
});

const isGone = (pid: number) => until(() => !isAlive(pid), `the end of ${pid}`);

Deno.test("runCommand: kills a command that hangs, with its children", async () => {
  const result = await shell("sleep 1000 & echo $!; wait", SOON);
  assert.equal(result!.code, TIMED_OUT);
  await isGone(Number(result!.stdout));
});

Deno.test("runCommand: succeeds after killing a child that holds the pipes", async () => {
  const result = await shell("sleep 1000 & echo $!", FOREVER);
  assert.equal(result!.code, 0);
  await isGone(Number(result!.stdout));
});

Deno.test("runCommand: abandons pipes held by a child outside the group", async () => {
  for (const end of ["exit 0", "sleep 1000"]) {
    const result = await shell(`setsid sleep 1000 & echo $!; ${end}`, SOON);
    assert.equal(result!.code, end === "exit 0" ? 0 : TIMED_OUT);
    Deno.kill(Number(result!.stdout), "SIGKILL");
  }
});

Deno.test("runCommand: a signal ends a command early, or prevents it", async () => {
  const abort = new AbortController();
  const running = runCommand("sleep", { args: ["1000"], signal: abort.signal, ...FOREVER });
  abort.abort();
  assert.equal((await running)!.code, TIMED_OUT);
  const late = await runCommand("no-such-program", { args: [], signal: abort.signal, ...FOREVER });
  assert.equal(late!.code, TIMED_OUT);
});

Deno.test("runCommand: ends a command with endless output", async () => {
  const result = await shell("exec cat /dev/zero", FOREVER);
  assert.match(result!.stderr, /printed more than 33554432 octets/);
});
