import assert from "node:assert/strict";
import { helpText } from "../../src/cli/command.ts";
import { boolean, FlagError, parseFlags, port, text } from "../../src/cli/flags.ts";

const TABLE = {
  conf: text("FILE", "file"),
  "dns.port": port(53, "port", "p"),
  quiet: boolean("hush"),
};
const DEFAULTS = { conf: "", "dns.port": 53, quiet: false };

const GOOD: [args: string[], values: Record<string, unknown>, rest?: string[]][] = [
  [[], {}],
  [["-conf", "a"], { conf: "a" }],
  [["--conf", "a"], { conf: "a" }],
  [["-conf=a=b"], { conf: "a=b" }],
  [["--conf="], { conf: "" }],
  [["-conf", "-quiet"], { conf: "-quiet" }],
  [["-dns.port", "1053"], { "dns.port": 1053 }],
  [["-p=1053"], { "dns.port": 1053 }],
  [["-p", "1", "-p", "2"], { "dns.port": 2 }],
  [["-quiet"], { quiet: true }],
  [["-quiet=false"], { quiet: false }],
  [["--quiet=T"], { quiet: true }],
  [["-quiet", "false"], { quiet: true }, ["false"]],
  [["x", "-quiet", "-", "y"], { quiet: true }, ["x", "-", "y"]],
  [["--", "-quiet"], {}, ["-quiet"]],
];

Deno.test("flags are parsed like Go's", () => {
  for (const [args, values, rest = []] of GOOD) {
    const read = parseFlags(args, TABLE);
    assert.deepEqual(read.values, { ...DEFAULTS, ...values }, args.join(" "));
    assert.deepEqual(read.rest, rest);
  }
  assert.deepEqual([...parseFlags(["-p", "53"], TABLE).given], ["dns.port"]);
});

Deno.test("a wrong flag is an error with a remedy", () => {
  const bad: [string[], string][] = [
    [["-cnof", "a"], 'unknown flag -cnof (did you mean "-conf"?)'],
    [["-zzzzzz"], "unknown flag -zzzzzz"],
    [["-conf"], "flag -conf needs a value (-conf VALUE)"],
    [["-p", "dns"], 'flag -p: "dns" is not a whole number'],
    [["-p", "-1"], 'flag -p: "-1" is not a whole number'],
    [["-p", "65536"], "flag -dns.port: 65536 is not a port (1 to 65535)"],
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
    "  -conf FILE\n        file\n  -dns.port, -p PORT\n        port (default 53)\n" +
      "  -quiet\n        hush",
  );
});
