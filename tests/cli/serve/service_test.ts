import assert from "node:assert/strict";
import { openLibc } from "../../../src/sys/libc.ts";
import { UnixDatagramSender } from "../../../src/sys/unix_datagram.ts";
import { askUdp } from "../../support/processes/drivers.ts";
import { freePort } from "../../support/servers/ports.ts";
import { decode, queryBytes } from "../../support/messages/messages.ts";
import { ask } from "../../support/servers/ask.ts";
import {
  type ProcessOptions,
  startProcess,
  type TestProcess,
} from "../../support/processes/process.ts";
import { isLinux, skipUnless } from "../../support/run/require.ts";
import { openBound, receiving } from "../../support/processes/service.ts";
import { MAIN } from "../../support/processes/nodens.ts";
import { until } from "../../support/run/until.ts";
import { inFolder } from "./scene.ts";

const linux = isLinux();

const whoami = (port: number) => `.:${port} {\n bind 127.0.0.1\n whoami\n}\n`;
const serves = (output: string) => /^(<6>)?Try: dig|"listeners":/m.test(output);

/** Runs nodens, optionally through another program, during `use`; returns its exit code. */
async function running(
  options: {
    corefile: string;
    args?: string[];
    env?: Record<string, string>;
    by?: string[];
    ready?: ProcessOptions["ready"];
  },
  use: (process: TestProcess, corefile: string) => Promise<void>,
): Promise<number> {
  const { corefile, args = [], env = {}, by = [], ready = serves } = options;
  let code = NaN;
  await inFolder({ Corefile: corefile }, async (folder) => {
    const file = `${folder}/Corefile`;
    const nodens = [Deno.execPath(), "run", "-A", MAIN, "-conf", file, ...args];
    const [command, ...rest] = [...by, ...nodens];
    const process = await startProcess(command!, { args: rest, env, ready, readyWithinMs: 60_000 });
    try {
      await use(process, file);
    } finally {
      await process.stop();
    }
    code = (await process.ended).code;
  });
  return code;
}

if (linux) {
  Deno.test("the service manager gets the start, reloads, faults, the stop, and watchdog notifications", async () => {
    const port = freePort();
    await receiving(async (path, next) => {
      /** The next notification except those of the watchdog. */
      const news = async () => {
        for (;;) {
          const text = await next();
          if (text !== "WATCHDOG=1\n") return text;
        }
      };
      const env = { NOTIFY_SOCKET: path, WATCHDOG_USEC: "300000" };
      const code = await running({ corefile: whoami(port), env }, async ({ pid }, file) => {
        const serving = `READY=1\nMAINPID=${pid}\nSTATUS=serving .:${port} on 127.0.0.1\n`;
        assert.equal(await next(), serving);
        for (let i = 0; i < 4; i++) assert.equal(await next(), "WATCHDOG=1\n");
        Deno.kill(pid, "SIGHUP");
        assert.match(await news(), /^RELOADING=1\nMONOTONIC_USEC=[1-9]\d+\n$/);
        assert.equal(await news(), serving);
        Deno.writeTextFileSync(file, `.:${port} {\n whoam\n}\n`);
        Deno.kill(pid, "SIGHUP");
        assert.match(await news(), /^RELOADING=1\n/);
        assert.match(
          await news(),
          /^READY=1\n.*\nSTATUS=reload refused, the previous Corefile is served: .*unknown directive "whoam"/,
        );
        Deno.kill(pid, "SIGTERM");
        assert.equal(await news(), "STOPPING=1\nSTATUS=stopping\n");
      });
      assert.equal(code, 0);
    });
  });

  Deno.test("a data plane that hangs stops watchdog notifications before the process ends", async () => {
    const script = new URL("./hang_watchdog.ts", import.meta.url).pathname;
    await receiving(async (path, next) => {
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", script, String(freePort())],
        env: { NOTIFY_SOCKET: path, WATCHDOG_USEC: "300000" },
        stdout: "piped",
        stderr: "null",
      }).spawn();
      assert.match(await next(), /^READY=1\n/);
      let lastMs = 0;
      let signs = 0;
      const counting = (async () => {
        for (;;) {
          const text = await next();
          if (text === "END") return;
          signs++;
          lastMs = performance.now();
          assert.equal(text, "WATCHDOG=1\n");
        }
      })();
      const { code, stdout } = await child.output();
      const endMs = performance.now();
      const sender = new UnixDatagramSender(path);
      sender.send(new TextEncoder().encode("END"));
      sender.close();
      await counting;
      const silentMs = endMs - lastMs;
      assert.equal(code, 3);
      assert.ok(signs >= 3, `${signs} signs of life`);
      assert.ok(silentMs > 1000, `silent for ${silentMs} ms`);
      const text = new TextDecoder().decode(stdout);
      assert.match(text, /has not answered for 5 s/);
    });
  });

  Deno.test("SIGQUIT prints the state and stops nodens", async () => {
    const port = freePort();
    let output = () => "";
    const text = await running({ corefile: whoami(port) }, async (process) => {
      output = () => process.output;
      await askUdp(queryBytes({ name: "www.example.org" }), { port });
      Deno.kill(process.pid, "SIGQUIT");
      await process.ended;
    });
    assert.equal(text, 0);
    assert.match(output(), /^(?:\S+Z )?\[INFO\] SIGQUIT: stopping/m);
    assert.match(output(), /^SIGQUIT: this was the state\nnodens .*, process \d+, up for /m);
    assert.match(output(), /^Queries: 1 UDP, 0 TCP;/m);
    assert.match(output(), new RegExp(`^127\\.0\\.0\\.1:${port} +\\.$`, "m"));
    const args = ["-log-format", "json"];
    const json = await running({ corefile: whoami(port), args }, async (process) => {
      output = () => process.output;
      Deno.kill(process.pid, "SIGQUIT");
      await process.ended;
    });
    assert.equal(json, 0);
    const messages = output().trim().split("\n").map((line) => JSON.parse(line));
    const report = messages.find(({ msg }) => msg === "SIGQUIT: state report");
    assert.equal(report.status.listeners[0].port, port);
  });

  Deno.test("log lines in the journal have priorities under a service manager too", async () => {
    const port = freePort();
    await receiving(async (path, next) => {
      const script = "exec 5>&1; export JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/5);" +
        ' exec "$0" "$@"';
      const env = { NOTIFY_SOCKET: path, WATCHDOG_USEC: "no" };
      const by = ["sh", "-c", script];
      await running({ corefile: whoami(port), env, by }, async (process) => {
        assert.match(await next(), /^READY=1\n/);
        await until(() => process.output.includes("watchdog"), "a warning");
        Deno.kill(process.pid, "SIGQUIT");
        await process.ended;
        const lines = process.output.trim().split("\n");
        assert.ok(lines.every((line) => /^<[346]>/.test(line)), process.output);
        assert.match(process.output, /^<4>cannot notify the watchdog: WATCHDOG_USEC: "no"/m);
        assert.match(process.output, /^<6>Queries: /m);
      });
    });
  });

  Deno.test("the portable driver warns about handed-over sockets", async () => {
    const [port, other] = [freePort(), freePort()];
    const fds = [openBound({ kind: "udp", port: other }), openBound({ kind: "tcp", port: other })];
    const options = { corefile: whoami(port), args: ["-io", "portable"], by: handing(fds) };
    await running(options, async ({ output }) => {
      assert.match(
        output,
        /\[WARNING\] the portable driver cannot use 2 sockets that were handed over/,
      );
      await askUdp(queryBytes({ name: "www.example.org" }), { port });
    });
    fds.forEach((fd) => openLibc().close(fd));
  });

  Deno.test("a reload can remove a listener on handed-over sockets, and restore it", async () => {
    const [port, other] = [freePort(), freePort()];
    const fds = [openBound({ kind: "udp", port }), openBound({ kind: "tcp", port })];
    await running({ corefile: whoami(port), by: handing(fds) }, async (process, file) => {
      const reload = async (corefile: string) => {
        const count = () => process.output.match(/Reloading complete/g)?.length ?? 0;
        const before = count();
        Deno.writeTextFileSync(file, corefile);
        Deno.kill(process.pid, "SIGHUP");
        await until(() => count() > before, `the reload: ${process.output}`);
      };
      for (let turn = 0; turn < 2; turn++) {
        await reload(whoami(other));
        await askUdp(queryBytes({ name: "a.test" }), { port: other });
        const waiting = askUdp(queryBytes({ name: "b.test" }), { port, limitMs: 60_000 });
        await reload(whoami(port));
        assert.equal(decode(await waiting).rcode, "NOERROR", "it waited in the socket");
        await askUdp(queryBytes({ name: "c.test" }), { port });
      }
      assert.doesNotMatch(process.output, /handed|in use/);
    });
    fds.forEach((fd) => openLibc().close(fd));
  });

  Deno.test("no query is lost while nodens restarts on the same sockets", async () => {
    const port = freePort();
    const fds = [openBound({ kind: "udp", port }), openBound({ kind: "tcp", port })];
    const by = handing(fds);
    let going = true;
    const answers: Promise<Uint8Array>[] = [];
    const asking = (async () => {
      while (going) {
        const id = answers.length;
        answers.push(askUdp(queryBytes({ name: "a.test", id }), { port, limitMs: 120_000 }));
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    })();
    const processes: number[] = [];
    for (let round = 0; round < 3; round++) {
      await running({ corefile: whoami(port), by }, async ({ pid }) => {
        processes.push(pid);
        const count = answers.length;
        await until(() => answers.length > count + 20, "queries");
        await answers[count + 10];
      });
    }
    going = false;
    await asking;
    await running({ corefile: whoami(port), by }, async () => {
      for (const answer of await Promise.all(answers)) {
        assert.equal(decode(answer).rcode, "NOERROR");
      }
    });
    assert.equal(new Set(processes).size, 3);
    assert.ok(answers.length > 60, `${answers.length} queries`);
    fds.forEach((fd) => openLibc().close(fd));
  });
}

/** A command that passes descriptors, numbered from 3 (sd_listen_fds(3)). */
function handing(fds: readonly number[]): string[] {
  // Copied to high numbers first, so that none is overwritten.
  const high = fds.map((fd, i) => `exec ${100 + i}<&${fd};`).join(" ");
  const low = fds.map((_, i) => `exec ${3 + i}<&${100 + i} ${100 + i}<&-;`).join(" ");
  const script = `${high} ${low} export LISTEN_PID=$$ LISTEN_FDS=${fds.length}; exec "$0" "$@"`;
  return ["bash", "-c", script];
}

Deno.test({
  name: "systemd-socket-activate starts nodens for the first query, which is answered",
  ...skipUnless("systemd-socket-activate", "dig"),
  async fn() {
    const port = freePort();
    const at = ["-l", `127.0.0.1:${port}`];
    // It opens sockets of one type; the first passes its own through the second.
    const by = ["systemd-socket-activate", "-d", ...at, "systemd-socket-activate", ...at];
    for (const name of ["PATH", "HOME", "DENO_DIR"]) by.push("-E", name);
    const ready = (output: string) => output.includes("Listening on");
    await running({ corefile: whoami(port), by, ready }, async (process) => {
      assert.ok(!serves(process.output), "nothing has started it yet");
      const question = { server: "127.0.0.1", port, name: "www.example.org", type: "A" };
      const udp = await ask("dig", { ...question, args: ["+time=60"] });
      assert.equal(udp.status, "NOERROR");
      const tcp = await ask("dig", { ...question, transport: "tcp" });
      assert.equal(tcp.status, "NOERROR");
      await until(() => serves(process.output), "the start");
      assert.doesNotMatch(process.output, /handed/);
    });
  },
});

Deno.test({
  name: "systemd-notify writes to the tests' socket",
  ...skipUnless("systemd-notify"),
  async fn() {
    await receiving(async (path, next) => {
      const { success } = await new Deno.Command("systemd-notify", {
        args: ["--ready", "--no-block", "--status=serving"],
        env: { NOTIFY_SOCKET: path },
      }).output();
      assert.ok(success);
      // The order of its lines varies.
      const lines = (await next()).trim().split("\n");
      assert.ok(lines.includes("READY=1") && lines.includes("STATUS=serving"), lines.join(" "));
    });
  },
});
