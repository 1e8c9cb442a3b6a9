import assert from "node:assert/strict";
import { PERMISSIONS } from "../../release/permissions.ts";
import { freePort } from "../support/servers/ports.ts";
import { withFolder } from "../support/run/folder.ts";
import { until } from "../support/run/until.ts";
import { MAIN, STARTED } from "../support/processes/nodens.ts";
import { Namespace, namespaceReasons } from "../support/namespaces/namespace.ts";
import { startProcess, type TestProcess } from "../support/processes/process.ts";
import { skipFor, skipUnlessLinux } from "../support/run/require.ts";
import {
  caughtSignals,
  listeningPorts,
  send,
  SIGNAL,
} from "../support/processes/process_signals.ts";

const { HUP, INT, QUIT, BUS, USR1, SEGV, TERM, SETXID } = SIGNAL;
/** Signals that do not end nodens; SETXID is used by the C library. */
const GOES_ON: readonly number[] = [HUP, USR1, SETXID];
const DEBUGGER_PORT = 9229;
/** Deno handles SIGUSR1 from 500 ms after the start. */
const DENO_LISTENS_MS = 700;

const inNamespace = skipFor(namespaceReasons());
const onLinux = skipUnlessLinux();

/**
 * Ways to run nodens. The last one cannot replace signal handlers, and occupies the port instead.
 */
const WAYS = [
  { name: "from source", flags: ["-A"], args: [], holdsPort: false },
  { name: "portable", flags: ["-A"], args: ["-io", "portable"], holdsPort: false },
  { name: "with its own permissions", flags: PERMISSIONS, args: [], holdsPort: false },
  { name: "without FFI", flags: ["-A", "--deny-ffi"], args: [], holdsPort: true },
];

const pause = (ms: number) => new Promise((wake) => setTimeout(wake, ms));

function withCorefile(use: (file: string) => Promise<void>): Promise<void> {
  return withFolder((folder) => {
    const file = `${folder}/Corefile`;
    Deno.writeTextFileSync(file, `.:${freePort()} {\n bind 127.0.0.1\n whoami\n}\n`);
    return use(file);
  });
}

/** Fetches `/json` of the debugger in a namespace; returns the status and text, or "refused". */
function askDebugger(namespace: Namespace): string {
  const code = `try { const r = await fetch("http://127.0.0.1:${DEBUGGER_PORT}/json"); ` +
    `console.log(r.status, await r.text()) } catch { console.log("refused") }`;
  const args = namespace.exec(Deno.execPath(), "eval", code);
  return new TextDecoder().decode(new Deno.Command("ip", { args }).outputSync().stdout).trim();
}

async function withNamespace(use: (namespace: Namespace) => Promise<void>): Promise<void> {
  const namespace = new Namespace();
  try {
    await use(namespace);
  } finally {
    namespace.remove();
  }
}

Deno.test("SIGUSR1 opens the debugger of a plain Deno", inNamespace, async () => {
  await withNamespace(async (namespace) => {
    const code = "console.log('up'); setInterval(() => {}, 1000)";
    const deno = await startProcess("ip", {
      args: namespace.exec(Deno.execPath(), "eval", code),
      ready: (output) => output.includes("up"),
    });
    // If a newer Deno no longer does this, `DebuggerSignal` is not needed.
    await until(() => caughtSignals(deno.pid).includes(USR1), "Deno's handler");
    send(deno.pid, USR1);
    await until(() => listeningPorts(deno.pid).includes(DEBUGGER_PORT), "Deno's debugger");
    assert.match(askDebugger(namespace), /webSocketDebuggerUrl/);
    await deno.stop();
  });
});

for (const { name, flags, args, holdsPort } of WAYS) {
  Deno.test(`no signal opens a port: ${name}`, inNamespace, async () => {
    await withNamespace((namespace) =>
      withCorefile(async (file) => {
        const start = async () => {
          const process = await startProcess("ip", {
            args: namespace.exec(
              ...[Deno.execPath(), "run", ...flags, MAIN, "-conf", file, ...args],
            ),
            ready: (output) => STARTED.test(output),
          });
          await pause(DENO_LISTENS_MS);
          return process;
        };
        /** Ports of listeners; the debugger's must not answer. */
        const ports = (process: TestProcess) => {
          const all = listeningPorts(process.pid);
          if (all.includes(DEBUGGER_PORT)) {
            const answer = askDebugger(namespace);
            assert.equal(answer, "refused", `the debugger answers: ${answer}`);
          }
          return all;
        };

        let nodens = await start();
        const before = ports(nodens);
        assert.equal(before.includes(DEBUGGER_PORT), holdsPort);
        // Without a handler the kernel ignores the signal or ends the process.
        const caught = caughtSignals(nodens.pid);
        for (const signal of [HUP, INT, QUIT, USR1, TERM]) assert.ok(caught.includes(signal));
        const reloads = () => nodens.output.match(/Reloading complete/g)?.length ?? 0;
        for (const signal of caught.filter((signal) => GOES_ON.includes(signal))) {
          for (let turn = 0; turn < 2; turn++) {
            const already = reloads();
            send(nodens.pid, signal);
            if (signal !== SETXID) await until(() => reloads() > already, `signal ${signal}`);
            assert.deepEqual(ports(nodens), before, `signal ${signal}`);
          }
        }
        const stops = caught.filter((signal) => !GOES_ON.includes(signal));
        for (const signal of stops) {
          send(nodens.pid, signal);
          const fault = signal === BUS || signal === SEGV;
          // The runtime removes its handler and expects the fault again.
          if (fault) await until(() => !caughtSignals(nodens.pid).includes(signal), "the fault");
          if (fault) assert.deepEqual(ports(nodens), before, `signal ${signal}`);
          if (fault) send(nodens.pid, signal);
          const status = await nodens.ended;
          if (!fault) assert.equal(status.code, 0, nodens.output);
          nodens = await start();
          assert.deepEqual(ports(nodens), before);
        }
        assert.equal((await nodens.stop()).code, 0);
      })
    );
  });
}

function startEarly(file: string): Promise<TestProcess> {
  // A shell ignores SIGINT and SIGQUIT for tests in the background.
  const args = ["--default-signal", Deno.execPath(), "run", "-A", MAIN, "-conf", file];
  return startProcess("env", { args, ready: () => true });
}

/** Sends a signal; returns whether nodens had its handlers before. */
function sendEarly({ pid }: TestProcess, signal: Deno.Signal): boolean {
  // The listener for SIGQUIT is the last one.
  const ready = caughtSignals(pid).includes(QUIT);
  try {
    Deno.kill(pid, signal);
  } catch {
    // It has ended.
  }
  return ready;
}

async function byTwos<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const lane = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await run(item);
  };
  await Promise.all([lane(), lane()]);
}

const START_STEPS_MS = [0, 20, 40, 60, 80, 100, 120, 140, 170, 200, 250];

for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
  Deno.test(`${signal} while nodens starts ends it with code 0`, onLinux, async () => {
    await byTwos(START_STEPS_MS, (ms) =>
      withCorefile(async (file) => {
        const nodens = await startEarly(file);
        await pause(ms);
        const ready = sendEarly(nodens, signal);
        const status = await nodens.ended;
        if (ready || status.signal === null) assert.equal(status.code, 0, nodens.output);
        else assert.equal(status.signal, signal, nodens.output);
      }));
  });
}

for (const signal of ["SIGHUP", "SIGUSR1"] as const) {
  Deno.test(`${signal} while nodens starts takes effect when it serves`, onLinux, async () => {
    await byTwos(START_STEPS_MS, (ms) =>
      withCorefile(async (file) => {
        const nodens = await startEarly(file);
        await pause(ms);
        if (sendEarly(nodens, signal)) {
          await until(
            () => /Reloading complete/.test(nodens.output),
            `${signal}: ${nodens.output}`,
          );
          assert.match(nodens.output, new RegExp(`${signal}: Reloading`));
        }
        sendEarly(nodens, "SIGTERM");
        const status = await nodens.ended;
        if (status.signal === null) assert.equal(status.code, 0, nodens.output);
      }));
  });
}

Deno.test("signals during a reload or stop do no harm", onLinux, async () => {
  await byTwos([0, 1, 2, 4, 6, 8, 10, 15, 20, 30], (ms) =>
    withCorefile(async (file) => {
      const nodens = await startEarly(file);
      await until(() => STARTED.test(nodens.output), "the start");
      for (const signal of ["SIGHUP", "SIGUSR1", "SIGHUP"] as const) {
        sendEarly(nodens, signal);
        await pause(ms);
      }
      sendEarly(nodens, "SIGTERM");
      await pause(ms);
      for (const signal of ["SIGHUP", "SIGUSR1", "SIGQUIT"] as const) sendEarly(nodens, signal);
      const status = await nodens.ended;
      assert.deepEqual([status.code, status.signal], [0, null], nodens.output);
    }));
});
