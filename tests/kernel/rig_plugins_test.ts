/** With plugins that change answers, or see each query, the kernel changes nothing. */
import assert from "node:assert/strict";
import { query } from "../support/kernel/asker.ts";
import { Comparison } from "../support/kernel/compare.ts";
import { fuzzedNames } from "../support/kernel/fuzzed_query.ts";
import { SERVED } from "../support/kernel/pod_network.ts";
import { answersOf, DIRECTIVES } from "../support/kernel/pod_rig.ts";
import { rigTest } from "../support/kernel/rig_test_case.ts";
import { seeded } from "../support/run/random.ts";

const QUERIES = 600;
const NAMES = 12;
const CLIENTS = 4;

interface Block {
  title: string;
  /** Before the others; or instead of them, if it has a cache. */
  lines: string;
  /** Whether the kernel may answer; "some" if it depends on the answer. */
  inKernel: "yes" | "no" | "some";
}

const BLOCKS: readonly Block[] = [
  { title: "nothing more", lines: "", inKernel: "yes" },
  { title: "minimal", lines: "minimal", inKernel: "yes" },
  { title: "bufsize", lines: "bufsize 600", inKernel: "yes" },
  { title: "a log of errors", lines: "log {\n class error\n}", inKernel: "yes" },
  { title: "loop", lines: "loop", inKernel: "yes" },
  { title: "nsid", lines: "nsid here", inKernel: "some" },
  { title: "any", lines: "any", inKernel: "some" },
  { title: "local", lines: "local", inKernel: "some" },
  { title: "chaos", lines: "chaos one two", inKernel: "some" },
  {
    title: "hosts",
    lines: "hosts {\n 192.0.2.1 al0.kernel.example\n fallthrough\n}",
    inKernel: "some",
  },
  {
    title: "a template",
    lines:
      'template IN A kernel.example {\n match ^ql\n answer "{{ .Name }} 60 IN A 192.0.2.9"\n fallthrough\n}',
    inKernel: "some",
  },
  {
    title: "prefetch",
    lines: `errors\n cache 3600 {\n prefetch 2 1m 20%\n }\n${DIRECTIVES.split("\n").at(-1)}`,
    inKernel: "yes",
  },
  {
    title: "keepttl",
    lines: `errors\n cache 3600 {\n keepttl\n }\n${DIRECTIVES.split("\n").at(-1)}`,
    inKernel: "no",
  },
  {
    title: "a cache for another zone",
    lines: `errors\n cache 3600 other.example\n${DIRECTIVES.split("\n").at(-1)}`,
    inKernel: "no",
  },
  { title: "a log of all", lines: "log", inKernel: "no" },
  { title: "acl", lines: "acl {\n allow net 10.0.0.0/8 fd00::/8\n block\n}", inKernel: "no" },
  { title: "rewrite", lines: "rewrite ttl suffix kernel.example. 30", inKernel: "no" },
  { title: "header", lines: "header {\n response set aa\n response clear ra\n}", inKernel: "some" },
  { title: "dns64", lines: "dns64 {\n translate_all\n allow_ipv4\n}", inKernel: "some" },
];

rigTest("other plugins' work is never passed by", async (rig) => {
  const dice = seeded(7);
  const both = [await rig.nodens({ side: 0 }), await rig.nodens({ side: 1, kernelHits: null })];
  const [kernel] = both;
  const clients = (side: 0 | 1) =>
    Array.from(
      { length: CLIENTS },
      (_, n) => rig.asker(rig.pods[n >> 1]!, SERVED[n & 1 ? "v6" : "v4"][side]),
    );
  const compared = { kernel: clients(0), userland: clients(1) };
  await rig.untilInKernel(kernel!, compared.kernel[0]!);
  for (const { title, lines, inKernel } of BLOCKS) {
    const directives = lines.includes("cache ") ? lines : `${lines}\n${DIRECTIVES}`;
    for (const nodens of both) nodens.rewrite(directives);
    await Promise.all(both.map((nodens) => nodens.reload()));
    await Promise.all(both.map((nodens) => nodens.flush("-all")));
    const before = await answersOf(kernel!);
    const comparison = new Comparison(compared, fuzzedNames(NAMES, dice), { dice, evicts: true });
    await comparison.run(QUERIES);
    const { differences, different } = comparison.outcome;
    assert.equal(different, 0, `${title}: ${different} differ:\n${differences.join("\n")}`);
    const answers = await answersOf(kernel!) - before;
    if (inKernel === "yes") assert.ok(answers > QUERIES / 10, `${title}: ${answers}`);
    if (inKernel === "no") assert.equal(answers, 0, title);
  }
});

rigTest("addresses that loadbalance rotates go on rotating", async (rig) => {
  const nodens = await rig.nodens({ directives: `loadbalance\n${DIRECTIVES}` });
  const asker = rig.asker(rig.pods[0]);
  // One address cannot rotate.
  await rig.untilInKernel(nodens, asker);
  const orders = new Set<string>();
  for (let i = 0; i < 40; i++) {
    const one = query("ml0.kernel.example");
    const answer = await asker.ask(one);
    assert.ok(answer !== null);
    orders.add(answer.slice(one.length).filter((_, at) => at % 16 >= 12).join());
  }
  assert.ok(orders.size > 10, `${orders.size} orders`);
});

rigTest("a log of all has a line for each query", async (rig) => {
  const nodens = await rig.nodens({ directives: `log\n${DIRECTIVES}` });
  const asker = rig.asker(rig.pods[0]);
  await rig.untilAttached(nodens);
  for (let i = 0; i < 50; i++) await asker.ask(query("al0.kernel.example"));
  // The last one shows that all have been written.
  await asker.ask(query("al1.kernel.example"));
  const lines = () => nodens.output.split("IN al0.kernel.example. ").length - 1;
  const limitMs = performance.now() + 10_000;
  while (lines() < 50 && performance.now() < limitMs) await asker.ask(query("al1.kernel.example"));
  assert.equal(lines(), 50, nodens.output);
});
