import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import { mustRun, runCommand } from "../../release/command.ts";
import { ROOT, TARGETS } from "../../release/compile.ts";
import { debianName, packDebian } from "../../release/debian.ts";
import { withFolder } from "../support/run/folder.ts";
import { have, skipFor, skipUnless } from "../support/run/require.ts";

const SERVICE = "usr/lib/systemd/system/nodens.service";
const TARGET = TARGETS[0]!;
const NO_ROOT = Deno.uid() === 0 ? [] : ["it needs root"];

/** Makes a package with a script instead of the executable. */
async function make(folder: string, version: string, work = "tree"): Promise<string> {
  const executable = `${folder}/stand_in`;
  Deno.writeTextFileSync(executable, `#!/bin/sh\necho nodens-${version}\n`);
  const file = `${folder}/${work}_${debianName({ version, target: TARGET })}`;
  await packDebian({
    root: ROOT,
    executable,
    notices: "a package is under MIT\n",
    target: TARGET,
    version,
    epochSeconds: 1_700_000_000,
  }, { work: `${folder}/${work}_${version}`, file });
  return file;
}

Deno.test({
  name: "Debian package: has units, manual page and completions, and is reproducible",
  ...skipUnless("dpkg-deb"),
  fn: () =>
    withFolder(async (folder) => {
      const [one, two] = [await make(folder, "1.2.3"), await make(folder, "1.2.3", "again")];
      assert.deepEqual(Deno.readFileSync(one), Deno.readFileSync(two));
      const listed = (await mustRun("dpkg-deb", ["--contents", one])).trim().split("\n")
        .map((line) => line.split(/ +/));
      for (const [mode, owner, , day] of listed) {
        assert.match(mode!, /^(?:drwxr-xr-x|-rw-r--r--|-rwxr-xr-x)$/);
        assert.deepEqual([owner, day], ["root/root", "2023-11-14"]);
      }
      const files = listed.filter(([mode]) => mode!.startsWith("-"));
      assert.deepEqual(
        files.map((row) => row[5]!.slice(2)).sort(),
        [
          "usr/bin/nodens",
          SERVICE,
          "usr/lib/systemd/system/nodens.socket",
          "usr/lib/sysusers.d/nodens.conf",
          "usr/share/bash-completion/completions/nodens",
          "usr/share/doc/nodens/CHANGELOG.md.gz",
          "usr/share/doc/nodens/changelog.gz",
          "usr/share/doc/nodens/copyright",
          "usr/share/doc/nodens/examples/Corefile",
          "usr/share/fish/vendor_completions.d/nodens.fish",
          "usr/share/man/man1/nodens.1.gz",
          "usr/share/zsh/vendor-completions/_nodens",
        ].sort(),
      );
      const executables = files.filter(([mode]) => mode!.includes("x")).map((row) => row[5]);
      assert.deepEqual(executables, ["./usr/bin/nodens"]);
      const tree = `${folder}/out`;
      await mustRun("dpkg-deb", ["--raw-extract", one, tree]);
      const service = Deno.readTextFileSync(`${tree}/${SERVICE}`);
      assert.match(service, /^ExecStart=\/usr\/bin\/nodens /m);
      assert.doesNotMatch(service, /\/usr\/local/);
      const page = gunzipSync(Deno.readFileSync(`${tree}/usr/share/man/man1/nodens.1.gz`));
      assert.match(page.toString(), /^\.Nm nodens$/m);
      const changes = gunzipSync(Deno.readFileSync(`${tree}/usr/share/doc/nodens/changelog.gz`));
      assert.match(
        changes.toString(),
        /^nodens \(1\.2\.3\) unstable; .*\n -- .*> {2}Tue, 14 Nov 2023 22:13:20 \+0000\n$/s,
      );
      for (const name of ["postinst", "prerm", "postrm"]) {
        await mustRun("sh", ["-n", `${tree}/DEBIAN/${name}`]);
      }
      const field = async (name: string) =>
        (await mustRun("dpkg-deb", ["--field", one, name])).trim();
      assert.equal(await field("Architecture"), "amd64");
      assert.equal(await field("Version"), "1.2.3");
      // Small installations lack /bin/kill.
      assert.doesNotMatch(service, /^Exec.*\/bin\/kill/m);
      assert.doesNotMatch(await field("Depends"), /\bprocps\b/);
    }),
});

Deno.test({
  name: "Debian package: can be installed, updated, and purged without a trace",
  ...skipFor([
    ...NO_ROOT,
    ...["dpkg", "systemd-sysusers", "userdel"].filter((one) => !have(one)).map((one) =>
      `${one} is missing`
    ),
  ]),
  fn: () =>
    withFolder(async (folder) => {
      const root = `${folder}/root`;
      for (const path of ["etc", "var/lib/dpkg/info", "var/lib/dpkg/updates", "var/cache"]) {
        Deno.mkdirSync(`${root}/${path}`, { recursive: true });
      }
      for (
        const [path, text] of [
          ["etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"],
          ["etc/group", "root:x:0:\n"],
          ["etc/shadow", "root:*:20000::::::\n"],
          ["etc/gshadow", "root:*::\n"],
          ["var/lib/dpkg/status", ""],
        ]
      ) Deno.writeTextFileSync(`${root}/${path}`, text!);
      const dpkg = async (...args: string[]) => {
        // The scripts run outside, with DPKG_ROOT: the tree has no shell.
        const forced = ["--force-depends", "--force-script-chrootless"];
        const { ok, text } = await runCommand("dpkg", [`--root=${root}`, ...forced, ...args]);
        assert.ok(ok, text);
      };
      const accounts = () => Deno.readTextFileSync(`${root}/etc/passwd`);
      await dpkg("--install", await make(folder, "1.2.3"));
      assert.match(accounts(), /^nodens:.*:\/var\/lib\/nodens:\/usr\/sbin\/nologin$/m);
      assert.equal(await mustRun(`${root}/usr/bin/nodens`, []), "nodens-1.2.3\n");
      // Files of the service and the operator.
      for (const path of ["etc/nodens", "var/lib/nodens", "var/cache/nodens"]) {
        Deno.mkdirSync(`${root}/${path}`);
        Deno.writeTextFileSync(`${root}/${path}/file`, "");
      }
      await dpkg("--install", await make(folder, "1.2.4"));
      assert.equal(await mustRun(`${root}/usr/bin/nodens`, []), "nodens-1.2.4\n");
      await dpkg("--remove", "nodens");
      assert.match(accounts(), /^nodens:/m, "removed, not purged");
      Deno.statSync(`${root}/etc/nodens/file`);
      await dpkg("--purge", "nodens");
      assert.doesNotMatch(accounts(), /nodens/);
      assert.doesNotMatch(Deno.readTextFileSync(`${root}/etc/group`), /nodens/);
      const left = await mustRun("find", [root, "-name", "*nodens*"]);
      assert.equal(left, "");
    }),
});
