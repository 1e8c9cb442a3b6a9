import assert from "node:assert/strict";
import type { ExplainAnswer } from "../../../src/control/explain/answer.ts";
import { explainVerbs } from "../../../src/control/explain/verbs.ts";
import { askQuery } from "../../../src/engine/explain/ask.ts";
import { explainQuery } from "../../../src/engine/explain/explain.ts";
import type { AskReply, ExplainRequest } from "../../../src/engine/explain/types.ts";
import { VerbError } from "../../../src/plugins/verbs.ts";
import { until } from "../../support/run/until.ts";
import { answering } from "../../support/simulation/cache_world.ts";
import { Simulation } from "../../support/simulation/simulation.ts";

/** A data plane in virtual time. */
function planeOf(simulation: Simulation) {
  return {
    explain: (request: ExplainRequest) => Promise.resolve(explainQuery(simulation.engine, request)),
    query: (request: ExplainRequest) =>
      new Promise<AskReply | null>((resolve) => askQuery(simulation.engine, request, resolve)),
  };
}

type Planes = Parameters<typeof explainVerbs>[0]["planes"];
const nameClient = (address: string) => address === "10.0.0.7" ? "shop/web-1" : null;

function run(
  planes: Planes,
  verb: "explain" | "ask",
  parameters: Record<string, string>,
): Promise<ExplainAnswer> {
  return runOf(explainVerbs({ planes, nameClient }), verb, parameters);
}

function runOf(
  verbs: ReturnType<typeof explainVerbs>,
  verb: string,
  parameters: Record<string, string>,
): Promise<ExplainAnswer> {
  const found = verbs.find(({ name }) => name === verb)!;
  const unknown = Object.keys(parameters).filter((name) => !found.parameters!.includes(name));
  assert.deepEqual(unknown, []);
  const call = {
    parameters: new Map(Object.entries(parameters)),
    config: { file: "", blocks: [], listeners: [], debug: false },
    gone: new AbortController().signal,
  };
  return Promise.resolve(found.run(call)) as Promise<ExplainAnswer>;
}

const whoami = () => [planeOf(new Simulation(". {\nbind 192.0.2.53\nwhoami\n}"))];

for (
  const [what, parameters, status, message] of [
    ["no name", {}, 400, /^name is missing \(name=www\.example\.org\)$/],
    ["an empty label", { name: "a..b" }, 400, /empty label/],
    ["a long name", { name: "x.".repeat(300) }, 400, /longer than 255 octets/],
    ["an endless name", { name: "x".repeat(100_000) }, 400, /^.{1,200}$/],
    [
      "an unknown type",
      { name: "a", type: "TPYE\n" },
      400,
      /^type "TPYE\\n" is not known \(write A/,
    ],
    ["a type out of range", { name: "a", type: "TYPE65536" }, 400, /is not known/],
    ["an unknown class", { name: "a", class: "INN" }, 400, /^class "INN" is not known/],
    [
      "a client that is not an address",
      { name: "a", from: "host" },
      400,
      /^from "host" is not an IP/,
    ],
    ["a client with a scope", { name: "a", from: "fe80::1%eth0" }, 400, /is not an IP address/],
    ["a listener without port", { name: "a", listener: "192.0.2.1" }, 400, /address and port/],
    ["a listener's port 0", { name: "a", listener: "192.0.2.1:0" }, 400, /address and port/],
    [
      "a listener's wrong address",
      { name: "a", listener: "300.1.1.1:53" },
      400,
      /address and port/,
    ],
    [
      "a listener that is not there",
      { name: "a", listener: "[::1]:53" },
      404,
      /^nodens does not listen at \[::1\]:53; it listens at 192\.0\.2\.53:53$/,
    ],
    ["a switch that is not one", { name: "a", tcp: "yes" }, 400, /^tcp is "yes"; write on or off$/],
  ] as [string, Record<string, string>, number, RegExp][]
) {
  for (const verb of ["explain", "ask"] as const) {
    Deno.test(`${verb}: ${what} is refused`, async () => {
      await assert.rejects(run(whoami(), verb, parameters), (error: VerbError) => {
        assert.ok(error instanceof VerbError);
        assert.equal(error.status, status);
        assert.match(error.message, message);
        return true;
      });
    });
  }
}

Deno.test("explain: the question is told in normal form", async () => {
  const { question, planes, asked } = await run(whoami(), "explain", {
    ...{ name: 'A\\000b\\"', type: "type65280", class: "class32" },
    ...{ from: "2001:DB8::0:7", tcp: "on", dnssec: "on", cd: "on", listener: "192.0.2.53:53" },
  });
  assert.deepEqual(question, {
    ...{ name: 'A\\000b\\".', type: "TYPE65280", class: "CLASS32", transport: "tcp" },
    ...{ dnssec: true, checkingDisabled: true },
  });
  assert.equal(planes[0]!.client, "2001:db8::7");
  assert.equal(asked, null);
});

Deno.test("explain: a client's name is told", async () => {
  const named = await run(whoami(), "explain", { name: "a", from: "10.0.0.7" });
  const other = await run(whoami(), "explain", { name: "a", from: "10.0.0.8" });
  assert.deepEqual(
    [named, other].map(({ planes }) => planes[0]!.clientName),
    ["shop/web-1", null],
  );
});

Deno.test("ask: only the first data plane is asked, and all explain", async () => {
  const simulations = [1, 2].map(() => new Simulation(". {\ncache\nforward . 10.0.0.1\n}"));
  for (const one of simulations) one.upstream("10.0.0.1:53", answering());
  const asking = run(simulations.map(planeOf), "ask", { name: "www.example.org" });
  await until(() => simulations[0]!.seen.length > 0);
  simulations.forEach((one) => one.run(100));
  const { planes, asked } = await asking;
  assert.equal(planes.length, 2);
  assert.deepEqual(asked!.answer!.answer, ["www.example.org. 300 IN A 192.0.2.7"]);
  assert.deepEqual(simulations.map(({ seen }) => seen.length), [1, 0]);
});

Deno.test("ask: what is refused before any plugin is not asked", async () => {
  const { planes, asked } = await run(whoami(), "ask", { name: "example.org", type: "AXFR" });
  assert.deepEqual([planes[0]!.refusal!.rcode, asked], ["REFUSED", null]);
});

Deno.test("ask: four wait at most; after their answers others are asked", async () => {
  const waiting: ((reply: null) => void)[] = [];
  const plane = {
    ...whoami()[0]!,
    query: () => new Promise<null>((resolve) => waiting.push(resolve)),
  };
  const verbs = explainVerbs({ planes: [plane], nameClient });
  const ask = () => runOf(verbs, "ask", { name: "example.org" });
  const four = [1, 2, 3, 4].map(ask);
  await until(() => waiting.length === 4);
  await assert.rejects(ask(), /^Error: 4 queries are being asked already/);
  waiting.forEach((answer) => answer(null));
  for (const one of four) await assert.rejects(one, /too many are waiting/);
  const fifth = ask();
  await until(() => waiting.length === 5);
  waiting[4]!(null);
  await assert.rejects(fifth);
});

Deno.test("explain: a data plane that is silent or fails is an error with a remedy", async () => {
  const silent = {
    ...whoami()[0]!,
    explain: () => Promise.reject(new Error("not within 2000 ms")),
  };
  await assert.rejects(run([silent], "explain", { name: "a" }), (error: VerbError) => {
    assert.deepEqual([error.status, error.message], [503, "not within 2000 ms"]);
    return true;
  });
  const failing = { ...whoami()[0]!, explain: () => Promise.resolve(undefined) };
  await assert.rejects(run([failing], "explain", { name: "a" }), /see its log/);
});
