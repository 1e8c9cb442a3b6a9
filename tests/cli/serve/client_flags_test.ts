import assert from "node:assert/strict";
import { FlagError, parseFlags } from "../../../src/cli/flags.ts";
import {
  checkClientFlags,
  CLIENT_FLAGS,
  readClientSource,
} from "../../../src/cli/serve/client_flags.ts";

function read(args: string[], variables: Record<string, string> = {}) {
  const { values, given } = parseFlags(args, CLIENT_FLAGS);
  checkClientFlags(values, given);
  return readClientSource(values, (name) => variables[name]);
}

const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";
const KUBELET = {
  kind: "kubelet",
  host: "192.0.2.1",
  port: 10250,
  nodeName: "",
  tokenFile: `${ACCOUNT}/token`,
  caFile: `${ACCOUNT}/ca.crt`,
};

Deno.test("-clients is off by default, and reads neither files nor the environment", () => {
  assert.equal(read([], { HOST_IP: "192.0.2.1" }), null);
  assert.equal(read(["-clients", "off"]), null);
});

Deno.test("-clients names a file, a folder or the kubelet", () => {
  assert.deepEqual(read(["-clients", "/etc/clients"]), { kind: "files", path: "/etc/clients" });
  assert.deepEqual(read(["-clients", "./kubelet"]), { kind: "files", path: "./kubelet" });
  const kubelet = ["-clients", "kubelet"];
  const variables = { HOST_IP: "192.0.2.1", NODE_NAME: "node-1" };
  assert.deepEqual(read(kubelet, variables), { ...KUBELET, nodeName: "node-1" });
  assert.deepEqual(read([...kubelet, "-clients-insecure"], { HOST_IP: "192.0.2.1" }), {
    ...KUBELET,
    caFile: null,
  });
  assert.deepEqual(read([...kubelet, "-clients-token", "t", "-clients-ca", "c"], variables), {
    ...KUBELET,
    nodeName: "node-1",
    tokenFile: "t",
    caFile: "c",
  });
  const rows: [string, string, number][] = [
    ["192.0.2.2", "192.0.2.2", 10250],
    ["192.0.2.2:1", "192.0.2.2", 1],
    ["2001:DB8::1", "2001:db8::1", 10250],
    ["[2001:db8::1]:250", "2001:db8::1", 250],
    ["node-1.example.org", "node-1.example.org", 10250],
  ];
  for (const [address, host, port] of rows) {
    const found = read([...kubelet, "-clients-kubelet", address], { HOST_IP: "192.0.2.9" });
    assert.deepEqual(found, { ...KUBELET, host, port }, address);
  }
});

Deno.test("-clients: wrong combinations and addresses are refused with a remedy", () => {
  const rows: [string[], Record<string, string>, RegExp][] = [
    [["-clients", ""], {}, /^flag -clients: kubelet, a file or off is missing$/],
    [
      ["-clients", "kubelet"],
      {},
      /needs the node's address \(-clients-kubelet ADDRESS, or HOST_IP/,
    ],
    [["-clients", "kubelet"], { HOST_IP: "a b" }, /^HOST_IP: "a b" is not an address/],
    [["-clients-insecure"], {}, /^flag -clients-insecure: goes with -clients kubelet$/],
    [["-clients", "f", "-clients-ca", "c"], {}, /^flag -clients-ca: goes with -clients kubelet$/],
    [
      ["-clients", "kubelet", "-clients-ca", "c", "-clients-insecure"],
      { HOST_IP: "192.0.2.1" },
      /give one of them$/,
    ],
    ...["x:y", ":10250", "1.2.3.4:0", "1.2.3.4:99999", "http://x", "x/y"].map((
      address,
    ): [string[], Record<string, string>, RegExp] => [
      ["-clients", "kubelet", "-clients-kubelet", address],
      {},
      /^flag -clients-kubelet: .* is not an address \(write 192\.0\.2\.1, /,
    ]),
  ];
  for (const [args, variables, message] of rows) {
    assert.throws(() => read(args, variables), (error: Error) => {
      assert.ok(error instanceof FlagError);
      assert.match(error.message, message);
      return true;
    }, args.join(" "));
  }
});
