import assert from "node:assert/strict";
import { helpText } from "../../src/cli/command.ts";
import { type Flag, FlagError, parseFlags } from "../../src/cli/flags.ts";

const TABLE: Flag[] = [
  { name: "conf", kind: "text", default: "", help: "file" },
  { name: "dns.port", kind: "number", alias: "p", default: 53, help: "port" },
  { name: "quiet", kind: "boolean", default: false, help: "hush" },
];
const DEFAULTS = { conf: "", "dns.port": 53, quiet: false };

const GOOD: { args: string[]; values: Record<string, unknown>; rest?: string[] }[] = [
  { args: [], values: {} },
  { args: ["-conf", "a"], values: { conf: "a" } },
  { args: ["--conf", "a"], values: { conf: "a" } },
  { args: ["-conf=a=b"], values: { conf: "a=b" } },
  { args: ["--conf="], values: { conf: "" } },
  { args: ["-conf", "-quiet"], values: { conf: "-quiet" } },
  { args: ["-dns.port", "1053"], values: { "dns.port": 1053 } },
  { args: ["-p=1053"], values: { "dns.port": 1053 } },
  { args: ["-p", "1", "-p", "2"], values: { "dns.port": 2 } },
  { args: ["-quiet"], values: { quiet: true } },
  { args: ["-quiet=false"], values: { quiet: false } },
  { args: ["--quiet=T"], values: { quiet: true } },
  { args: ["-quiet", "false"], values: { quiet: true }, rest: ["false"] },
  { args: ["x", "-quiet", "-", "y"], values: { quiet: true }, rest: ["x", "-", "y"] },
  { args: ["--", "-quiet"], values: {}, rest: ["-quiet"] },
];

Deno.test("flags are read as Go reads them", () => {
  for (const { args, values, rest = [] } of GOOD) {
    const read = parseFlags(args, TABLE);
    assert.deepEqual(read.values, { ...DEFAULTS, ...values }, args.join(" "));
    assert.deepEqual(read.rest, rest);
  }
  assert.deepEqual([...parseFlags(["-p", "53"], TABLE).given], ["dns.port"]);
});

Deno.test("flags that cannot be understood are named with what would do", () => {
  const bad: [string[], string][] = [
    [["-cnof", "a"], 'unknown flag -cnof (did you mean "-conf"?)'],
    [["-zzzzzz"], "unknown flag -zzzzzz"],
    [["-conf"], "flag -conf needs a value (-conf VALUE)"],
    [["-p", "dns"], 'flag -p: "dns" is not a whole number'],
    [["-p", "-1"], 'flag -p: "-1" is not a whole number'],
    [["-quiet=perhaps"], 'flag -quiet: "perhaps" is neither true nor false'],
  ];
  for (const [args, message] of bad) {
    assert.throws(
      () => parseFlags(args, TABLE),
      (error) => error instanceof FlagError && error.message === message,
      message,
    );
  }
});

Deno.test("the help names every flag", () => {
  assert.equal(
    helpText(TABLE),
    "  -conf TEXT\n        file\n  -dns.port, -p NUMBER\n        port (default 53)\n" +
      "  -quiet\n        hush",
  );
});
