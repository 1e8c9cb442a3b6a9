import assert from "node:assert/strict";
import type { BootedTree } from "../support/containers/booted_tree.ts";
import { IMAGE } from "../support/containers/image_root.ts";
import {
  ANSWERS,
  commandsOf,
  fileOf,
  NETWORK_SERVER,
  NETWORK_UP,
  NEXT_VERSION,
} from "../support/containers/installed_tree.ts";

/** Files that dpkg, apt, systemd and Deno write for any package. */
const NOT_OURS = [
  /^\/(?:dev|proc|run|sys|root|tmp)\//,
  /^\/var\/(?:tmp|log|cache\/apt|lib\/apt|lib\/systemd)\//,
  /^\/var\/lib\/dpkg\/[^/]+$/,
  /^\/etc\/(?:passwd|group|shadow|gshadow)-$/,
  new RegExp(`^${IMAGE.denoDir}/`),
];

/**
 * The Debian package: installed by the page, started, updated, removed, and purged without a
 * trace.
 */
export async function tryPackage(tree: BootedTree): Promise<void> {
  const [install, ...more] = commandsOf("### As a package");
  assert.deepEqual(more, []);
  tree.write("/etc/resolv.conf", `nameserver ${NETWORK_SERVER}\n`);
  await tree.must(NETWORK_UP);
  const before = await state(tree);

  await tree.must(install!);
  assert.equal(await tree.show("ActiveState"), "inactive", "it starts nothing");
  await tree.must("test -x /usr/bin/nodens && id nodens");
  await tree.must("zcat /usr/share/man/man1/nodens.1.gz | grep -qx '.Nm nodens'");
  // bash loads it by this name.
  await tree.must("source /usr/share/bash-completion/completions/nodens && complete -p nodens");
  await tree.must(
    "head -n 1 /usr/share/zsh/vendor-completions/_nodens | grep -qx '#compdef nodens'",
  );
  await tree.must("grep -q 'complete -c nodens' /usr/share/fish/vendor_completions.d/nodens.fish");
  assert.equal(await tree.must("dpkg --verify nodens"), "");
  await assertDependsOnWhatItLoads(tree);

  const { name, text } = fileOf("### Corefile");
  const [makeFolder, ...rest] = commandsOf("### Corefile");
  await tree.must(makeFolder!);
  tree.write(
    name,
    text.replace("    cache {", "    cache {\n        persist /var/lib/nodens/cache"),
  );
  await tree.type([...rest, "systemctl enable --now nodens.service"]);
  await tree.must(ANSWERS);
  await tree.must("nodens healthcheck");

  const pid = await tree.show("MainPID");
  await tree.must(`apt-get install ./nodens_${NEXT_VERSION}_$(dpkg --print-architecture).deb`);
  await tree.until(ANSWERS);
  assert.notEqual(await tree.show("MainPID"), pid, "an update restarts nodens");
  assert.equal(await tree.show("UnitFileState"), "enabled");
  assert.equal(await tree.show("NRestarts"), "0");

  await tree.must("apt-get remove --yes nodens");
  assert.equal(await tree.show("LoadState"), "not-found");
  await tree.must("! stat -c %U /proc/[0-9]* 2>/dev/null | grep -qx nodens");
  await tree.must(`test -s ${name} && id nodens`);

  await tree.must("apt-get purge --yes nodens");
  assert.deepEqual(await state(tree), before, "something is left");
}

/** The package depends on the packages of the executable's libraries. */
async function assertDependsOnWhatItLoads(tree: BootedTree): Promise<void> {
  const depends = await tree.must("dpkg-query --show -f '${Depends}' nodens");
  // Without a runtime to embed, Deno has the same libraries.
  const loads = "$(command -v deno || command -v nodens)";
  const owners = await tree.must(
    `ldd ${loads} | grep -o '/[^ ]*' | xargs dpkg --search | cut -d: -f1 | sort -u`,
  );
  assert.equal(owners, "libc6\nlibgcc-s1\n");
  for (const owner of owners.trim().split("\n")) {
    assert.match(depends, new RegExp(`\\b${owner}\\b`));
  }
  const newest = await tree.must(`grep -aoE 'GLIBC_2\\.[0-9]+' ${loads} | sort -uV | tail -n 1`);
  assert.ok(depends.includes(`libc6 (>= ${newest.trim().slice("GLIBC_".length)})`), newest);
}

/** All files except package managers', and the accounts. */
async function state(tree: BootedTree): Promise<string[]> {
  const files = await tree.must("find / -xdev ! -type d -print -o -type d -printf '%p/\\n'");
  const accounts = await tree.must("cat /etc/passwd /etc/group /etc/shadow /etc/gshadow");
  const units = await tree.must("systemctl list-unit-files --no-legend | grep nodens || true");
  return [
    ...files.split("\n").filter((path) => !NOT_OURS.some((one) => one.test(path))).sort(),
    ...accounts.split("\n"),
    units,
  ];
}
