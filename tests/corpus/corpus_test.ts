/**
 * Corefiles of common shapes, with queries. A case is a file:
 *
 *     a Corefile
 *     === PATH          a further file, any number of times
 *     ----------
 *     warning: ...      a warning about the Corefile, any number of times
 *     NAME TYPE [@ADDRESS[#PORT]] [from CLIENT] = RCODE [DATA...]
 *
 * Every upstream is a stand-in that answers with its own address, which identifies it. Names that
 * begin with "nx" do not exist there, names that begin with "fail" fail.
 *
 * `UPDATE_CORPUS=1` writes the current answers; review the difference.
 */
import assert from "node:assert/strict";
import type * as codec from "dns-packet";
import { readConfig } from "../../src/loading/load.ts";
import { HashKey } from "../../src/engine/question/keyed_hash.ts";
import { forwardings } from "../../src/plugins/config_traits.ts";
import type { HostsOptions } from "../../src/plugins/hosts/options.ts";
import { buildHostsTable } from "../../src/plugins/hosts/lines.ts";
import type { Config } from "../../src/config/types.ts";
import { fakeHost } from "../support/doubles/fake_host.ts";
import { decode, queryBytes, responseBytes, soa } from "../support/messages/messages.ts";
import { type Behaviour, Simulation } from "../support/simulation/simulation.ts";
import "../support/engine/all_plugins.ts";

const FOLDER = new URL("./", import.meta.url).pathname;
const RULE = "----------\n";
/** An address for records of the other family. */
const OTHER = { A: "192.0.2.6", AAAA: "2001:db8::4" } as const;
const RUN_MS = 12_000;
const KEY = new HashKey(1, 2);

interface Question {
  name: string;
  type: string;
  address: string | null;
  port: number;
  client: string;
}

function parseQuestion(text: string): Question {
  const [name, type, ...rest] = text.trim().split(/\s+/);
  const question: Question = {
    name: name!,
    type: type!,
    address: null,
    port: 53,
    client: "198.51.100.7",
  };
  for (let i = 0; i < rest.length; i++) {
    const word = rest[i]!;
    if (word === "from") question.client = rest[++i]!;
    else if (word.startsWith("@")) {
      const [, address, port] = /^@([^#]+)(?:#(\d+))?$/.exec(word)!;
      question.address = address!;
      question.port = Number(port ?? 53);
    } else throw new Error(`${word}: not an option of a question`);
  }
  return question;
}

function standIn(own: string): Behaviour {
  return (query) => {
    const { name, type } = query.questions![0]!;
    const respond = (options: Parameters<typeof responseBytes>[1]) => [
      { bytes: responseBytes(query, options), delayMs: 2 },
    ];
    const lower = name.toLowerCase();
    const zone = lower.split(".").slice(-2).join(".");
    if (lower.startsWith("nx")) return respond({ rcode: 3, authorities: [soa(zone)] });
    if (lower.startsWith("fail")) return respond({ rcode: 2 });
    if (type === "A" || type === "AAAA") {
      const fits = own.includes(":") === (type === "AAAA");
      // No IPv6 address without an IPv6 upstream: a denial.
      if (type === "AAAA" && !fits) return respond({ authorities: [soa(zone)] });
      const data = fits ? own : OTHER[type];
      return respond({ answers: [{ type, name, ttl: 60, class: "IN", data }] });
    }
    if (type === "TXT" || type === "PTR") {
      const answers = [{ type, name, ttl: 60, class: "IN", data: `via-${own}` } as codec.Answer];
      return respond({ answers });
    }
    return respond({ authorities: [soa(zone)] });
  };
}

function listenerOf({ listeners }: Config, { address, port }: Question): number {
  const wanted = listeners.findIndex((one) =>
    one.port === port && (address === null || one.address === address)
  );
  const wildcard = listeners.findIndex((one) =>
    one.port === port && (one.address === "" || one.address === "0.0.0.0" || one.address === "::")
  );
  const found = wanted >= 0 ? wanted : wildcard;
  if (found < 0) throw new Error(`nothing listens on ${address ?? "*"} port ${port}`);
  return found;
}

function dataText(record: codec.Answer): string {
  const { data } = record as { data: unknown };
  if (typeof data === "string") return data;
  if (Array.isArray(data)) return data.map((part) => String(part)).join("");
  return record.type;
}

/** Delivers every hosts table, as the control plane does. */
function deliverHosts(simulation: Simulation, config: Config, files: Record<string, string>): void {
  for (const [block, { plugins }] of config.blocks.entries()) {
    for (const [position, { name, options }] of plugins.entries()) {
      if (name !== "hosts") continue;
      const { path, inline, zones, authoritative, autoReverse } = options as HostsOptions;
      const text = [files[path] ?? "", ...inline].join("\n");
      const table = buildHostsTable(text, { zones, authoritative, autoReverse, key: KEY });
      simulation.engine.blocks.deliver(block, position, table);
    }
  }
}

async function answersTo(corefile: string, questions: readonly string[]): Promise<string[]> {
  const [text, ...sections] = corefile.split(/^(?==== )/m);
  const files = Object.fromEntries(sections.map((section) => {
    const end = section.indexOf("\n");
    return [section.slice(4, end), section.slice(end + 1)];
  }));
  const source = { file: "/etc/coredns/Corefile", text: text!, defaultPort: 53 };
  const { config, warnings } = await readConfig(source, fakeHost(files, { NODE: "node-1" }));
  const simulation = new Simulation(". {\n whoami\n}");
  for (const { servers } of forwardings(config)) {
    for (const { address, port } of servers) {
      simulation.upstream(`${address}:${port}`, standIn(address));
    }
  }
  simulation.engine.configure(config);
  deliverHosts(simulation, config, files);
  const lines = warnings.map((warning) => `warning: ${warning}`);
  for (const line of questions) {
    const question = parseQuestion(line);
    const query = queryBytes({ name: question.name, type: question.type });
    const asked = simulation.ask(query, listenerOf(config, question), question.client);
    simulation.run(RUN_MS);
    const [answer, ...more] = asked.answers.map(({ bytes }) => decode(bytes));
    assert.equal(more.length, 0);
    const data = (answer?.answers ?? []).map(dataText);
    lines.push([line.trim(), "=", answer?.rcode ?? "nothing", ...data].join(" "));
  }
  return lines;
}

const names: string[] = [];
for (const { name: family, isDirectory } of Deno.readDirSync(FOLDER)) {
  if (!isDirectory) continue;
  for (const { name } of Deno.readDirSync(`${FOLDER}${family}`)) names.push(`${family}/${name}`);
}

for (const name of names.sort()) {
  Deno.test(`corpus: ${name.replace(".corefile", "").replaceAll("_", " ")}`, async () => {
    const path = FOLDER + name;
    const content = Deno.readTextFileSync(path);
    const cut = content.indexOf(`\n${RULE}`) + 1;
    assert.ok(cut > 0, "no line of dashes");
    const lines = content.slice(cut + RULE.length).split("\n").filter((line) => line !== "");
    const questions = lines.filter((line) => !line.startsWith("warning: "))
      .map((line) => line.split(" = ")[0]!);
    assert.ok(questions.length > 0, "no questions");
    const result = await answersTo(content.slice(0, cut), questions);
    if (Deno.env.get("UPDATE_CORPUS") === "1") {
      Deno.writeTextFileSync(path, `${content.slice(0, cut)}${RULE}${result.join("\n")}\n`);
    } else {
      assert.deepEqual(lines, result);
    }
  });
}

Deno.test("corpus: there are at least sixty Corefiles", () => assert.ok(names.length >= 60));
