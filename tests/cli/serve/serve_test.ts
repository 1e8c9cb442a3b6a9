import assert from "node:assert/strict";
import { shareFiles } from "../../../src/io/file_shares.ts";
import { decode, queryBytes } from "../../support/messages/messages.ts";
import { askTcp, askUdp } from "../../support/processes/drivers.ts";
import { MAIN } from "../../support/processes/nodens.ts";
import { serving } from "../../support/processes/serving.ts";
import { isLinux, missing, rootReasons, skipFor } from "../../support/run/require.ts";
import { freePort } from "../../support/servers/ports.ts";
import { frame } from "../../support/simulation/simulation.ts";
import { dataOf, inFolder, run, serve } from "./scene.ts";

const linux = isLinux();

async function ask(port: number, name: string, hostname = "127.0.0.1") {
  return decode(await askUdp(queryBytes({ name }), { port, hostname }));
}

Deno.test("an unknown flag is refused with the nearest known one", async () => {
  const { code, err } = await run(["-confg", "x"]);
  assert.equal(code, 2);
  assert.match(err, /unknown flag -confg \(did you mean "-conf"\?\)/);
});

Deno.test("-version, -plugins and -h print their text and exit", async () => {
  assert.match((await run(["--version"])).out, /^nodens-\d+\.\d+\.\d+\n\w+\/\w+, deno /);
  assert.match((await run(["-plugins"])).out, /^dns\.cache$/m);
  assert.match((await run(["-h"])).out, /-dns\.port, -p PORT/);
});

const port = freePort();
const REFUSED: { title: string; corefile: string; says: RegExp[] }[] = [
  {
    title: "faults",
    corefile: ". {\n cach\n forward . 10.0.0.256\n}\n",
    says: [
      /Corefile:2: unknown directive "cach" \(did you mean "cache"\?\)/,
      /Corefile:3: forward: "10\.0\.0\.256" is neither an IP address nor a file/,
    ],
  },
  {
    title: "a port in use",
    corefile: `.:${port} {\n bind 127.0.0.1\n whoami\n}\n`,
    says: [new RegExp(`Cannot listen on 127\\.0\\.0\\.1:${port}.*in use.*behind the zone`)],
  },
  {
    title: "an address of another host",
    corefile: `.:${port} {\n bind 203.0.113.7\n whoami\n}\n`,
    says: [/Cannot listen on 203\.0\.113\.7:/],
  },
  {
    title: "a warning, which comes before the fault",
    corefile: ".:1053 {\n bind 127.0.0.1\n forward . {$NODENS_TEST_ABSENT}\n}\n",
    says: [/"NODENS_TEST_ABSENT" is not set[^]*forward: "" is neither/],
  },
];

for (const { title, corefile, says } of REFUSED) {
  Deno.test(`a Corefile is refused: ${title}`, async () => {
    const taken = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port });
    await inFolder({ Corefile: corefile }, async (folder) => {
      const { code, out, err } = await run(["-conf", `${folder}/Corefile`]);
      assert.equal(code, 1);
      for (const text of says) assert.match(out + err, text);
    });
    taken.close();
  });
}

Deno.test("a Corefile is refused: it cannot be read", async () => {
  const { code, err } = await run(["-conf", "/nonexistent/Corefile"]);
  assert.equal(code, 1);
  assert.match(err, /Cannot read "\/nonexistent\/Corefile": /);
});

/** Another account, which can read files like root and has no other privilege. */
const STRANGER = [
  ...["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all,+dac_read_search"],
  ...["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"],
];

Deno.test({
  name: "the error about missing permission for port 53 has a remedy",
  ...skipFor([...rootReasons(), ...missing(["setpriv"])]),
  async fn() {
    await inFolder({ Corefile: ". {\n bind 127.0.0.77\n whoami\n}\n" }, async (folder) => {
      // The account needs a separate cache of compiled modules.
      const cache = `${folder}/cache`;
      Deno.mkdirSync(cache);
      Deno.chownSync(cache, 65534, 65534);
      Deno.chmodSync(folder, 0o755);
      const nodens = [Deno.execPath(), "run", "-A", "--no-lock", MAIN];
      const { code, stderr } = await new Deno.Command("setpriv", {
        args: [...STRANGER, ...nodens, "-conf", `${folder}/Corefile`],
        cwd: folder,
        env: { DENO_DIR: cache, HOME: folder },
      }).output();
      const text = new TextDecoder().decode(stderr);
      assert.equal(code, 1, text);
      assert.match(text, /Cannot listen on 127\.0\.0\.77:53.*permission denied \(ports below 1024/);
    });
  },
});

Deno.test("without a Corefile the built-in one is served; the pid file is removed", async () => {
  const port = freePort();
  await inFolder({}, async (folder) => {
    const pidFile = `${folder}/pid`;
    const code = await serving(["-p", String(port), "-pidfile", pidFile], async (out, child) => {
      assert.match(out(), new RegExp(`^\\.:${port}$`, "m"));
      assert.match(out(), /^nodens \d+\.\d+\.\d+, deno \d+\.\d+\.\d+, \w+\/\w+$/m);
      assert.match(out(), /^Try: dig @127\.0\.0\.1 /m);
      assert.equal(Deno.readTextFileSync(pidFile), `${child.pid}\n`);
      assert.equal((await ask(port, "who.example.org")).rcode, "NOERROR");
    }, { cwd: folder });
    assert.equal(code, 0);
    assert.throws(() => Deno.statSync(pidFile), Deno.errors.NotFound);
  });
});

if (linux) {
  Deno.test("the descriptor table has its full size from the start", async () => {
    let size = 0;
    await serving(["-p", String(freePort())], (_, { pid }) => {
      const [, text] = /^FDSize:\s+(\d+)$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))!;
      size = Number(text);
      return Promise.resolve();
    });
    const { stdout } = new Deno.Command("sh", { args: ["-c", "ulimit -Hn"] }).outputSync();
    const limit = Number(new TextDecoder().decode(stdout)) || Infinity;
    assert.ok(size >= shareFiles(limit, { listeners: 2 }).total, `${size} for a limit of ${limit}`);
  });

  Deno.test("TCP is served with a hundred descriptors and an upstream that hangs", async () => {
    const port = freePort();
    const silent = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    const upstream = (silent.addr as Deno.NetAddr).port;
    const corefile = `.:${port} {\n bind 127.0.0.1\n forward . 127.0.0.1:${upstream}\n}\n` +
      `who.test:${port} {\n bind 127.0.0.1\n whoami\n}\n`;
    await serve(corefile, async () => {
      const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
      const to: Deno.NetAddr = { transport: "udp", hostname: "127.0.0.1", port };
      for (let id = 0; id < 300; id++) {
        await socket.send(queryBytes({ name: `n${id}.example.org`, id }), to);
      }
      const [answer] = await askTcp([frame(queryBytes({ name: "a.who.test" }))], { port });
      assert.equal(decode(answer!).rcode, "NOERROR");
      socket.close();
    }, { descriptors: 100 });
    silent.close();
  });

  Deno.test("a block on all addresses and one on a single address share a port", async () => {
    const port = freePort();
    const corefile =
      `one.test:${port} {\n bind 127.0.0.1\n hosts /dev/null {\n 192.0.2.1 one.test\n }\n}\n` +
      `two.test:${port} {\n hosts /dev/null {\n 192.0.2.2 two.test\n }\n}\n`;
    await serve(corefile, async () => {
      assert.equal(dataOf(await ask(port, "one.test")), "192.0.2.1");
      assert.equal(dataOf(await ask(port, "two.test", "127.0.0.2")), "192.0.2.2");
    });
  });
}

Deno.test("hosts: inline entries, the file, and changes of the file are served", async () => {
  const port = freePort();
  const corefile = `.:${port} {\n bind 127.0.0.1\n hosts FOLDER/hosts {\n` +
    " 192.0.2.9 nine.example.org\n reload 100ms\n fallthrough\n }\n whoami\n}\n";
  const files = { hosts: "192.0.2.1 one.example.org\n" };
  await serve(corefile, async (_, folder) => {
    assert.equal(dataOf(await ask(port, "nine.example.org")), "192.0.2.9");
    assert.equal(dataOf(await ask(port, "one.example.org")), "192.0.2.1");
    Deno.writeTextFileSync(
      `${folder}/hosts`,
      "192.0.2.1 one.example.org\n192.0.2.2 two.example.org\n",
    );
    const limitMs = performance.now() + 10_000;
    let data: string | undefined;
    while ((data = dataOf(await ask(port, "two.example.org"))) === undefined) {
      assert.ok(performance.now() < limitMs, "the change was not seen within 10 s");
    }
    assert.equal(data, "192.0.2.2");
  }, { files });
});

for (const args of linux ? [["-io", "portable"], ["-workers", "2"]] : [["-io", "portable"]]) {
  Deno.test(`serves with ${args.join(" ")}`, async () => {
    const port = freePort();
    await serve(`.:${port} {\n bind 127.0.0.1\n whoami\n}\n`, async () => {
      for (let id = 0; id < 20; id++) {
        const answer = decode(await askUdp(queryBytes({ name: "a.example.org", id }), { port }));
        assert.equal(answer.id, id);
      }
    }, { args });
  });
}

Deno.test("Corefile.example is served, and local queries are answered", async () => {
  const port = freePort();
  const example = Deno.readTextFileSync(new URL("../../../Corefile.example", import.meta.url))
    .replaceAll("1053", String(port))
    .replace("/etc/resolv.conf", "FOLDER/resolv.conf");
  await serve(example, async (out) => {
    assert.match(out(), /Try: dig @127\.0\.0\.1 -p \d+ hello\.nodens\.test$/m);
    assert.equal(dataOf(await ask(port, "hello.nodens.test")), "192.0.2.53");
    const who = await ask(port, "whoami.nodens.test");
    assert.equal((who.additionals![0] as { data: string }).data, "127.0.0.1");
  }, { files: { "resolv.conf": "nameserver 127.0.0.1\n" } });
});
