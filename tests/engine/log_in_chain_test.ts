import assert from "node:assert/strict";
import { a, queryBytes, responseBytes } from "../support/messages/messages.ts";
import { type Behaviour, Simulation } from "../support/simulation/simulation.ts";

/** Answers after 5 ms with a TTL of 60 s; fails for `broken.`. */
const upstream: Behaviour = (query) => {
  const { name } = query.questions![0]!;
  const message = name.startsWith("broken.")
    ? { rcode: 2 }
    : { answers: [a(name, "192.0.2.1", 60)] };
  return [{ bytes: responseBytes(query, message), delayMs: 5 }];
};

const FORMAT =
  "{name} {/nodens/answered_by} {/forward/upstream} {/nodens/asks} age={/nodens/age} ttl={/nodens/ttl} " +
  "answers={/nodens/answers} wait={/nodens/wait} {duration} {/nodens/ede}";

function start(plugins: string): (name: string, forMs?: number) => string {
  const directives = `log . "${FORMAT}"\n${plugins}\nforward . 10.0.0.1`;
  const simulation = new Simulation(`. {\n${directives}\n}`);
  simulation.upstream("10.0.0.1:53", upstream);
  return (name, forMs = 10_000) => {
    simulation.ask(queryBytes({ name, edns: 1232 }));
    simulation.run(forMs);
    const logged = simulation.logs.splice(0);
    assert.equal(logged.length, 1, logged.join("\n"));
    return logged[0]!.replace("info: ", "");
  };
}

Deno.test("log tells an upstream's answer from one of the cache, and how old that is", () => {
  const ask = start("cache");
  assert.equal(
    ask("a.example"),
    "a.example. upstream 10.0.0.1:53 1 age=- ttl=60 answers=1 wait=0.005s 0.005s -",
  );
  assert.equal(ask("a.example"), "a.example. cache - 0 age=10 ttl=50 answers=1 wait=0s 0s -");
  assert.equal(ask("a.example"), "a.example. cache - 0 age=20 ttl=40 answers=1 wait=0s 0s -");
});

Deno.test("log has the age of an answer that is renamed behind the cache", () => {
  const ask = start("rewrite name exact b.example a.example answer auto\ncache");
  assert.match(ask("a.example"), /^a\.example\. upstream 10.0.0.1:53 1 age=- /);
  assert.match(ask("b.example"), /^b\.example\. cache - 0 age=10 ttl=50 /);
});

Deno.test("log has the Extended DNS Error of a failure in the cache", () => {
  const ask = start("cache");
  assert.match(
    ask("broken.example", 100),
    /^broken\.example\. upstream 10.0.0.1:53 2 age=- ttl=- .* -$/,
  );
  assert.match(
    ask("broken.example"),
    /^broken\.example\. cache - 0 age=0 ttl=- .*13 \(Cached Error\)$/,
  );
});

Deno.test("log names the plugin that answered", () => {
  const ask = start("hosts {\n 192.0.2.7 host.example\n fallthrough\n}");
  assert.equal(
    ask("host.example"),
    "host.example. hosts - 0 age=- ttl=3600 answers=1 wait=0s 0s -",
  );
});
