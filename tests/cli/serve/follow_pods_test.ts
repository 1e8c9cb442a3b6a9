/** The recipe of docs/kubernetes.md that asks the pods of the cluster DNS instead of its Service. */
import assert from "node:assert/strict";
import { askUdp } from "../../support/processes/drivers.ts";
import { freePort } from "../../support/servers/ports.ts";
import { until } from "../../support/run/until.ts";
import { a, decode, queryBytes, responseBytes } from "../../support/messages/messages.ts";
import { ScriptedServer } from "../../support/simulation/scripted_server.ts";
import { folderWith, serving } from "../../support/processes/serving.ts";

const ROOT = new URL("../../../", import.meta.url).pathname;
const PODS = "kube-dns-pods.kube-system.svc.cluster.local";

/** The Corefile of the section, with these addresses. */
function recipe(values: Record<string, string>): string {
  const page = Deno.readTextFileSync(`${ROOT}docs/kubernetes.md`);
  const section = page.split("\n## ").find((text) => text.startsWith("Follow the pods"))!;
  const text = /^```\n(cluster\.local:53 \{\n[\s\S]*?)^```$/m.exec(section)![1]!;
  return Object.entries(values).reduce((filled, [from, to]) => {
    assert.equal(filled.split(from).length, 2, from);
    return filled.replace(from, to);
  }, text);
}

/** A pod that answers every A query with its own address. */
function startPod(hostname: string, port: number): Promise<ScriptedServer> {
  return ScriptedServer.start((bytes) => {
    const query = decode(bytes);
    const { name } = query.questions![0]!;
    return [responseBytes(query, { answers: [a(name, hostname)], edns: false })];
  }, { hostname, port });
}

Deno.test("pods of a headless Service are asked themselves, and followed", async () => {
  const [x, y] = crypto.getRandomValues(new Uint8Array(2));
  const addresses = [1, 2, 3].map((i) => `127.8${i}.${x}.${y}`);
  const [port, podPort] = [freePort(), freePort()];
  const [first, ...others] = await Promise.all(addresses.map((one) => startPod(one, podPort)));
  let ready = addresses.slice(0, 2);
  const seen = new Set<string>();
  // The Service: its answers come from one of the pods.
  const service = await ScriptedServer.start((bytes) => {
    const query = decode(bytes);
    const { name, type } = query.questions![0]!;
    seen.add(name);
    const answers = type === "A" ? ready.map((address) => a(name, address, 5)) : [];
    return [responseBytes(query, { answers })];
  });
  const folder = folderWith({
    Corefile: recipe({
      "cluster.local:53": `cluster.local:${port}`,
      "__PILLAR__LOCAL__DNS__": "127.0.0.1",
      [`forward . ${PODS}`]: `forward . ${PODS}:${podPort}`,
      "__PILLAR__CLUSTER__DNS__": `127.0.0.1:${service.port}`,
      "__PROMETHEUS__ENDPOINT__": `127.0.0.1:${freePort()}`,
    }),
  });
  let number = 0;
  const ask = async (): Promise<string | undefined> => {
    const name = `web${number++}.shop.svc.cluster.local`;
    const { answers } = decode(await askUdp(queryBytes({ name }), { port, limitMs: 10_000 }));
    return (answers![0] as { data: string } | undefined)?.data;
  };
  const askMany = async () => {
    const found = new Set<string | undefined>();
    for (let i = 0; i < 40; i++) found.add(await ask());
    return [...found].sort();
  };
  await serving(["-conf", `${folder}/Corefile`], async (out) => {
    await until(() => out().includes(`are ${addresses[0]}:${podPort}`), "the first lookup");
    await untilAnswered(ask);
    assert.deepEqual(await askMany(), addresses.slice(0, 2));
    // A rolling update: one pod goes, another comes. Until the name is looked up again, the other
    // pod answers for the one that is gone.
    await first!.stop();
    ready = addresses.slice(1);
    assert.ok(!(await askMany()).includes(undefined), "a query was lost");
    await until(() => out().includes(`${addresses[2]}:${podPort}`), "the second lookup");
    let last = await askMany();
    for (let i = 0; i < 10 && !last.includes(addresses[2]); i++) last = await askMany();
    assert.deepEqual(last, addresses.slice(1));
  });
  assert.deepEqual([...seen], [PODS]);
  await Promise.all([service.stop(), ...others.map((pod) => pod.stop())]);
  Deno.removeSync(folder, { recursive: true });
});

/** The data plane hears of the addresses shortly after the log. */
async function untilAnswered(ask: () => Promise<string | undefined>): Promise<void> {
  let answer = await ask();
  for (let i = 0; i < 100 && answer === undefined; i++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    answer = await ask();
  }
  assert.notEqual(answer, undefined);
}
