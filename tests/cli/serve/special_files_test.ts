/** Special files instead of regular ones: an error at once, without waiting. */
import assert from "node:assert/strict";
import { freePort } from "../../support/servers/ports.ts";
import { until } from "../../support/run/until.ts";
import { startNodens } from "../../support/processes/nodens.ts";
import { makeFifo } from "../../support/doubles/special_files.ts";
import { skipUnlessLinux } from "../../support/run/require.ts";
import { inFolder, run } from "./scene.ts";

const onLinux = skipUnlessLinux();

async function withFifo(use: (folder: string) => Promise<void>): Promise<void> {
  await inFolder({}, async (folder) => {
    makeFifo(`${folder}/fifo`);
    await use(folder);
  });
}

const FIFO = "it is a FIFO, not a regular file";

const ROWS: { name: string; corefile: (folder: string) => string; why: RegExp }[] = [
  {
    name: "import",
    corefile: (folder) => `.:PORT {\n import ${folder}/fifo\n}\n`,
    why: new RegExp(`Corefile:2: cannot import ".*/fifo": ${FIFO}`),
  },
  {
    name: "import of all files in a folder",
    corefile: (folder) => `.:PORT {\n import ${folder}/fif*\n}\n`,
    why: new RegExp(`Corefile:2: cannot import ".*/fif\\*": ${FIFO}`),
  },
  {
    name: "hosts",
    corefile: (folder) => `.:PORT {\n hosts ${folder}/fifo\n}\n`,
    why: /Corefile:2: hosts: ".*\/fifo" is not a regular file/,
  },
  {
    name: "a list of servers",
    corefile: (folder) => `.:PORT {\n forward . ${folder}/fifo\n}\n`,
    why: /Corefile:2: forward: ".*\/fifo" is not a regular file/,
  },
  {
    name: "a certificate",
    corefile: (folder) => `.:PORT {\n forward . tls://192.0.2.1 {\n tls ${folder}/fifo\n }\n}\n`,
    why: /Corefile:3: forward: tls: ".*\/fifo" is not a regular file/,
  },
];

for (const { name, corefile, why } of ROWS) {
  Deno.test(`a FIFO is refused: ${name}`, onLinux, async () => {
    await withFifo(async (folder) => {
      const file = `${folder}/Corefile`;
      Deno.writeTextFileSync(file, corefile(folder).replace("PORT", String(freePort())));
      for (const args of [["check", file], ["-conf", file]]) {
        const { code, out, err } = await run(args);
        const text = out + err;
        assert.match(text, why);
        assert.equal(code, 1, text);
      }
    });
  });
}

Deno.test(
  "a FIFO or a device as a Corefile or as the file of a command is an error",
  onLinux,
  async () => {
    await withFifo(async (folder) => {
      for (const args of [["-conf"], ["check"], ["manifest", "-check"]]) {
        const { code, out, err } = await run([...args, `${folder}/fifo`]);
        const text = out + err;
        assert.match(text, new RegExp(`annot read ".*/fifo": ${FIFO}`));
        assert.equal(code, 1, text);
      }
      const { code, err: text } = await run(["-conf", "/dev/zero"]);
      assert.match(text, /Cannot read "\/dev\/zero": it is a device, not a regular file/);
      assert.equal(code, 1);
    });
  },
);

Deno.test(
  "files that are replaced by FIFOs are logged, and reloads still work",
  onLinux,
  async () => {
    await withFifo(async (folder) => {
      const [part, hosts, servers] = ["part", "hosts", "servers"].map((name) =>
        `${folder}/${name}`
      );
      Deno.writeTextFileSync(part!, "whoami\n");
      Deno.writeTextFileSync(hosts!, "192.0.2.1 www.example.org\n");
      Deno.writeTextFileSync(servers!, "nameserver 192.0.2.53\n");
      const corefile = (port: number) =>
        `.:${port} {
        bind 127.0.0.1
        import ${part}
        hosts ${hosts} {
          reload 1s
          fallthrough
        }
        forward example.net ${servers}
      }\n`;
      const nodens = await startNodens({ corefile });
      for (const path of [part!, hosts!, servers!]) {
        // Atomically: a missing file would be another fault.
        makeFifo(`${path}.fifo`);
        Deno.renameSync(`${path}.fifo`, path);
      }
      for (const [path, said] of [[hosts, "plugin/hosts"], [servers, "plugin/forward"]]) {
        const line = new RegExp(`${said}.*"?${path}"?.*${FIFO}`);
        await until(() => line.test(nodens.output), `a word about ${path}: ${nodens.output}`);
      }
      Deno.kill(nodens.pid, "SIGHUP");
      await until(() => /not applied/.test(nodens.output), "the refused reload");
      assert.match(nodens.output, new RegExp(`cannot import ".*/part": ${FIFO}`));
      for (const path of [part!, hosts!, servers!]) Deno.removeSync(path);
      Deno.writeTextFileSync(part!, "whoami\n");
      Deno.writeTextFileSync(hosts!, "192.0.2.2 www.example.org\n");
      Deno.writeTextFileSync(servers!, "nameserver 192.0.2.53\n");
      Deno.kill(nodens.pid, "SIGHUP");
      await until(() => /Reloading complete/.test(nodens.output), "the reload");
      assert.equal((await nodens.stop()).code, 0, nodens.output);
    });
  },
);
