import assert from "node:assert/strict";
import { queryBytes } from "../../support/messages/messages.ts";
import { pod, podList } from "../../support/doubles/pods.ts";
import { askUdp } from "../../support/processes/drivers.ts";
import { eventually } from "../../support/run/eventually.ts";
import { skipUnless } from "../../support/run/require.ts";
import { makeAuthority } from "../../support/servers/certificates.ts";
import { startKubelet } from "../../support/servers/fake_kubelet.ts";
import { freePort } from "../../support/servers/ports.ts";
import { run, serve } from "./scene.ts";

interface Ports {
  dns: number;
  http: number;
}

const corefile = ({ dns, http }: Ports) =>
  `.:${dns} {\n bind 127.0.0.1\n prometheus 127.0.0.1:${http}\n whoami\n}\n`;

const scrape = async ({ http }: Ports) =>
  await (await fetch(`http://127.0.0.1:${http}/metrics`)).text();

async function askFrom(hostname: string, port: number): Promise<void> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  const query = queryBytes({ name: "www.example.org" });
  await socket.send(query, { transport: "udp", hostname: "127.0.0.1", port });
  await socket.receive();
  socket.close();
}

/** Asks until a query counts for this namespace. */
async function untilCounted(
  ports: Ports,
  [namespace, client]: readonly [string, string],
  out: () => string,
): Promise<void> {
  await eventually(async () => {
    await askFrom(client, ports.dns);
    const wanted = `nodens_client_queries_total{client_namespace="${namespace}"} `;
    const line = (await scrape(ports)).split("\n").find((one) => one.startsWith(wanted));
    assert.ok(Number(line?.slice(wanted.length)) > 0, `no query of ${namespace}`);
  }, out);
}

Deno.test("-clients FILE: queries count by namespace, and a changed file is followed", async () => {
  const ports = { dns: freePort(), http: freePort() };
  const folder = Deno.makeTempDirSync({ prefix: "nodens_test_" });
  const file = `${folder}/clients`;
  Deno.writeTextFileSync(file, "127.0.0.1 shop/cart\nwrong\n");
  await serve(corefile(ports), async (out) => {
    await untilCounted(ports, ["shop", "127.0.0.1"], out);
    assert.match(
      out(),
      /\[WARNING\] clients: .*\/clients: a line is skipped: .*\/clients:2: "wrong"/,
    );
    Deno.writeTextFileSync(file, "127.0.0.1 web/front\n");
    await untilCounted(ports, ["web", "127.0.0.1"], out);
    const text = await scrape(ports);
    assert.match(text, /^nodens_client_names 1$/m);
    assert.match(text, /^nodens_client_names_age_seconds [0-9.]+$/m);
    assert.match(text, /^nodens_client_names_failures_total 0$/m);
  }, { args: ["-clients", file] });
  Deno.removeSync(folder, { recursive: true });
});

Deno.test({
  name: "-clients kubelet: the pods of the node have names, and its own addresses are the host",
  ...skipUnless("openssl"),
  async fn() {
    const ports = { dns: freePort(), http: freePort() };
    const authority = makeAuthority();
    const token = `${authority.directory}/token`;
    Deno.writeTextFileSync(token, "secret-token");
    const pods = podList([pod("shop", "cart", { podIP: "127.0.0.9" })]);
    const kubelet = startKubelet(authority.issue("IP:127.0.0.1"), () => new Response(pods));
    const address = `127.0.0.1:${kubelet.port}`;
    const args = ["-clients", "kubelet", "-clients-kubelet", address, "-clients-token", token];
    const code = await serve(corefile(ports), async (out) => {
      await untilCounted(ports, ["shop", "127.0.0.9"], out);
      await untilCounted(ports, ["(host)", "127.0.0.1"], out);
      assert.doesNotMatch(out(), /secret-token/);
    }, { args: [...args, "-clients-ca", authority.caFile] });
    assert.equal(code, 0);
    assert.deepEqual([...new Set(kubelet.requests.map(({ token }) => token))], [
      "Bearer secret-token",
    ]);
    await kubelet.close();
    authority.remove();
  },
});

Deno.test("-clients: without names nothing is counted by namespace", async () => {
  const ports = { dns: freePort(), http: freePort() };
  await serve(corefile(ports), async () => {
    await askUdp(queryBytes({ name: "www.example.org" }), { port: ports.dns });
    assert.doesNotMatch(await scrape(ports), /nodens_client_/);
  });
});

Deno.test("-clients: a wrong flag ends with exit code 2", async () => {
  const { code, err } = await run(["-clients-insecure"]);
  assert.deepEqual([code, err.split("\n")[0]], [
    2,
    "nodens: flag -clients-insecure: goes with -clients kubelet",
  ]);
});
