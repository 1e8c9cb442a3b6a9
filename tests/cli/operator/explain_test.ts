import assert from "node:assert/strict";
import { explainText } from "../../../src/cli/operator/explain/explain.ts";
import type { ExplainAnswer, PlaneExplanation } from "../../../src/control/explain/answer.ts";
import { withFolder } from "../../support/run/folder.ts";
import { until } from "../../support/run/until.ts";
import { freePort } from "../../support/servers/ports.ts";
import { run, serve } from "../serve/scene.ts";

const step = { place: "/etc/Corefile:3", notes: [], details: {}, refresh: false, answer: null };
const MESSAGE = {
  ...{ rcode: "NOERROR", flags: ["qr", "ra"], authority: [], additional: [], sizeBytes: 60 },
  ...{ answer: ["www.example.org. 30 IN A 192.0.2.7"], errors: [] },
};
const PLANE: PlaneExplanation = {
  listener: "169.254.20.10:53",
  otherListeners: ["10.96.0.10:53"],
  client: "10.0.0.7",
  clientName: null,
  block: {
    zones: [".", "example.net."],
    place: "/etc/Corefile:1",
    zone: ".",
    reason: "the longest zone that holds the name",
  },
  refusal: null,
  steps: [
    { ...step, plugin: "log", verdict: "acts", reason: "logs every answer" },
    {
      ...step,
      plugin: "cache",
      place: "/etc/other:9",
      verdict: "answers",
      reason: "has it stale",
      answer: MESSAGE,
    },
    {
      ...step,
      plugin: "forward",
      verdict: "asks",
      refresh: true,
      reason: "10.0.0.1:53 (up, 1 ms)",
      notes: ["not 10.0.0.2:53: it is down"],
    },
    { ...step, plugin: "whoami", verdict: "not reached", reason: "" },
  ],
};
const ANSWER: ExplainAnswer = {
  question: {
    ...{ name: "www.example.org.", type: "A", class: "IN", transport: "udp" },
    ...{ dnssec: true, checkingDisabled: false },
  },
  planes: [PLANE],
  asked: null,
};
const STORY = `\
www.example.org. A from 10.0.0.7 over UDP with DO
  listener  169.254.20.10:53 (others: 10.96.0.10:53; -listener)
  block     . of . example.net. (/etc/Corefile:1): the longest zone that holds the name
  log       logs every answer (line 3)
  cache     answers: has it stale (/etc/other:9)
              NOERROR, qr ra
              www.example.org. 30 IN A 192.0.2.7
  forward   to refresh it, would ask 10.0.0.1:53 (up, 1 ms) (line 3)
              not 10.0.0.2:53: it is down
            not reached: whoami
`;

Deno.test("explain: the story of a query reads from top to bottom", () => {
  assert.equal(explainText(ANSWER), STORY);
});

Deno.test("explain: a client with a name has it in the title", () => {
  const planes = [{ ...PLANE, clientName: "shop/web-1" }];
  const [title] = explainText({ ...ANSWER, planes }).split("\n");
  assert.equal(title, "www.example.org. A from 10.0.0.7 shop/web-1 over UDP with DO");
});

Deno.test("explain: of further data planes, what differs is told", () => {
  const changed = (plugin: string, reason: string) => ({
    ...PLANE,
    steps: PLANE.steps.map((one) => one.plugin === plugin ? { ...one, reason } : one),
  });
  const planes = [
    PLANE,
    changed("forward", "10.0.0.1:53 (suspect, 250 ms)"),
    changed("forward", "10.0.0.2:53 (up, 1 ms)"),
  ];
  assert.equal(
    explainText({ ...ANSWER, planes }).slice(STORY.length),
    `data plane 2 does the same
data plane 3 differs:
  forward   to refresh it, would ask 10.0.0.2:53 (up, 1 ms) (line 3)
              not 10.0.0.2:53: it is down
`,
  );
});

Deno.test("explain: an answer is told with its source and times", () => {
  const asked = {
    ...{ ms: 1.234, answeredBy: "forward", cached: false, stale: false, upstream: "10.0.0.1:53" },
    ...{ asks: 2, hedged: true, error: "", answer: MESSAGE },
    steps: [
      { plugin: "cache", did: "passed", atMs: 0, tookUs: 2.6, own: false },
      { plugin: "forward", did: "waited", atMs: 0, tookUs: null, own: true },
      { plugin: "cache", did: "saw the answer", atMs: 12.3, tookUs: 0.1, own: false },
    ],
  } as const;
  assert.equal(
    explainText({ ...ANSWER, asked }).slice(STORY.length),
    `asked: NOERROR in 1.23 ms, by forward (10.0.0.1:53), 2 queries to upstreams, hedged
  NOERROR, qr ra
  www.example.org. 30 IN A 192.0.2.7
    0.00 ms  cache    passed (3 µs)
    0.00 ms  forward  waited for a query of nodens' own
      12 ms  cache    saw the answer (1 µs)
`,
  );
});

Deno.test("explain: what terminals would obey is escaped", () => {
  const hostile = "\u001b[31m\u009b2J\u202e\r";
  const steps = [{ ...step, plugin: "hosts", verdict: "passes", reason: hostile } as const];
  const text = explainText({ ...ANSWER, planes: [{ ...PLANE, steps }] });
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(text, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
  assert.match(text, /\\u001b\[31m\\u009b2J\\u202e\\u000d/);
});

Deno.test("explain: a serving nodens tells and asks over its socket", async () => {
  const [port, other] = [freePort(), freePort()];
  const corefile = `.:${port} {
 bind 127.0.0.1
 cache
 forward . 127.0.0.1:${other}
}
.:${other} {
 bind 127.0.0.1
 hosts {
  192.0.2.7 www.example.org
 }
}
`;
  await withFolder(async (folder) => {
    const control = `${folder}/control.sock`;
    const ask = (...args: string[]) => run(["explain", ...args, "-control", control]);
    await serve(corefile, async (out) => {
      await until(() => {
        try {
          return Deno.lstatSync(control).isSocket === true;
        } catch {
          return false;
        }
      });
      const listener = `127.0.0.1:${port}`;
      const told = await ask("-listener", listener, "www.example.org");
      assert.equal(told.code, 0, told.err);
      assert.match(
        told.out,
        /^www\.example\.org\. A from 127\.0\.0\.1 over UDP\n {2}listener {2}127/,
      );
      assert.match(told.out, /\n {2}cache {5}passes: does not have it;/);
      assert.match(
        told.out,
        /\n {2}forward {3}would ask 127\.0\.0\.1:[0-9]+ \(up, not measured yet\)/,
      );
      assert.doesNotMatch(out(), /control: /);
      const asked = await ask("-ask", "-listener", listener, "www.example.org");
      assert.match(asked.out, /\nasked: NOERROR in .* ms, by forward/);
      assert.match(asked.out, /\n {2}www\.example\.org\. [0-9]+ IN A 192\.0\.2\.7\n/);
      assert.match(out(), /control: ask name="www\.example\.org".* \(from /);
      const again = await ask("-json", "-ask", "-listener", listener, "www.example.org", "A");
      const answer: ExplainAnswer = JSON.parse(again.out);
      assert.equal(answer.asked!.cached, true);
      assert.equal(answer.planes[0]!.steps[0]!.verdict, "answers");
      const wrong = await ask("-from", "nobody", "www.example.org");
      assert.deepEqual([wrong.code, wrong.out], [1, ""]);
      assert.match(wrong.err, /^nodens explain: from "nobody" is not an IP address/);
    }, { args: ["-control", control] });
  });
});
