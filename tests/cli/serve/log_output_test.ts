import assert from "node:assert/strict";
import { makeAuthority } from "../../support/servers/certificates.ts";
import { askUdp } from "../../support/processes/drivers.ts";
import { freePort } from "../../support/servers/ports.ts";
import { queryBytes } from "../../support/messages/messages.ts";
import { MAIN, startNodens } from "../../support/processes/nodens.ts";
import { driversHere, isLinux, skipUnless } from "../../support/run/require.ts";
import { ask } from "../../support/servers/ask.ts";
import { folderWith } from "../../support/processes/serving.ts";
import { until } from "../../support/run/until.ts";
import { inFolder, run } from "./scene.ts";

Deno.test({
  name: "-log-format json: queries, errors and messages are logged as objects",
  ...skipUnless("kdig"),
  fn: async () => {
    const nodens = await startNodens({
      args: ["-log-format", "json"],
      corefile: (port) =>
        `.:${port} {\n bind 127.0.0.1 ::1\n log . "{combined} {local} {/log/class} {/log/type}"\n errors {\n` +
        `  consolidate 1s refused$\n }\n hosts /nonexistent {\n  192.0.2.1 one.example.org\n` +
        `  fallthrough\n }\n cache\n}\n`,
    });
    try {
      const { port } = nodens;
      const server = "127.0.0.1";
      await ask("kdig", { server, port, name: "ONE.example.org", type: "A", transport: "udp" });
      await ask("kdig", { server, port, name: "two.example.org", type: "TXT", transport: "tcp" });
      await ask("kdig", { server: "::1", port, name: 'a\\010b\\".x', type: "A", transport: "udp" });
      await until(() => nodens.output.split('"plugin":"log"').length > 3);
    } finally {
      assert.equal((await nodens.stop()).code, 0);
    }
    const lines = nodens.output.trimEnd().split("\n").map((line) => JSON.parse(line));
    for (const { time, level, msg } of lines) {
      assert.equal(new Date(time).toISOString(), time);
      assert.match(level, /^(info|warning|error)$/);
      assert.equal(typeof msg, "string");
    }
    const started = lines.find(({ version }) => version !== undefined);
    assert.deepEqual(started.listeners, [
      `.:${nodens.port} on 127.0.0.1`,
      `.:${nodens.port} on [::1]`,
    ]);
    const [one, two, three] = lines.filter(({ plugin }) => plugin === "log");
    const { time: _, msg, id, duration, port, size, ...rest } = one;
    for (const value of [id, duration, port, size]) assert.equal(typeof value, "number");
    assert.ok(duration > 0, "the time within a batch is measured");
    assert.ok(msg.includes(` ${duration.toFixed(9).replace(/0+$/, "")}s`), "in both alike");
    assert.match(msg, /^127\.0\.0\.1:\d+ - \d+ "A IN one\.example\.org\. udp /);
    assert.deepEqual(rest, {
      level: "info",
      plugin: "log",
      remote: "127.0.0.1",
      type: "A",
      class: "IN",
      name: "one.example.org.",
      proto: "udp",
      do: false,
      bufsize: rest.bufsize,
      rcode: "NOERROR",
      rflags: rest.rflags,
      rsize: 49,
      opcode: 0,
      local: "127.0.0.1",
      "log/class": "success",
      "log/type": "NOERROR",
    });
    assert.match(rest.rflags, /^qr,aa,rd/);
    assert.equal(two.proto, "tcp");
    assert.equal(two["log/type"], "SERVERERROR");
    assert.equal(three.remote, "::1");
    assert.equal(three.local, "::1");
    assert.equal(three.name, 'a\\010b\\".x.');
    const error = lines.find(({ plugin, level }) => plugin === "errors" && level === "error");
    assert.deepEqual({ ...error, time: "" }, {
      time: "",
      level: "error",
      msg: "plugin/errors: 2 two.example.org. TXT: no next plugin found",
      plugin: "errors",
      rcode: "SERVFAIL",
      name: "two.example.org.",
      type: "TXT",
      error: "no next plugin found",
      queries: 1,
    });
    assert.ok(lines.some(({ plugin, level }) => plugin === "hosts" && level === "warning"));
  },
});

Deno.test({
  name: "the content of TLS files is never logged",
  ...skipUnless("openssl"),
  fn: async () => {
    const authority = makeAuthority();
    const client = authority.issue("DNS:client.example.org");
    const secret = "bm9kZW5zIHNlY3JldA";
    const folder = folderWith({
      "ca.pem": authority.ca,
      "cert.pem": client.cert,
      "key.pem": client.key,
      "bad.pem": `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----\n`,
    });
    const block = (zone: string, port: number, files: string) =>
      `${zone}:${port} {\n bind 127.0.0.1\n debug\n errors {\n  stacktrace\n }\n log\n` +
      ` forward . tls://127.0.0.1:${freePort()} {\n  tls ${files}\n }\n}\n`;
    const at = (...names: string[]) => names.map((name) => `${folder}/${name}`).join(" ");
    for (const format of ["text", "json"]) {
      const nodens = await startNodens({
        args: ["-log-format", format],
        corefile: (port) =>
          block("bad.test", port, at("cert.pem", "bad.pem", "ca.pem")) +
          block("odd.test", port, at("bad.pem", "key.pem", "ca.pem")) +
          block("ca.test", port, at("cert.pem", "key.pem", "bad.pem")) +
          block("good.test", port, at("cert.pem", "key.pem", "ca.pem")),
      });
      try {
        for (const zone of ["bad", "odd", "ca", "good"]) {
          await askUdp(queryBytes({ name: `x.${zone}.test` }), {
            port: nodens.port,
            limitMs: 15_000,
          });
        }
        await until(() => /Cannot use .*bad\.pem/.test(nodens.output.replaceAll('\\"', '"')));
      } finally {
        await nodens.stop();
      }
      const body = client.key.split("\n").filter((line) =>
        line.length > 30 && !line.includes("-----")
      );
      assert.ok(body.length > 0);
      for (const line of [secret, "PRIVATE KEY", "BEGIN", ...body]) {
        assert.ok(!nodens.output.includes(line), `the log has ${line}`);
      }
    }
    authority.remove();
    Deno.removeSync(folder, { recursive: true });
  },
});

Deno.test("-log-format json: faults of the Corefile are logged as objects", async () => {
  const corefile = ". {\n cach\n forward . 10.0.0.256\n}\n";
  await inFolder({ Corefile: corefile }, async (folder) => {
    const { code, out, err } = await run(["-log-format=json", "-conf", `${folder}/Corefile`]);
    assert.equal(code, 1);
    assert.equal(out, "");
    const lines = err.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(lines.map(({ level }) => level), ["error", "error"]);
    assert.match(lines[1].msg, /Corefile:3: forward: "10\.0\.0\.256"/);
  });
});

for (const io of driversHere()) {
  Deno.test(`errors reports its counts when nodens stops (${io})`, async () => {
    const nodens = await startNodens({
      args: ["-io", io],
      corefile: (port) =>
        `.:${port} {\n bind 127.0.0.1\n errors {\n  consolidate 1h "^no next" warning\n }\n` +
        ` cache\n forward internal.test 127.0.0.1:${freePort()}\n}\n`,
    });
    try {
      for (const name of ["a.test", "b.test", "x.internal.test"]) {
        await askUdp(queryBytes({ name }), { port: nodens.port, limitMs: 15_000 });
      }
    } finally {
      assert.equal((await nodens.stop()).code, 0);
    }
    const summary =
      /^(?:\S+Z )?\[WARNING\] plugin\/errors: 2 errors like '\^no next' occurred in last 1h0m0s$/m;
    assert.match(nodens.output, summary);
  });
}

Deno.test("-log-format: an unknown format is refused", async () => {
  const { code, err } = await run(["-log-format", "xml"]);
  assert.equal(code, 2);
  assert.match(err, /-log-format: "xml" is unknown \(text, json\)/);
});

Deno.test("-log-time: text lines have a time in files, and on request", async () => {
  const folder = folderWith({});
  const run = async (args: string[], env: Record<string, string>) => {
    Deno.writeTextFileSync(
      `${folder}/Corefile`,
      `.:${freePort()} {\n bind 127.0.0.1\n hosts /nonexistent\n}\n`,
    );
    const file = `${folder}/log`;
    Deno.writeTextFileSync(file, "");
    const toFile = args.includes("FILE");
    const child = new Deno.Command("sh", {
      args: [
        "-c",
        toFile ? `exec "$0" "$@" > ${file}` : `"$0" "$@" | cat > ${file}`,
        ...[Deno.execPath(), "run", "-A", MAIN, "-conf", `${folder}/Corefile`],
        ...["-pidfile", `${folder}/pid`, ...args.filter((arg) => arg !== "FILE")],
      ],
      env,
    }).spawn();
    const log = () => Deno.readTextFileSync(file);
    try {
      await until(() => /plugin\/hosts: Cannot read/.test(log()) && /Try: /.test(log()));
    } finally {
      Deno.kill(Number(Deno.readTextFileSync(`${folder}/pid`)), "SIGTERM");
      await child.status;
    }
    return log().split("\n").find((line) => line.includes("plugin/hosts: Cannot read"))!;
  };
  const stamped = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z \[WARNING\] plugin\/hosts: /;
  const bare = /^\[WARNING\] plugin\/hosts: /;
  const container = { container: "test" };
  assert.match(await run(["FILE"], container), stamped);
  assert.match(await run([], container), bare);
  assert.match(await run(["-log-time", "always"], container), stamped);
  assert.match(await run(["FILE", "-log-time", "never"], {}), bare);
  Deno.removeSync(folder, { recursive: true });
});

if (isLinux()) {
  Deno.test("log lines start with a priority only on the journal's stream", async () => {
    const corefile = () => `.:${freePort()} {\n bind 127.0.0.1\n hosts /nonexistent\n}\n`;
    const folder = folderWith({ one: corefile(), two: corefile(), bad: ". {\n cach\n}\n" });
    /** Uses one of the two outputs, which are different pipes, as the journal. */
    const run = async (file: string, descriptor: number) => {
      const script = "exec 5>&1 6>&2; " +
        `export JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/${descriptor + 4}); exec "$0" "$@"`;
      const child = new Deno.Command("sh", {
        args: ["-c", script, Deno.execPath(), "run", "-A", MAIN, "-conf", `${folder}/${file}`],
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const err = text(child.stderr);
      let out = "";
      let ended = false;
      for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
        out += part;
        if (!ended && /Cannot read/.test(out) && /Try: /.test(out)) {
          ended = true;
          child.kill("SIGTERM");
        }
      }
      await child.status;
      return { out, err: await err };
    };
    const [journal, other, fault] = await Promise.all([
      run("one", 1),
      run("two", 2),
      run("bad", 2),
    ]);
    assert.match(journal.out, /^<6>\.:\d+ on 127\.0\.0\.1\n<6>nodens /m);
    assert.match(journal.out, /^<4>plugin\/hosts: Cannot read/m);
    assert.match(other.out, /^\.:\d+ on 127\.0\.0\.1\nnodens /m);
    assert.match(other.out, /^(?:\S+Z )?\[WARNING\] plugin\/hosts: Cannot read/m);
    assert.match(fault.err, /^<3>.*bad:2: unknown directive "cach"/);
    Deno.removeSync(folder, { recursive: true });
  });

  Deno.test("unread standard output: every query is answered, and every line counted", async () => {
    const [port, metrics] = [freePort(), freePort()];
    const queries = 8000;
    const filler = "x".repeat(1000);
    const folder = folderWith({
      Corefile:
        `.:${port} {\n bind 127.0.0.1\n prometheus 127.0.0.1:${metrics}\n log . "{>id} ${filler}"\n whoami\n}\n`,
    });
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", MAIN, "-conf", `${folder}/Corefile`],
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let out = "";
    const read = async (): Promise<boolean> => {
      const { value, done } = await reader.read();
      out += value ?? "";
      return !done;
    };
    while (!/^Try: /m.test(out)) assert.ok(await read());
    await askAll(port, queries);
    await askAll(port, 500);
    const url = `http://127.0.0.1:${metrics}`;
    const counted = Number(
      /^nodens_log_lines_dropped_total (\d+)$/m.exec(
        await (await fetch(`${url}/metrics`)).text(),
      )![1],
    );
    assert.equal((await (await fetch(`${url}/status`)).json()).log.droppedLines, counted);
    const reading = (async () => {
      while (await read());
    })();
    await until(() => /log lines were dropped: standard output is too slow/.test(out));
    child.kill("SIGTERM");
    await reading;
    assert.equal((await child.status).code, 0);
    const logged = out.split("\n").filter((line) => line.includes(filler)).length;
    const dropped = [...out.matchAll(/(\d+) log lines were dropped/g)]
      .reduce((sum, [, count]) => sum + Number(count), 0);
    assert.equal(logged + dropped, queries + 500);
    assert.equal(counted, dropped);
    assert.ok(dropped > 1000, `only ${dropped} dropped`);
    Deno.removeSync(folder, { recursive: true });
  });

  Deno.test("unread standard output: nodens stops in time", async () => {
    const port = freePort();
    const folder = folderWith({
      Corefile: `.:${port} {\n bind 127.0.0.1\n log . "{name} ${"x".repeat(4000)}"\n whoami\n}\n`,
    });
    const child = new Deno.Command("sh", {
      // The shell keeps the pipe open without reading, and reports when nodens has ended.
      args: [
        "-c",
        'mkfifo "$1/pipe"; exec 3<>"$1/pipe"; "$2" run -A "$3" -pidfile "$1/pid" ' +
        '-conf "$1/Corefile" >&3 & wait $!; echo "ended $?"',
        "sh",
        folder,
        Deno.execPath(),
        MAIN,
      ],
      stdout: "piped",
    }).spawn();
    await until(() => {
      try {
        return Deno.statSync(`${folder}/pid`).isFile;
      } catch {
        return false;
      }
    });
    await askAll(port, 200);
    Deno.kill(Number(Deno.readTextFileSync(`${folder}/pid`)), "SIGTERM");
    assert.equal(await text(child.stdout), "ended 0\n");
    await child.status;
    Deno.removeSync(folder, { recursive: true });
  });
}

async function askAll(port: number, count: number): Promise<void> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const to: Deno.NetAddr = { transport: "udp", hostname: "127.0.0.1", port };
  const guard = setTimeout(() => socket.close(), 60_000);
  for (let id = 0; id < count; id += 40) {
    const batch = Math.min(40, count - id);
    for (let i = 0; i < batch; i++) {
      await socket.send(queryBytes({ name: "www.example.org", id: id + i }), to);
    }
    for (let i = 0; i < batch; i++) await socket.receive();
  }
  clearTimeout(guard);
  socket.close();
}

async function text(stream: ReadableStream<Uint8Array>): Promise<string> {
  return await new Response(stream).text();
}
