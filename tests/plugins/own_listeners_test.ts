import assert from "node:assert/strict";
import { loadConfig } from "../../src/loading/load.ts";
import type { Config } from "../../src/config/types.ts";
import type { ForwardOptions } from "../../src/plugins/forward/options.ts";
import { OwnListeners } from "../../src/plugins/forward/own_listeners.ts";
import { fakeHost } from "../support/doubles/fake_host.ts";

const INTERFACES = ["127.0.0.1", "::1", "192.0.2.1", "2001:db8::1", "fe80::1%eth0"];

function load(text: string): Config {
  return loadConfig({ file: "Corefile", text, defaultPort: 53 }, fakeHost()).config;
}

/** Servers, of those that the first `forward` of the Corefile names, that lead back to its block. */
function ledBack(text: string): string[] {
  const config = load(text);
  const named = ({ upstreams }: ForwardOptions) => upstreams;
  const own = new OwnListeners(config, named, () => INTERFACES);
  const block = config.blocks.findIndex(({ plugins }) => plugins[0]?.name === "forward");
  const options = config.blocks[block]!.plugins[0]!.options as ForwardOptions;
  return options.upstreams.filter((one) => own.leadsBack(block, options, one))
    .map(({ address }) => address);
}

/** Server blocks of the port 53, each a zone, addresses to bind, and what is forwarded. */
function blocks(...list: { zone?: string; bind?: string; forward?: string; options?: string }[]) {
  return list.map(({ zone = ".", bind = "", forward = "", options = "" }) =>
    `${zone} {\n${bind && ` bind ${bind}\n`}` +
    `${forward && ` forward ${forward} {\n${options}\n}\n`} whoami\n}\n`
  ).join("");
}

const ADDRESSES: { bind?: string; asked: string; back: boolean }[] = [
  { asked: "127.0.0.1", back: true },
  { asked: "127.9.9.9", back: true },
  { asked: "::1", back: true },
  { asked: "0:0::0:1", back: true },
  { asked: "0.0.0.0", back: true },
  { asked: "::", back: true },
  { asked: "192.0.2.1", back: true },
  { asked: "::ffff:192.0.2.1", back: true },
  { asked: "2001:DB8::1", back: true },
  { asked: "fe80::1%eth0", back: true },
  { asked: "192.0.2.2", back: false },
  { asked: "fe80::2%eth0", back: false },
  { asked: "fe80::1%eth1", back: false },
  { bind: "fe80::1%eth0", asked: "fe80::1%eth0", back: true },
  { bind: "fe80::1%eth0", asked: "fe80::1%eth1", back: false },
  { asked: "192.0.2.1:1053", back: false },
  { asked: "tls://192.0.2.1:53", back: false },
  { bind: "::", asked: "192.0.2.1", back: true },
  { bind: "0.0.0.0", asked: "192.0.2.1", back: true },
  { bind: "0.0.0.0", asked: "2001:db8::1", back: false },
  { bind: "127.0.0.2", asked: "127.0.0.2", back: true },
  { bind: "127.0.0.2", asked: "127.0.0.1", back: false },
  { bind: "127.0.0.1", asked: "0.0.0.0", back: true },
  { bind: "169.254.20.10", asked: "169.254.20.10", back: true },
];

for (const { bind, asked, back } of ADDRESSES) {
  const where = bind === undefined ? "all addresses" : bind;
  Deno.test(`own listeners: ${asked} from a block on ${where} ${back ? "comes back" : "does not"}`, () => {
    const found = ledBack(blocks({ ...bind !== undefined && { bind }, forward: `. ${asked}` }));
    assert.equal(found.length, back ? 1 : 0);
  });
}

const WAYS: { what: string; corefile: string; back: string[] }[] = [
  {
    what: "another block that answers or forwards elsewhere",
    corefile: blocks(
      { bind: "127.0.0.1", forward: ". 127.0.0.2 127.0.0.3" },
      { bind: "127.0.0.2", forward: ". 192.0.2.2" },
      { bind: "127.0.0.3" },
    ),
    back: [],
  },
  {
    what: "a listener of the address goes before one of all",
    corefile: blocks(
      { zone: "example.org", forward: ". 127.0.0.2 127.0.0.3" },
      { bind: "127.0.0.2", forward: ". 192.0.2.2" },
    ),
    back: ["127.0.0.3"],
  },
  {
    what: "by way of two others",
    corefile: blocks(
      { bind: "127.0.0.1", forward: ". 127.0.0.2 127.0.0.4" },
      { bind: "127.0.0.2", forward: ". 127.0.0.3" },
      { bind: "127.0.0.3", forward: ". 192.0.2.2 127.0.0.1" },
      { bind: "127.0.0.4", forward: ". 127.0.0.2" },
    ),
    back: ["127.0.0.2", "127.0.0.4"],
  },
  {
    what: "a circle of others is not one of this block",
    corefile: blocks(
      { bind: "127.0.0.1", forward: ". 127.0.0.2" },
      { bind: "127.0.0.2", forward: ". 127.0.0.3" },
      { bind: "127.0.0.3", forward: ". 127.0.0.2" },
    ),
    back: [],
  },
  {
    what: "names of another block's zone on the same listener",
    corefile: blocks(
      { zone: "example.org", bind: "127.0.0.1", forward: ". 127.0.0.2" },
      { bind: "127.0.0.2", forward: ". 127.0.0.3" },
      { zone: "example.org", bind: "127.0.0.3" },
      { bind: "127.0.0.3", forward: ". 127.0.0.1" },
      { bind: "127.0.0.1", forward: ". 192.0.2.2" },
    ),
    back: [],
  },
  {
    what: "some of the names suffice",
    corefile: blocks(
      { bind: "127.0.0.1", forward: ". 127.0.0.2" },
      { zone: "example.org", bind: "127.0.0.2", forward: ". 127.0.0.1" },
    ),
    back: ["127.0.0.2"],
  },
  {
    what: "zones that are not forwarded",
    corefile: blocks(
      { bind: "127.0.0.1", forward: ". 127.0.0.2", options: " except example.org" },
      { zone: "www.example.org", bind: "127.0.0.2", forward: ". 127.0.0.1" },
      { bind: "127.0.0.2", forward: "example.org 127.0.0.1" },
    ),
    back: [],
  },
  {
    what: "zones that are not forwarded at first",
    corefile: blocks(
      { bind: "127.0.0.1", forward: ". 127.0.0.2", options: " except example.org" },
      { zone: "org", bind: "127.0.0.2", forward: ". 127.0.0.1" },
    ),
    back: ["127.0.0.2"],
  },
  {
    what: "a zone of its own that the block forwards",
    corefile: blocks(
      { bind: "127.0.0.1", forward: "example.org 127.0.0.2" },
      { bind: "127.0.0.2", forward: "example.net 127.0.0.1" },
    ),
    back: [],
  },
];

for (const { what, corefile, back } of WAYS) {
  Deno.test(`own listeners: ${what}`, () => assert.deepEqual(ledBack(corefile), back));
}

Deno.test("own listeners: addresses of the machine are asked for only where they matter, and once", () => {
  const count = (text: string) => {
    const config = load(text);
    let asked = 0;
    const own = new OwnListeners(config, ({ upstreams }) => upstreams, () => {
      asked++;
      return INTERFACES;
    });
    const options = config.blocks[0]!.plugins[0]!.options as ForwardOptions;
    for (const server of options.upstreams) own.leadsBack(0, options, server);
    return asked;
  };
  assert.equal(count(blocks({ bind: "127.0.0.1", forward: ". 192.0.2.2" })), 0);
  assert.equal(count(blocks({ forward: ". 192.0.2.2:1053 127.0.0.1" })), 0);
  assert.equal(count(blocks({ forward: ". 192.0.2.2 192.0.2.3" })), 1);
});

Deno.test("own listeners: forty thousand zones are compared within bounds", () => {
  const zones = Array.from({ length: 20_000 }, (_, i) => `z${i}.example`).join(" ");
  const corefile = `${zones} {\n bind 127.0.0.1\n forward . 127.0.0.2\n}\n` +
    `${zones} {\n bind 127.0.0.2\n forward . 192.0.2.2\n}\n`;
  assert.deepEqual(ledBack(corefile), []);
});
