import assert from "node:assert/strict";
import { shareFiles } from "../../../src/io/file_shares.ts";
import { askTcp, askUdp } from "../../support/processes/drivers.ts";
import { freePort } from "../../support/servers/ports.ts";
import { decode, queryBytes } from "../../support/messages/messages.ts";
import { folderWith, serving } from "../../support/processes/serving.ts";
import { frame } from "../../support/simulation/simulation.ts";
import { isLinux, missing, rootReasons, skipFor } from "../../support/run/require.ts";

const MAIN = new URL("../../../main.ts", import.meta.url).pathname;
const linux = isLinux();

async function nodens(args: string[], cwd?: string) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", MAIN, ...args],
    ...(cwd === undefined ? {} : { cwd }),
  }).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

Deno.test("an unknown flag: the nearest known one, exit 2", async () => {
  const { code, err } = await nodens(["-confg", "x"]);
  assert.equal(code, 2);
  assert.match(err, /unknown flag -confg \(did you mean "-conf"\?\)/);
});

Deno.test("-version, -plugins and -h answer and exit 0", async () => {
  assert.match((await nodens(["--version"])).out, /^nodens-\d+\.\d+\.\d+\n\w+\/\w+, deno /);
  assert.match((await nodens(["-plugins"])).out, /^dns\.cache$/m);
  assert.match((await nodens(["-h"])).out, /-dns\.port, -p PORT/);
});

Deno.test("a Corefile that cannot be read, and one with faults", async () => {
  const missing = await nodens(["-conf", "/nonexistent/Corefile"]);
  assert.equal(missing.code, 1);
  assert.match(missing.err, /Cannot read "\/nonexistent\/Corefile": /);
  const folder = folderWith({ Corefile: ". {\n cach\n forward . 10.0.0.256\n}\n" });
  const faulty = await nodens(["-conf", `${folder}/Corefile`]);
  assert.equal(faulty.code, 1);
  assert.match(faulty.err, /Corefile:2: unknown directive "cach" \(did you mean "cache"\?\)/);
  assert.match(
    faulty.err,
    /Corefile:3: forward: "10\.0\.0\.256" is neither an IP address nor a file/,
  );
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("a port in use, and an address that is not there", async () => {
  const port = freePort();
  const taken = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port });
  const folder = folderWith({
    taken: `.:${port} {\n bind 127.0.0.1\n whoami\n}\n`,
    away: `.:${port} {\n bind 203.0.113.7\n whoami\n}\n`,
  });
  const inUse = await nodens(["-conf", `${folder}/taken`]);
  assert.equal(inUse.code, 1);
  assert.match(
    inUse.err,
    new RegExp(`Cannot listen on 127\\.0\\.0\\.1:${port}.*in use.*behind the zone`),
  );
  const absent = await nodens(["-conf", `${folder}/away`]);
  assert.equal(absent.code, 1);
  assert.match(absent.err, /Cannot listen on 203\.0\.113\.7:/);
  taken.close();
  Deno.removeSync(folder, { recursive: true });
});

/** Another account, which may read what only root may (where Deno and the sources can be), no more. */
const STRANGER = [
  ...["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all,+dac_read_search"],
  ...["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"],
];

Deno.test({
  name: "no right to port 53: the message says what would do",
  ...skipFor([...rootReasons(), ...missing(["setpriv"])]),
  async fn() {
    const folder = folderWith({ Corefile: ". {\n bind 127.0.0.77\n whoami\n}\n" });
    // An account without rights has no cache of compiled modules; it makes one here.
    const cache = `${folder}/cache`;
    Deno.mkdirSync(cache);
    Deno.chownSync(cache, 65534, 65534);
    Deno.chmodSync(folder, 0o755);
    const run = [Deno.execPath(), "run", "-A", "--no-lock", MAIN, "-conf", `${folder}/Corefile`];
    const { code, stderr } = await new Deno.Command("setpriv", {
      args: [...STRANGER, ...run],
      cwd: folder,
      env: { DENO_DIR: cache, HOME: folder },
    }).output();
    const text = new TextDecoder().decode(stderr);
    assert.equal(code, 1, text);
    assert.match(text, /Cannot listen on 127\.0\.0\.77:53.*permission denied \(ports below 1024/);
    Deno.removeSync(folder, { recursive: true });
  },
});

Deno.test("without a Corefile the built-in one serves, said aloud; a pid file comes and goes", async () => {
  const port = freePort();
  const folder = Deno.makeTempDirSync({ prefix: "nodens_test_" });
  const pidFile = `${folder}/pid`;
  const code = await serving(["-p", String(port), "-pidfile", pidFile], async (out, child) => {
    assert.match(out(), new RegExp(`^\\.:${port}$`, "m"));
    assert.match(out(), /^nodens \d+\.\d+\.\d+, deno \d+\.\d+\.\d+, \w+\/\w+$/m);
    assert.match(out(), /^Try: dig @127\.0\.0\.1 /m);
    assert.equal(Deno.readTextFileSync(pidFile), `${child.pid}\n`);
    const answer = decode(await askUdp(queryBytes({ name: "who.example.org" }), { port }));
    assert.equal(answer.rcode, "NOERROR");
  }, { cwd: folder });
  assert.equal(code, 0);
  assert.throws(() => Deno.statSync(pidFile), Deno.errors.NotFound);
  Deno.removeSync(folder, { recursive: true });
});

if (linux) {
  Deno.test("the table of descriptors has its full size before a crowd of clients comes", async () => {
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

  Deno.test("a hundred file descriptors, and an upstream that hangs: TCP is still served", async () => {
    const [port, upstream] = [freePort(), freePort()];
    const silent = Deno.listenDatagram({
      transport: "udp",
      hostname: "127.0.0.1",
      port: upstream,
    });
    const folder = folderWith({
      Corefile: `.:${port} {\n bind 127.0.0.1\n forward . 127.0.0.1:${upstream}\n}\n` +
        `who.test:${port} {\n bind 127.0.0.1\n whoami\n}\n`,
    });
    await serving(["-conf", `${folder}/Corefile`], async () => {
      const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
      const to: Deno.NetAddr = { transport: "udp", hostname: "127.0.0.1", port };
      for (let id = 0; id < 300; id++) {
        await socket.send(queryBytes({ name: `n${id}.example.org`, id }), to);
      }
      const [answer] = await askTcp([frame(queryBytes({ name: "a.who.test" }))], { port });
      assert.equal(decode(answer!).rcode, "NOERROR");
      socket.close();
    }, { files: 100 });
    silent.close();
    Deno.removeSync(folder, { recursive: true });
  });

  Deno.test("a block on all addresses and one on a single address share a port", async () => {
    const port = freePort();
    const folder = folderWith({
      Corefile:
        `one.test:${port} {\n bind 127.0.0.1\n hosts /dev/null {\n 192.0.2.1 one.test\n }\n}\n` +
        `two.test:${port} {\n hosts /dev/null {\n 192.0.2.2 two.test\n }\n}\n`,
    });
    await serving(["-conf", `${folder}/Corefile`], async () => {
      const near = await askUdp(queryBytes({ name: "one.test" }), { port });
      assert.equal((decode(near).answers![0] as { data: string }).data, "192.0.2.1");
      const far = await askUdp(queryBytes({ name: "two.test" }), { port, hostname: "127.0.0.2" });
      assert.equal((decode(far).answers![0] as { data: string }).data, "192.0.2.2");
    });
    Deno.removeSync(folder, { recursive: true });
  });
}

Deno.test("hosts: inline entries, the file, and the file when it changes", async () => {
  const port = freePort();
  const folder = folderWith({ hosts: "192.0.2.1 one.example.org\n" });
  Deno.writeTextFileSync(
    `${folder}/Corefile`,
    `.:${port} {\n bind 127.0.0.1\n hosts ${folder}/hosts {\n 192.0.2.9 nine.example.org\n` +
      " reload 100ms\n fallthrough\n }\n whoami\n}\n",
  );
  const ask = async (name: string) => {
    const answer = decode(await askUdp(queryBytes({ name }), { port }));
    return answer.answers!.map((record) => (record as { data: string }).data);
  };
  await serving(["-conf", `${folder}/Corefile`], async () => {
    assert.deepEqual(await ask("nine.example.org"), ["192.0.2.9"]);
    assert.deepEqual(await ask("one.example.org"), ["192.0.2.1"]);
    Deno.writeTextFileSync(
      `${folder}/hosts`,
      "192.0.2.1 one.example.org\n192.0.2.2 two.example.org\n",
    );
    const limitMs = performance.now() + 10_000;
    while ((await ask("two.example.org")).length === 0) {
      assert.ok(performance.now() < limitMs, "the change was not seen within 10 s");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.deepEqual(await ask("two.example.org"), ["192.0.2.2"]);
  });
  Deno.removeSync(folder, { recursive: true });
});

for (const args of linux ? [["-io", "portable"], ["-workers", "2"]] : [["-io", "portable"]]) {
  Deno.test(`serves with ${args.join(" ")}`, async () => {
    const port = freePort();
    const folder = folderWith({ Corefile: `.:${port} {\n bind 127.0.0.1\n whoami\n}\n` });
    await serving(["-conf", `${folder}/Corefile`, ...args], async () => {
      for (let id = 0; id < 20; id++) {
        const answer = decode(await askUdp(queryBytes({ name: "a.example.org", id }), { port }));
        assert.equal(answer.id, id);
      }
    });
    Deno.removeSync(folder, { recursive: true });
  });
}

Deno.test("Corefile.example is good, and answers what needs no network", async () => {
  const example = new URL("../../../Corefile.example", import.meta.url);
  const port = freePort();
  const folder = folderWith({
    Corefile: Deno.readTextFileSync(example).replaceAll("1053", String(port)),
  });
  // Where a machine has no resolv.conf that names a server, the example needs one of its own.
  Deno.writeTextFileSync(`${folder}/resolv.conf`, "nameserver 127.0.0.1\n");
  const path = `${folder}/Corefile`;
  const text = Deno.readTextFileSync(path).replace("/etc/resolv.conf", `${folder}/resolv.conf`);
  Deno.writeTextFileSync(path, text);
  await serving(["-conf", path], async (out) => {
    assert.match(out(), /Try: dig @127\.0\.0\.1 -p \d+ hello\.nodens\.test$/m);
    const hello = decode(await askUdp(queryBytes({ name: "hello.nodens.test" }), { port }));
    assert.equal((hello.answers![0] as { data: string }).data, "192.0.2.53");
    const who = decode(await askUdp(queryBytes({ name: "whoami.nodens.test" }), { port }));
    assert.equal((who.additionals![0] as { data: string }).data, "127.0.0.1");
  });
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("a Corefile that is refused: what was noticed besides is told first", async () => {
  const folder = folderWith({
    Corefile: ".:1053 {\n bind 127.0.0.1\n forward . {$NODENS_TEST_ABSENT}\n}\n",
  });
  const { code, out, err } = await nodens(["-conf", `${folder}/Corefile`]);
  assert.equal(code, 1);
  const told = out + err;
  const [unset, fault] = ['"NODENS_TEST_ABSENT" is not set', 'forward: "" is neither']
    .map((text) => told.indexOf(text));
  assert.ok(unset! >= 0 && fault! > unset!, told);
  Deno.removeSync(folder, { recursive: true });
});
