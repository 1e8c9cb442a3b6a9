import assert from "node:assert/strict";
import fc from "fast-check";
import { FUNCTIONS, OVER_LISTS } from "../../src/plugins/template/expression/functions.ts";
import { compileExpression } from "../../src/plugins/template/expression/parse.ts";
import { Scope } from "../../src/plugins/template/expression/scope.ts";
import { EvaluationError } from "../../src/plugins/template/go_template/values.ts";
import { answering, ask } from "../support/engine/scenario.ts";
import { Simulation } from "../support/simulation/simulation.ts";

const FORWARDED = "192.0.2.7";

function start(template: string): Simulation {
  const corefile = `. {\n errors\n ${template}\n forward . 10.0.0.1\n}`;
  const simulation = new Simulation(corefile, { seed: 1 });
  simulation.upstream("10.0.0.1:53", answering(FORWARDED, { delayMs: 10 }));
  return simulation;
}

/** An expression, and its value as a template prints it; null if it cannot be evaluated. */
const VALUES: [expression: string, text: string | null][] = [
  ["name()", "ip-10-0-0-9.node.test."],
  ["type() + '/' + class()", "TXT/IN"],
  ["proto() + ' ' + string(bufsize())", "udp 512"],
  ["string(do()) + ' ' + string(opcode())", "false 0"],
  ["metadata('view/name') == ''", "true"],
  ["group(1) + ' ' + group('last') + group('none') + group(7)", "10 9"],
  ["replace(trimPrefix(split(name(), '.')[0], 'ip-'), '-', '.')", "10.0.0.9"],
  ["split(name(), '.', 2)[1]", "node.test."],
  ["split(name(), '.') | map(len(#)) | filter(# > 0) | string()", "[11 4 4]"],
  ["name() | upper() | trimSuffix('.')", "IP-10-0-0-9.NODE.TEST"],
  ["name()[3:5] + name()[-5:]", "10test."],
  ["1 + 2 * 3 - 4 % 3", "6"],
  ["2 ** 3 ** 2", "512"],
  ["-2 ^ 2", "-4"],
  ["7 / 2", "3.5"],
  ["0x10 + 1_000", "1016"],
  ["1.5 + 1", "2.5"],
  ["1 == 1.0", "true"],
  ["not (1 > 2) and 'a' < 'b'", "true"],
  ["1 > 2 || 'b' in ['a', 'b']", "true"],
  ["'c' not in ['a', 'b']", "true"],
  ["3 in 1..3", "true"],
  ["name() matches '^ip-[0-9-]+[.]node[.]'", "true"],
  ["name() not matches 'node'", "false"],
  ["name() startsWith 'ip-' && name() endsWith '.test.'", "true"],
  ["name() contains 'node' ? 'yes' : 'no'", "yes"],
  ["nil ?? 'default'", "default"],
  ["any([1, 2, 3], {# == 2}) and all([1, 2], # > 0)", "true"],
  ["none([1, 2], # > 2) and one([1, 2], # > 1)", "true"],
  ["count(1..10, # % 2 == 0)", "5"],
  ["find([4, 5, 6], # > 4) + findIndex([4, 5, 6], # > 4)", "6"],
  ["join(reverse(['a', 'b']), '-')", "b-a"],
  ["max(1, 5, 3) - min([4, 2])", "3"],
  ["int('42') + len('four')", "46"],
  ["floor(float('2.7')) + abs(-1)", "3"],
  ["[1, 2] == [1, 2]", "true"],
  ["replace('ab', '', '-') + join(split('ab', ''), '+')", "-a-b-a+b"],
  ["replace('a.b.c', '.', '-', 1)", "a-b.c"],
  ["incidr('10.1.2.3', '10.0.0.0/8')", "true"],
  ["incidr('192.0.2.1', '2001:db8::/32')", "false"],
  ["incidr('2001:DB8:1::1', '2001:db8::/32')", "true"],
  ["incidr(client_ip(), '0.0.0.0/0')", "true"],
  ["incidr('', '0.0.0.0/0')", "false"],
  // Unknown before a query comes.
  ["incidr(name(), '10.0.0.0/8')", null],
  ["incidr('10.0.0.1', '10.0.0.0/33')", null],
  ["find([1], # > 1) + 'a'", null],
  ["1 % 0", null],
  ["first([]) and true", null],
  ["split(name(), '.')[9]", null],
  ["int('x')", null],
  // Bounds.
  ["1..100000", null],
  ["repeat('x', 100000)", null],
  ["any(1..999, any(1..999, any(1..999, false)))", null],
];

for (const [expression, expected] of VALUES) {
  Deno.test(`template: the expression ${expression} is ${expected ?? "SERVFAIL"}`, () => {
    const simulation = start(
      `template IN TXT node.test {
        match "^ip-([0-9]+)-([0-9]+)-([0-9]+)-(?P<last>[0-9]+)[.]"
        var value "${expression}"
        answer "{{ .Name }} TXT \\"{{ .Var.value }}\\""
      }`,
    );
    const answer = ask(simulation, { name: "ip-10-0-0-9.node.test", type: "TXT" });
    if (expected === null) {
      assert.equal(answer.rcode, "SERVFAIL");
      return;
    }
    assert.equal(answer.rcode, "NOERROR");
    const [record] = answer.answers as unknown as { data: Uint8Array[] }[];
    assert.equal(new TextDecoder().decode(record!.data[0]), expected);
  });
}

Deno.test("template: sixty-four expressions are accepted, one more is a fault", () => {
  const lines = Array.from({ length: 64 }, (_, i) => `var v${i} ${i === 0 ? 1 : `v${i - 1}`}`);
  const templateWith = (lines: string[]) => `template IN A {\n ${lines.join("\n ")}\n }`;
  start(templateWith(lines));
  assert.throws(() => start(templateWith([...lines, "expr true"])), /at most 64 of var and expr/);
});

Deno.test("template: no expression fails in another way than by its own errors", () => {
  const words = [
    ..."()[]{},#+-*/%?:|<".split(""),
    ...["..", "**", "==", "??", "in", "not", "and", "or", "matches", "contains"],
    ...["0", "1", "2.5", "1e400", "0x1f", "9223372036854775807", "''", "'a.b'", "nil", "true"],
    ...["text", "numbers", "[1, 2]", "1..9", ...FUNCTIONS.keys(), ...OVER_LISTS.keys()],
  ];
  const operand = fc.constantFrom(
    "''",
    "'a.b'",
    "0",
    "-1",
    "2.5",
    "nil",
    "text",
    "numbers",
    "true",
  );
  const call = fc.tuple(fc.constantFrom(...FUNCTIONS.keys()), fc.array(operand, { maxLength: 4 }))
    .map(([name, args]) => `${name}(${args.join(", ")})`);
  const soup = fc.array(fc.constantFrom(...words), { maxLength: 12 }).map((all) => all.join(" "));
  const names = new Set(["text", "numbers"]);
  fc.assert(
    fc.property(fc.oneof(soup, call), (source) => {
      try {
        const scope = new Scope(() => "");
        Object.assign(scope.variables, { text: "a.b.c", numbers: [1n, 2n, 3n] });
        compileExpression(source, names)(scope);
      } catch (error) {
        if (!(error instanceof SyntaxError || error instanceof EvaluationError)) throw error;
      }
    }),
    { numRuns: 5000 },
  );
});

const LAN = (more: string) =>
  `template IN A lan.test {
    match ^(?P<ip>[0-9]{1,3}(-[0-9]{1,3}){3})[.]
    var ip replace(group('ip'), '-', '.')
    var private "any(['10.0.0.0/8', '192.168.0.0/16'], incidr(ip, #))"
    expr private
    answer "{{ .Name }} 60 IN A {{ .Var.ip }}"
    ${more}
  }`;

const CASES: [title: string, template: string, name: string, expected: string][] = [
  ["a condition that holds lets the template answer", LAN(""), "10-1-2-3.lan.test", "10.1.2.3"],
  ["a condition that does not hold is SERVFAIL", LAN(""), "9-9-9-9.lan.test", "SERVFAIL"],
  ["such a name falls through", LAN("fallthrough"), "9-9-9-9.lan.test", FORWARDED],
  [
    "a failing expression is SERVFAIL in spite of fallthrough",
    LAN("fallthrough"),
    "999-9-9-9.lan.test",
    "SERVFAIL",
  ],
  ["all conditions must hold", LAN("expr false\n fallthrough"), "10-1-2-3.lan.test", FORWARDED],
  [
    "a condition that is not true or false does not hold",
    LAN("expr 1"),
    "10-1-2-3.lan.test",
    "SERVFAIL",
  ],
  [
    "conditions work without a pattern",
    `template ANY ANY {\n expr "type() in ['A'] && name() != 'a.test.'"\n rcode NXDOMAIN\n fallthrough\n }`,
    "b.test",
    "NXDOMAIN",
  ],
];

for (const [title, template, name, expected] of CASES) {
  Deno.test(`template: ${title}`, () => {
    const answer = ask(start(template), { name }, { runMs: 200 });
    const [record] = answer.answers as { data?: unknown }[];
    assert.equal(record?.data ?? answer.rcode, expected);
  });
}
