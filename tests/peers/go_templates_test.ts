/** Compares templates and records with Go's text/template and miekg/dns, as used by CoreDNS. */
import assert from "node:assert/strict";
import { Address } from "../../src/dns/address.ts";
import { readRecord, type WireRecord } from "../../src/dns/record_text/record.ts";
import { dataOf, FIELD_NAMES } from "../../src/plugins/template/data.ts";
import { compile } from "../../src/plugins/template/go_template/compile.ts";
import { EvaluationError } from "../../src/plugins/template/go_template/values.ts";
import { exchangeFor } from "../support/engine/fake_engine.ts";
import { buildGo, goReasons } from "../support/servers/go_program.ts";
import { skipFor } from "../support/run/require.ts";

const GROUPS = { name: "www.example.org.", groups: ["www.example.org.", "www", "0a"] };
const CLIENT = new Address();
CLIENT.bytes.set([192, 0, 2, 1]);
const NAMES = new Map([["host", 1], ["hex", 2]]);

/** Evaluated by both; if Go fails, nodens must fail at parsing or evaluation. */
const TEMPLATES = [
  "plain text",
  "{{ .Name }} 60 IN A 10.0.0.1",
  "{{.Zone}}|{{.Class}}|{{.Type}}|{{.Remote}}",
  "{{ index .Match 0 }}{{ index .Match 1 }}",
  "{{ index .Match 7 }}",
  "{{ index .Match -1 }}",
  '{{ index .Group "host" }}',
  '{{ index .Group "1" }}',
  '{{ index .Group "absent" }}|',
  "{{ .Group.host }}.{{ .Group.hex }}|{{ .Group.absent }}|",
  "{{ .Absent }}",
  "{{ .Name.Absent }}",
  "{{ parseInt .Group.hex 16 8 }}",
  "{{ parseInt .Group.hex 10 8 }}",
  '{{ parseInt "256" 10 8 }}',
  '{{ parseInt "255" 10 8 }}',
  '{{ parseInt "ffffffffffffffff" 16 64 }}',
  '{{ parseInt "10000000000000000" 16 64 }}',
  '{{ parseInt "0x1F" 0 64 }}',
  '{{ parseInt "0b101" 0 64 }}',
  '{{ parseInt "017" 0 64 }}',
  '{{ parseInt "-1" 10 64 }}',
  '{{ parseInt "" 10 64 }}',
  '{{ printf "%02x-%d-%s-%q" 10 11 "a" "b" }}',
  '{{ printf "%5d|%-5d|%05d|%+d|%x|%X|%o|%b|%c" 42 42 42 42 255 255 8 5 65 }}',
  '{{ printf "%5s|%-5s|%.2s|%5.1s|%x" "abc" "abc" "abc" "abc" "abc" }}',
  '{{ printf "%v %v %v" 1 "a" true }} {{ printf "%t" true }} {{ printf "%%" }}',
  '{{ printf "%d" "a" }} {{ printf "%s" 1 }} {{ printf "%d" }} {{ printf "x" 1 }}',
  '{{ printf "%*d" 5 42 }} {{ printf "%v" .Match }}',
  '{{ .Name | printf "%s-%s" "a" }}',
  '{{ printf "%s" .Name | len }}',
  "{{ len .Match }} {{ len .Group }} {{ len .Name }}",
  "{{ if .Name }}yes{{ else }}no{{ end }}",
  '{{ if "" }}yes{{ else if .Zone }}zone{{ else }}no{{ end }}',
  "{{ if 0 }}a{{ else if 0 }}b{{ else }}c{{ end }}",
  '{{ if eq .Type "A" }}a{{ end }}{{ if ne .Type "A" }}b{{ end }}',
  '{{ if eq .Type "X" "A" }}a{{ end }}',
  "{{ if eq .Type 1 }}a{{ end }}",
  '{{ if and .Name (eq .Class "IN") }}both{{ end }}',
  '{{ if or "" .Name }}one{{ end }}{{ or "" "last" }}{{ and 1 0 2 }}',
  '{{ not "" }} {{ not .Name }}',
  "{{ lt 1 2 }} {{ le 2 2 }} {{ gt 1 2 }} {{ ge 2 2 }}",
  '{{ lt "a" "b" }} {{ lt 1 "b" }}',
  "{{ range .Match }}<{{ . }}>{{ end }}",
  "{{ range $i, $m := .Match }}{{ $i }}={{ $m }};{{ end }}",
  "{{ range $m := .Match }}{{ $m }},{{ end }}",
  "{{ range $k, $v := .Group }}{{ $k }}={{ $v }};{{ end }}",
  "{{ range .Match }}{{ $.Zone }}{{ end }}",
  "{{ range .Message.Answer }}a{{ else }}none{{ end }}",
  "{{ range .Match }}{{ if eq . `www` }}{{ break }}{{ end }}{{ . }}{{ end }}",
  "{{ range .Match }}{{ if eq . `www` }}{{ continue }}{{ end }}{{ . }};{{ end }}",
  "{{ with .Name }}{{ . }}{{ end }}{{ with `` }}a{{ else }}b{{ end }}",
  "{{ $x := 1 }}{{ $x }}{{ $x = 2 }}{{ $x }}",
  "{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $y := 3 }}{{ $y }}{{ end }}{{ $x }}",
  "{{ $y }}",
  "{{ if true }}{{ $y := 3 }}{{ end }}{{ $y }}",
  "a {{- 1 -}} b",
  "a {{ 1 -}} \n b {{- /* comment */ -}} c",
  "{{/* comment */}}x",
  '{{ `raw \\n` }}{{ "tab\\t\\x41\\u00e9\\101" }}',
  "{{ 'a' }} {{ 0x10 }} {{ 0b11 }} {{ 0o17 }} {{ 017 }} {{ 1_000 }} {{ -5 }}",
  "{{ true }} {{ false }}",
  "{{ nil }}",
  "{{ print 1 2 `a` `b` 3 }} {{ println 1 `a` }}",
  "{{ slice .Name 0 3 }} {{ slice .Match 1 }} {{ slice .Name 5 2 }}",
  "{{ slice .Name 0 3 }} {{ slice .Match 1 }}",
  "{{ (index .Match 1) }} {{ ((.Name)) }}",
  '{{ .Meta "kubernetes/client-namespace" }}|',
  '{{ if .Meta "x" }}a{{ else }}b{{ end }}',
  "{{ .Message.Id }} {{ .Message.RecursionDesired }} {{ .Question.Name }} {{ .Question.Qtype }}",
  "{{ (index .Message.Question 0).Name }}",
  "{{ .Match }} {{ .Group }}",
  "{{",
  "{{ }}",
  "{{ .Name",
  "{{ end }}",
  "{{ if .Name }}",
  "{{ if .Name }}{{ else }}{{ else }}{{ end }}",
  "{{ range .Match }}{{ else if 1 }}{{ end }}",
  "{{ unknown .Name }}",
  '{{ "open }}',
  "{{ .Name | .Zone }}",
  "{{ .Name .Zone }}",
  "{{ 1 | 2 }}",
  "{{ (.Name }}",
  "{{ break }}",
  "{{ .Name ) }}",
  "{{ len 1 }} ",
  "{{ index 1 1 }}",
];

/** Templates that Go accepts and nodens rejects, because they need several templates. */
const REFUSED = ['{{ define "a" }}{{ end }}', "{{ html .Name }}", "{{ urlquery .Name }}"];

const RECORDS = [
  "a.example. 60 IN A 10.0.0.1",
  "a.example 60 IN A 10.0.0.1",
  "a.example. IN 60 A 10.0.0.1",
  "a.example. A 10.0.0.1",
  "a.example. 1h30m IN A 10.0.0.1",
  "a.example. 60 CH A 10.0.0.1",
  "a.example. 60 IN A 10.0.0.256",
  "a.example. 60 IN A 10.0.0.1 10.0.0.2",
  "a.example. 60 IN AAAA 2001:db8::1",
  "a.example. 60 IN AAAA ::ffff:10.0.0.1",
  "a.example. 60 IN AAAA 10.0.0.1",
  "a.example. 60 IN NOTYPE 1",
  "a.example. 60 IN CNAME b.example.",
  "a.example. 60 IN CNAME b.example",
  "a\\.b.example. 60 IN PTR c\\046d.example.",
  "a.example. 60 IN MX 10 b.example.",
  "a.example. 60 IN MX 65536 b.example.",
  "a.example. 60 IN NS b.example. ; comment",
  "example. 60 IN SOA ns.example. host.example. (1 60 120 86400 3600)",
  "example. 60 IN SOA ns.example. host.example. 1 1m 2m 1d 1h",
  "_a._tcp.example. 60 IN SRV 1 2 53 b.example.",
  'a.example. 60 IN TXT "a b" c "d\\"e" "\\065"',
  'a.example. 60 IN TXT ""',
  'a.example. 60 IN TXT "open',
  'a.example. 60 IN CAA 0 issue "ca.example"',
  'a.example. 60 IN HINFO "cpu" "os"',
  'a.example. 60 IN NAPTR 100 10 "S" "SIP+D2U" "!^.*$!sip:a@b!" _sip._udp.example.',
  "a.example. 60 IN DNAME b.example.",
  "a.example. 60 IN DS 60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118",
  "a.example. 60 IN TLSA 3 1 1 0123 4567",
  "a.example. 60 IN SSHFP 2 1 123456789abcdef67890123456789abcdef67890",
  'a.example. 60 IN URI 10 1 "https://b.example/"',
  "a.example. 60 IN HTTPS 1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.1,192.0.2.2",
  "a.example. 60 IN HTTPS 0 b.example.",
  'a.example. 60 IN SVCB 1 b.example. ipv6hint=2001:db8::1 alpn="h2" mandatory=alpn no-default-alpn',
  "a.example. 60 IN SVCB 1 b.example. key65280=abc",
  "a.example. 60 IN TYPE65280 \\# 3 abcdef",
  "a.example. 60 IN A \\# 4 0a000001",
  "a.example. 60 IN TYPE65280 \\# 2 abcdef",
  ". 60 IN NS a.example.",
  "*.example. 60 IN A 10.0.0.1",
  `${"a".repeat(63)}.example. 60 IN A 10.0.0.1`,
  `${"a".repeat(64)}.example. 60 IN A 10.0.0.1`,
  `${"a".repeat(62)}.`.repeat(4) + "example. 60 IN A 10.0.0.1",
  "a..example. 60 IN A 10.0.0.1",
];

/** Incomplete records: miekg/dns accepts them, with zeros or nothing for the missing part. */
const CUT_SHORT = [
  "a.example. 60 IN A",
  "a.example. 60 IN CNAME",
  "example. 60 IN SOA ns.example. host.example. (1 60 120 86400",
  "example. 60 IN SOA ns.example. host.example. 1 60 120",
];

interface GoAnswer {
  Text: string;
  Wire: string;
  Error: string;
}

Deno.test({
  name: "templates and records have the same results as in CoreDNS",
  ...skipFor(goReasons()),
  async fn(t) {
    const asked = [
      ...[...TEMPLATES, ...REFUSED].map((Template) => ({
        Template,
        Match: GROUPS.groups,
        Group: {
          ...Object.fromEntries(GROUPS.groups.entries()),
          ...Object.fromEntries([...NAMES].map(([name, i]) => [name, GROUPS.groups[i]])),
        },
      })),
      ...RECORDS.map((Record) => ({ Record })),
    ];
    const answers = await run(asked);
    assert.equal(answers.length, asked.length);
    const of = (i: number) => answers[i]!;
    for (const [i, template] of TEMPLATES.entries()) {
      await t.step(`template ${template}`, () => compareTemplate(template, of(i)));
    }
    for (const [i, template] of REFUSED.entries()) {
      await t.step(`refused: ${template}`, () => {
        assert.equal(of(TEMPLATES.length + i).Error, "");
        assert.throws(() => compile(template, FIELD_NAMES), SyntaxError);
      });
    }
    for (const [i, text] of RECORDS.entries()) {
      await t.step(`record ${text.slice(0, 80)}`, () => {
        compareRecord(text, of(TEMPLATES.length + REFUSED.length + i));
      });
    }
  },
});

Deno.test("an incomplete record is rejected", () => {
  for (const text of ["", ...CUT_SHORT]) assert.throws(() => readRecord(text), SyntaxError, text);
});

function compareTemplate(template: string, { Text, Error: goError }: GoAnswer): void {
  const exchange = exchangeFor({ name: "Www.Example.org", type: "A", id: 4711 });
  const where = { zone: "example.org.", qclass: 1, qtype: 1, client: CLIENT, local: null };
  const data = dataOf({
    exchange,
    ...where,
    ...GROUPS,
    pattern: ".*",
    names: NAMES,
    variables: {},
  });
  const ours = () => compile(template, FIELD_NAMES).evaluate(data);
  if (goError === "") return assert.equal(ours(), Text);
  assert.throws(
    ours,
    (error) => error instanceof SyntaxError || error instanceof EvaluationError,
    goError,
  );
}

function compareRecord(text: string, { Wire, Error: goError }: GoAnswer): void {
  if (goError === "") return assert.equal(wireOf(readRecord(text)), Wire);
  assert.throws(
    () => readRecord(text),
    (error) => error instanceof SyntaxError || error instanceof RangeError,
    goError,
  );
}

function wireOf({ owner, type, qclass, ttlSeconds, data }: WireRecord): string {
  const fixed = new Uint8Array(10);
  const view = new DataView(fixed.buffer);
  view.setUint16(0, type);
  view.setUint16(2, qclass);
  view.setUint32(4, ttlSeconds);
  view.setUint16(8, data.length);
  return owner.toHex() + fixed.toHex() + data.toHex();
}

async function run(asked: readonly object[]): Promise<GoAnswer[]> {
  const program = buildGo("templates");
  const child = new Deno.Command(program, { stdin: "piped", stdout: "piped" }).spawn();
  const lines = asked.map((one) => `${JSON.stringify(one)}\n`).join("");
  const output = child.output();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(lines));
  await writer.close();
  const { stdout } = await output;
  return new TextDecoder().decode(stdout).trim().split("\n").map((line) => JSON.parse(line));
}
