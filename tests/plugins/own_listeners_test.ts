import assert from "node:assert/strict";
import { loadConfig } from "../../src/loading/load.ts";
import type { Config } from "../../src/config/types.ts";
import type { ForwardOptions } from "../../src/plugins/forward/options.ts";
import { OwnListeners } from "../../src/plugins/forward/own_listeners.ts";
import { fakeHost } from "../support/doubles/fake_host.ts";
import "../support/engine/all_plugins.ts";

const INTERFACES = ["127.0.0.1", "::1", "192.0.2.1", "2001:db8::1", "fe80::1%eth0"];

function load(text: string): Config {
  return loadConfig({ file: "Corefile", text, defaultPort: 53 }, fakeHost()).config;
}

function ledBack(text: string): string[] {
  const config = load(text);
  const named = ({ upstreams }: ForwardOptions) => upstreams;
  const own = new OwnListeners(config, named, () => INTERFACES);
  const block = config.blocks.findIndex(({ plugins }) => plugins[0]?.name === "forward");
  const options = config.blocks[block]!.plugins[0]!.options as ForwardOptions;
  return options.upstreams.filter((one) => own.leadsBack(block, options, one))
    .map(({ address }) => address);
}

/** Server blocks of a zone, on addresses, that forward or answer. */
function blocks(...list: { zone?: string; bind?: string; forward?: string; options?: string }[]) {
  return list.map(({ zone = ".", bind = "", forward = "", options = "" }) =>
    `${zone} {\n${bind && ` bind ${bind}\n`}` +
    `${forward && ` forward ${forward} {\n${options}\n}\n`} whoami\n}\n`
  ).join("");
}

/** Servers that lead back to a block on these addresses, and servers that do not. */
const ADDRESSES: { bind: string; back: string[]; elsewhere: string[] }[] = [
  {
    bind: "",
    back: [
      ...["127.0.0.1", "127.9.9.9", "::1", "0:0::0:1", "0.0.0.0", "::"],
      ...["192.0.2.1", "::ffff:192.0.2.1", "2001:DB8::1", "fe80::1%eth0"],
    ],
    elsewhere: [
      ...["192.0.2.2", "fe80::2%eth0", "fe80::1%eth1", "192.0.2.1:1053", "tls://192.0.2.1:53"],
    ],
  },
  { bind: "::", back: ["192.0.2.1"], elsewhere: [] },
  { bind: "0.0.0.0", back: ["192.0.2.1"], elsewhere: ["2001:db8::1"] },
  { bind: "127.0.0.1", back: ["0.0.0.0"], elsewhere: [] },
  { bind: "127.0.0.2", back: ["127.0.0.2"], elsewhere: ["127.0.0.1"] },
  { bind: "169.254.20.10", back: ["169.254.20.10"], elsewhere: [] },
  { bind: "fe80::1%eth0", back: ["fe80::1%eth0"], elsewhere: ["fe80::1%eth1"] },
];

for (const { bind, back, elsewhere } of ADDRESSES) {
  for (const server of [...back, ...elsewhere]) {
    const leadsBack = back.includes(server);
    const verb = leadsBack ? "leads back" : "does not lead back";
    Deno.test(`own listeners: ${server} ${verb} to a block on ${bind || "all addresses"}`, () => {
      assert.equal(ledBack(blocks({ bind, forward: `. ${server}` })).length, leadsBack ? 1 : 0);
    });
  }
}

/** Server blocks, the first of which forwards, and its servers that lead back to it. */
const WAYS: [title: string, blocks: Parameters<typeof blocks>, back: string[]][] = [
  ["another block that answers or forwards elsewhere", [
    { bind: "127.0.0.1", forward: ". 127.0.0.2 127.0.0.3" },
    { bind: "127.0.0.2", forward: ". 192.0.2.2" },
    { bind: "127.0.0.3" },
  ], []],
  ["a listener on the address precedes one on all addresses", [
    { zone: "example.org", forward: ". 127.0.0.2 127.0.0.3" },
    { bind: "127.0.0.2", forward: ". 192.0.2.2" },
  ], ["127.0.0.3"]],
  ["a way through two other blocks", [
    { bind: "127.0.0.1", forward: ". 127.0.0.2 127.0.0.4" },
    { bind: "127.0.0.2", forward: ". 127.0.0.3" },
    { bind: "127.0.0.3", forward: ". 192.0.2.2 127.0.0.1" },
    { bind: "127.0.0.4", forward: ". 127.0.0.2" },
  ], ["127.0.0.2", "127.0.0.4"]],
  ["a circle of other blocks", [
    { bind: "127.0.0.1", forward: ". 127.0.0.2" },
    { bind: "127.0.0.2", forward: ". 127.0.0.3" },
    { bind: "127.0.0.3", forward: ". 127.0.0.2" },
  ], []],
  ["names of another block's zone on the same listener", [
    { zone: "example.org", bind: "127.0.0.1", forward: ". 127.0.0.2" },
    { bind: "127.0.0.2", forward: ". 127.0.0.3" },
    { zone: "example.org", bind: "127.0.0.3" },
    { bind: "127.0.0.3", forward: ". 127.0.0.1" },
    { bind: "127.0.0.1", forward: ". 192.0.2.2" },
  ], []],
  ["some of the names", [
    { bind: "127.0.0.1", forward: ". 127.0.0.2" },
    { zone: "example.org", bind: "127.0.0.2", forward: ". 127.0.0.1" },
  ], ["127.0.0.2"]],
  ["zones that are not forwarded", [
    { bind: "127.0.0.1", forward: ". 127.0.0.2", options: " except example.org" },
    { zone: "www.example.org", bind: "127.0.0.2", forward: ". 127.0.0.1" },
    { bind: "127.0.0.2", forward: "example.org 127.0.0.1" },
  ], []],
  ["a parent of a zone that is not forwarded", [
    { bind: "127.0.0.1", forward: ". 127.0.0.2", options: " except example.org" },
    { zone: "org", bind: "127.0.0.2", forward: ". 127.0.0.1" },
  ], ["127.0.0.2"]],
  ["another zone that the second block forwards", [
    { bind: "127.0.0.1", forward: "example.org 127.0.0.2" },
    { bind: "127.0.0.2", forward: "example.net 127.0.0.1" },
  ], []],
];

for (const [title, list, back] of WAYS) {
  Deno.test(`own listeners: ${title}`, () => assert.deepEqual(ledBack(blocks(...list)), back));
}

Deno.test("own listeners: the machine's addresses are read at most once, and only if needed", () => {
  const count = (text: string) => {
    const config = load(text);
    let count = 0;
    const interfaces = () => (count++, INTERFACES);
    const own = new OwnListeners(config, ({ upstreams }) => upstreams, interfaces);
    const options = config.blocks[0]!.plugins[0]!.options as ForwardOptions;
    for (const server of options.upstreams) own.leadsBack(0, options, server);
    return count;
  };
  assert.equal(count(blocks({ bind: "127.0.0.1", forward: ". 192.0.2.2" })), 0);
  assert.equal(count(blocks({ forward: ". 192.0.2.2:1053 127.0.0.1" })), 0);
  assert.equal(count(blocks({ forward: ". 192.0.2.2 192.0.2.3" })), 1);
});

Deno.test("own listeners: comparing forty thousand zones takes bounded work", () => {
  const zones = Array.from({ length: 20_000 }, (_, i) => `z${i}.example`).join(" ");
  const corefile = `${zones} {\n bind 127.0.0.1\n forward . 127.0.0.2\n}\n` +
    `${zones} {\n bind 127.0.0.2\n forward . 192.0.2.2\n}\n`;
  assert.deepEqual(ledBack(corefile), []);
});
