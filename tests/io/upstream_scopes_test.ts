import assert from "node:assert/strict";
import { Namespace, namespaceReasons } from "../support/namespaces/namespace.ts";
import { skipFor } from "../support/run/require.ts";

const CHILD = new URL("./scope_child.ts", import.meta.url).pathname;
const skip = skipFor(namespaceReasons());

/** Adds a link with a link-local address; returns its index. */
function addLink(namespace: Namespace, name: string): number {
  namespace.ip("link", "add", name, "type", "bridge");
  namespace.ip("address", "add", "fe80::2/64", "dev", name, "nodad");
  namespace.ip("link", "set", name, "up");
  return namespace.json("link", "show", "dev", name)[0].ifindex;
}

Deno.test({
  name: "an upstream with a scope follows its interface when that is recreated or renamed",
  ...skip,
  fn: async () => {
    const namespace = new Namespace();
    const child = new Deno.Command("ip", {
      args: namespace.exec(Deno.execPath(), "run", "-A", "--quiet", CHILD, "uplink"),
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const input = child.stdin.getWriter();
    const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const ask = async (how: "notice" | "failure") => {
      await input.write(new TextEncoder().encode(`${how}\n`));
      return Number((await output.read()).value);
    };
    try {
      assert.equal(await ask("failure"), -1, "the interface does not exist");
      const first = addLink(namespace, "uplink");
      assert.equal(await ask("failure"), first);

      namespace.ip("link", "delete", "uplink");
      assert.equal(await ask("failure"), -1);
      const second = addLink(namespace, "uplink");
      assert.notEqual(second, first);
      assert.equal(await ask("failure"), second);

      // The old interface still accepts packets, so only the kernel's notice reveals the change.
      namespace.ip("link", "set", "uplink", "down");
      namespace.ip("link", "set", "uplink", "name", "former");
      namespace.ip("link", "set", "former", "up");
      const third = addLink(namespace, "uplink");
      assert.equal(await ask("notice"), third);
    } finally {
      await input.close();
      await output.cancel();
      await child.status;
      namespace.remove();
    }
  },
});
