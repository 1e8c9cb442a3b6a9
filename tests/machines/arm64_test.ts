/**
 * nodens on emulated arm64: FFI, netlink, the contract of the linux driver, and a complete nodens.
 * Prints the emulator's limitations.
 */
import assert from "node:assert/strict";
import { withFolder } from "../support/run/folder.ts";
import { skipFor } from "../support/run/require.ts";
import * as constants from "../../src/sys/constants.ts";
import { Arm64, arm64Reasons } from "./arm64.ts";
import { askWithDig } from "./arm64_battery.ts";
import { arm64Flags, assertAsInHeaders } from "./headers.ts";

const CONSTANTS = new URL("../../src/sys/constants.ts", import.meta.url).href;
const INTERFACE = new URL("../../src/node/interface/interface.ts", import.meta.url).href;

interface Suite {
  readonly files: readonly string[];
  readonly filter?: string;
  readonly fails: Readonly<Record<string, string>>;
}

const CONTRACT: Suite = { files: ["tests/io/contract_test.ts"], filter: "/^linux: /", fails: {} };
/** All other uses of FFI. */
const OTHERS: Suite = {
  files: [
    ...["linux_streams", "poller", "upstream_sockets"].map((name) => `tests/io/${name}_test.ts`),
    ...["kernel_file", "kernel_tree", "libc", "memory", "unix_datagram"]
      .map((name) => `tests/sys/${name}_test.ts`),
    ...["netlink", "rtnetlink", "sock_diag"].map((name) => `tests/sys/netlink/${name}_test.ts`),
  ],
  fails: {
    "open sockets are listed by port and state, and no others":
      "qemu-user has no netlink sockets of sock_diag, and no SO_COOKIE",
    "megabytes of the executable are released, and it still runs":
      "programs under qemu-user cannot start arm64 programs",
  },
};
/** Excluded tests, with the reason. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  "tests/sys/descriptor_limit_test.ts": "programs under qemu-user cannot start arm64 programs",
  "tests/io/steering_test.ts": "qemu-user has no SO_ATTACH_REUSEPORT_CBPF",
  "tests/node": "qemu-user has no SO_MARK, and starts no programs for arm64",
};
/** Some minutes on two busy cores; one on idle ones. */
const WITHIN_MS = 900_000;

Deno.test({
  name: "arm64",
  ...skipFor(arm64Reasons()),
  fn: (t) =>
    withFolder(async (folder) => {
      for (const [what, why] of Object.entries({ ...OTHERS.fails, ...LEFT_OUT })) {
        Deno.stdout.writeSync(new TextEncoder().encode(`not on arm64: ${what} (${why})\n`));
      }
      const arm64 = await Arm64.prepare(folder);
      const contract = runTests(arm64, CONTRACT).then(() => null, (error: Error) => error);
      await t.step(
        "constants and layouts equal those of the C headers, here and on arm64",
        async () => {
          await assertAsInHeaders(constants);
          const code = `import * as all from "${CONSTANTS}"; console.log(JSON.stringify(all));`;
          const { text } = await arm64.run(["eval", "--no-lock", code], WITHIN_MS);
          await assertAsInHeaders(JSON.parse(text), await arm64Flags(arm64.root));
        },
      );
      await t.step("netlink makes an interface, adds addresses, and removes it", () =>
        makeInterface(arm64));
      await t.step("a complete nodens answers dig", () =>
        askWithDig(arm64, folder));
      await t.step("the tests of FFI and netlink pass", () => runTests(arm64, OTHERS));
      await t.step("the linux driver meets the drivers' contract", async () => {
        const error = await contract;
        if (error !== null) throw error;
      });
    }),
});

/** Runs tests; exactly those in `fails` must fail. */
async function runTests(arm64: Arm64, { files, filter, fails }: Suite): Promise<void> {
  const options = ["--lock=dev.lock", "--frozen", "-A", "--no-check"];
  if (filter !== undefined) options.push(`--filter=${filter}`);
  const { text } = await arm64.run(["test", ...options, ...files], WITHIN_MS);
  const passed = Number(/^(?:ok|FAILED) \| (\d+) passed/m.exec(text)?.[1] ?? 0);
  const failed = [...text.matchAll(/^(\S.*) \.\.\. FAILED/gm)].map(([, name]) => name);
  assert.deepEqual(failed.sort(), Object.keys(fails).sort(), text);
  assert.ok(passed >= files.length, text);
}

async function makeInterface(arm64: Arm64): Promise<void> {
  const code = `
    import { NodeInterface } from "${INTERFACE}";
    const addresses = ["169.254.20.10", "fd00::10"];
    const options = { name: "nodens0", addresses, log: (_level, line) => console.log(line) };
    const made = new NodeInterface(options);
    made.ensure();
    console.log("again", made.ensure().changes.length);
    made.remove();
    console.log("removed", made.remove().length);`;
  const { text } = await arm64.run(["eval", "--no-lock", code], WITHIN_MS, ["unshare", "--net"]);
  assert.match(
    text,
    /made the link, .* added 169\.254\.20\.10\/32, added fd00::10\/128\nagain 0\n/,
  );
  assert.match(text, /removed the link, .*\nremoved 0\n$/);
}
