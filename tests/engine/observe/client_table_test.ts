import assert from "node:assert/strict";
import { Address, parseAddress } from "../../../src/dns/address.ts";
import {
  buildClientTable,
  type ClientName,
  ClientTable,
  MAX_CLIENT_NAME_BYTES,
  MAX_CLIENT_NAME_LENGTH,
  MAX_CLIENT_NAMES,
} from "../../../src/engine/observe/client_table.ts";
import { HashKey } from "../../../src/engine/question/keyed_hash.ts";

const KEY = new HashKey(0x1234_5678, -7);

function table(names: Iterable<ClientName>): ClientTable {
  return new ClientTable(buildClientTable(names, KEY));
}

function addressOf(text: string): Address {
  const bytes = parseAddress(text)!;
  const address = new Address();
  address.family = bytes.length === 4 ? 4 : 6;
  address.bytes.fill(0xee);
  address.bytes.set(bytes);
  return address;
}

function nameOf(clients: ClientTable, text: string): string | null {
  const entry = clients.findText(text);
  assert.equal(clients.find(addressOf(text.split("%")[0]!)), entry, text);
  return entry < 0 ? null : clients.nameAt(entry);
}

Deno.test("client table: finds names by every form of an address", () => {
  const clients = table([
    { address: "10.1.0.7", name: "shop/cart-0" },
    { address: "::ffff:10.1.0.8", name: "shop/cart-1" },
    { address: "fd00::7", name: "kube-system/coredns" },
    { address: "fe80::1%eth0", name: "router" },
    { address: "127.0.0.1", name: "(host)" },
    { address: "10.1.0.7", name: "later/name" },
  ]);
  const rows: [string, string | null][] = [
    ["10.1.0.7", "shop/cart-0"],
    ["::ffff:10.1.0.7", "shop/cart-0"],
    ["10.1.0.8", "shop/cart-1"],
    ["fd00:0::7", "kube-system/coredns"],
    ["FE80::1%eth1", "router"],
    ["127.0.0.1", "(host)"],
    ["10.1.0.9", null],
    ["::10.1.0.7", null],
    ["::", null],
    ["0.0.0.0", null],
  ];
  for (const [address, name] of rows) assert.equal(nameOf(clients, address), name, address);
  assert.equal(clients.size, 5);
  assert.deepEqual(clients.namespaces, ["shop", "kube-system", "(none)", "(host)"]);
  const namespaceOf = (text: string) =>
    clients.namespaces[clients.namespaceAt(clients.findText(text))];
  assert.equal(namespaceOf("fd00::7"), "kube-system");
  assert.equal(clients.findText("nobody"), -1);
});

Deno.test("client table: an empty table knows nobody", () => {
  const clients = table([]);
  assert.equal(nameOf(clients, "10.1.0.7"), null);
  assert.deepEqual([clients.size, clients.namespaces], [0, []]);
});

Deno.test("client table: names that cannot be shown are left out", () => {
  const names = ["", "a b", 'a"b', "a\\b", "a\nb", "a\x1b[2J", "ä", "x".repeat(318)];
  const clients = table([
    ...names.map((name, i) => ({ address: `10.0.0.${i}`, name })),
    { address: "10.0.1.1", name: "x".repeat(317) },
    { address: "no address", name: "x" },
  ]);
  assert.equal(clients.size, 1);
  assert.equal(nameOf(clients, "10.0.1.1"), "x".repeat(317));
});

Deno.test("client table: as many names as it may have are all found, and no more", () => {
  const names = Array.from({ length: MAX_CLIENT_NAMES + 10 }, (_, i) => ({
    address: i % 2 === 0
      ? `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`
      : `fd00::${i >> 8}:${i & 255}`,
    name: `n${i % 300}/p${i}`,
  }));
  const clients = table(names);
  assert.equal(clients.size, MAX_CLIENT_NAMES);
  for (const [i, { address, name }] of names.entries()) {
    assert.equal(nameOf(clients, address), i < MAX_CLIENT_NAMES ? name : null);
  }
});

Deno.test("client table: long names stop at the bound of all octets", () => {
  const names = Array.from({ length: 20_000 }, (_, i) => ({
    address: `10.0.${i >> 8}.${i & 255}`,
    name: `${String(i).padStart(5, "0")}/`.padEnd(MAX_CLIENT_NAME_LENGTH, "x"),
  }));
  const clients = table(names);
  assert.ok(clients.size > 10_000 && clients.size < 20_000);
  assert.ok(clients.buffer.byteLength < 2 * MAX_CLIENT_NAME_BYTES);
  assert.equal(nameOf(clients, names[clients.size - 1]!.address), names[clients.size - 1]!.name);
});
