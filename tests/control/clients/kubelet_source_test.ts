import assert from "node:assert/strict";
import { type KubeletOptions, KubeletSource } from "../../../src/control/clients/kubelet_source.ts";
import { pod, podList } from "../../support/doubles/pods.ts";
import { skipUnless } from "../../support/run/require.ts";
import { type Authority, makeAuthority } from "../../support/servers/certificates.ts";
import { type KubeletRequest, startKubelet } from "../../support/servers/fake_kubelet.ts";
import { startTls } from "../../support/servers/tls_servers.ts";
import { VirtualClock } from "../../support/run/virtual_clock.ts";

const PODS = podList([
  pod("shop", "cart", { podIP: "10.1.0.7", podIPs: [{ ip: "10.1.0.7" }, { ip: "fd00::7" }] }),
  pod("kube-system", "proxy", { podIP: "192.0.2.1" }, { hostNetwork: true }),
]);
const EXPECTED = [
  "10.1.0.7 shop/cart",
  "fd00::7 shop/cart",
  "127.0.0.1 (host)",
  "192.0.2.1 (host)",
];

interface Scene {
  authority: Authority;
  names?: string;
  respond?: () => Response | Promise<Response>;
  options?: Partial<KubeletOptions>;
}

interface Outcome {
  names?: string[];
  why?: string;
  requests: KubeletRequest[];
}

async function read({ authority, names, respond, options }: Scene): Promise<Outcome> {
  const certificate = authority.issue(names ?? "IP:127.0.0.1");
  const kubelet = startKubelet(certificate, respond ?? (() => new Response(PODS)));
  const tokenFile = `${authority.directory}/token`;
  Deno.writeTextFileSync(tokenFile, "a.b-c_d\n");
  const source = new KubeletSource({
    host: "127.0.0.1",
    port: kubelet.port,
    nodeName: "",
    tokenFile,
    caFile: authority.caFile,
    interfaces: () => ["127.0.0.1", "192.0.2.1"],
    ...options,
  });
  try {
    const { names } = await source.read(new AbortController().signal);
    return {
      names: names.map(({ address, name }) => `${address} ${name}`),
      requests: kubelet.requests,
    };
  } catch (error) {
    return { why: (error as Error).message, requests: kubelet.requests };
  } finally {
    await kubelet.close();
  }
}

const OPENSSL = { ...skipUnless("openssl"), sanitizeOps: false, sanitizeResources: false };

async function withAuthority(use: (authority: Authority) => Promise<void>): Promise<void> {
  const authority = makeAuthority();
  try {
    await use(authority);
  } finally {
    authority.remove();
  }
}

Deno.test({
  name: "kubelet: asks for the pods with the token, and names pods and host",
  ...OPENSSL,
  fn: () =>
    withAuthority(async (authority) => {
      const { names, why, requests } = await read({ authority });
      assert.deepEqual([why, names], [undefined, EXPECTED]);
      assert.deepEqual(requests, [{ path: "/pods", method: "GET", token: "Bearer a.b-c_d" }]);
    }),
});

Deno.test({
  name: "kubelet: its certificate must be of the authority, for the address or the node's name",
  ...OPENSSL,
  fn: () =>
    withAuthority(async (authority) => {
      const other = makeAuthority("another");
      const rows: [Omit<Scene, "authority">, RegExp | null][] = [
        [{ names: "DNS:node-1" }, /^its certificate is for DNS:node-1, not 127\.0\.0\.1$/],
        [{ names: "DNS:node-1", options: { nodeName: "node-1" } }, null],
        [{ names: "IP:192.0.2.9", options: { nodeName: "node-1" } }, /not 127\.0\.0\.1 or node-1$/],
        [{ options: { caFile: other.caFile } }, /cannot be verified \(-clients-ca FILE with/],
        [{ names: "DNS:x", options: { caFile: null } }, null],
        [{ options: { caFile: "/nowhere" } }, /^\/nowhere: there is no such file$/],
        [{ options: { tokenFile: "/nowhere" } }, /^\/nowhere: there is no such file$/],
        [{ options: { tokenFile: "/dev/null" } }, /^\/dev\/null has no token$/],
      ];
      for (const [scene, message] of rows) {
        const { why, names, requests } = await read({ authority, ...scene });
        const label = JSON.stringify(scene);
        if (message === null) {
          assert.deepEqual([why, names], [undefined, EXPECTED], label);
        } else {
          assert.match(why ?? "", message, label);
          assert.deepEqual(requests, [], `the token was sent: ${label}`);
        }
      }
      other.remove();
    }),
});

Deno.test({
  name: "kubelet: what is not a list of pods is refused, with its reason in printable text",
  ...OPENSSL,
  fn: () =>
    withAuthority(async (authority) => {
      const forbidden = "Forbidden (user=x, verb=get,\n resource=nodes)\x1b[2J";
      const rows: [() => Response, RegExp][] = [
        [
          () => new Response("Unauthorized", { status: 401 }),
          /not accept the token \(HTTP 401: Un/,
        ],
        [
          () => new Response(forbidden, { status: 403 }),
          /may not get nodes\/pods, before Kubernetes 1\.33 nodes\/proxy \(HTTP 403: Forbidden \(user=x, verb=get, resource=nodes\) \[2J\)$/,
        ],
        [() => new Response("x".repeat(1000), { status: 500 }), /^HTTP 500: x{200}$/],
        [() => new Response(null, { status: 302, headers: { location: "/" } }), /^HTTP 302$/],
        [() => new Response("{}"), /not a list of pods/],
        [() => new Response(PODS.slice(0, -5)), /cut short/],
      ];
      for (const [respond, message] of rows) {
        const { why, requests } = await read({ authority, respond });
        assert.match(why ?? "", message);
        assert.equal(requests.length, 1);
      }
    }),
});

Deno.test({
  name: "kubelet: reads a list of 32 MiB, and refuses an endless one",
  ...OPENSSL,
  fn: () =>
    withAuthority(async (authority) => {
      const [head, tail] = PODS.split('"items":[');
      const filler = new TextEncoder().encode(`"${"x".repeat(65_533)}",`);
      const body = (pieces: number) => {
        let left = pieces;
        return new ReadableStream({
          start: (to) => to.enqueue(new TextEncoder().encode(`${head}"junk":[`)),
          pull(to) {
            if (left-- > 0) return to.enqueue(filler);
            to.enqueue(new TextEncoder().encode(`0],"items":[${tail}`));
            to.close();
          },
        });
      };
      const large = await read({ authority, respond: () => new Response(body(500)) });
      assert.deepEqual([large.why, large.names], [undefined, EXPECTED]);
      const endless = await read({ authority, respond: () => new Response(body(Infinity)) });
      assert.match(endless.why ?? "", /larger than 67108864 bytes|has not answered/);
    }),
});

Deno.test({
  name: "kubelet: a refused connection and one that hangs are failures",
  ...OPENSSL,
  fn: () =>
    withAuthority(async (authority) => {
      const refused = await read({ authority, options: { port: 1 } });
      assert.equal(refused.why, "connection refused");
      const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const clock = new VirtualClock();
      const reading = read({
        authority,
        options: { port: (listener.addr as Deno.NetAddr).port, clock },
      });
      const connection = await listener.accept();
      await clock.advance(10_000);
      assert.equal((await reading).why, "it has not answered within 10 s");
      connection.close();
      listener.close();
    }),
});

Deno.test({
  name: "kubelet: an answer that is cut short is a failure, whatever was read",
  ...OPENSSL,
  fn: () =>
    withAuthority(async (authority) => {
      const rows: [answer: string, message: RegExp][] = [
        [`HTTP/1.1 200 OK\r\ncontent-length: ${PODS.length + 1}\r\n\r\n${PODS}`, /cut short/],
        [`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"ite`, /cut short/],
        ["HTTP/1.1 200 OK\r\n", /hang up|cut short/],
        ["\x00\x01\x02\r\n\r\n", /Parse Error/],
      ];
      for (const [answer, message] of rows) {
        const server = await startTls(authority.issue("IP:127.0.0.1"), {
          alpn: "http/1.1",
          connection: (socket) => void socket.once("data", () => socket.end(answer)),
        });
        const { why } = await read({ authority, options: { port: server.port } });
        await server.close();
        assert.match(why ?? "", message);
      }
    }),
});

Deno.test({
  name: "kubelet: stopping ends a request at once",
  ...OPENSSL,
  fn: () =>
    withAuthority(async (authority) => {
      const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const tokenFile = `${authority.directory}/token`;
      Deno.writeTextFileSync(tokenFile, "token");
      const source = new KubeletSource({
        host: "127.0.0.1",
        port: (listener.addr as Deno.NetAddr).port,
        nodeName: "",
        tokenFile,
        caFile: null,
        interfaces: () => [],
      });
      const stop = new AbortController();
      const reading = source.read(stop.signal);
      const connection = await listener.accept();
      stop.abort();
      await assert.rejects(reading, /^Error: stopped$/);
      connection.close();
      listener.close();
    }),
});
