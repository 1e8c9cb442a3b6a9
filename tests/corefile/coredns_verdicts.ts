/** Directives of one plugin, by the verdict of CoreDNS; `;` stands for the end of a line. */
export interface Verdicts {
  good: string[];
  faulty: string[];
}

/** Verdicts on plugins that keep, choose or change answers. */
export const ANSWERS: Readonly<Record<string, Verdicts>> = {
  cache: {
    good: [
      ...[
        "cache",
        "cache {}",
        "cache { }",
        "cache 60",
        "cache 60 corp.test",
        "cache corp.test lab.test",
      ],
      ...["cache { success 5000 ; }", "cache { ; success 5000 900 ; denial 2000 20 ; }"],
      ...["cache 45 corp.test { ; denial 3000 25 7 ; success 4000 900 60 ; }"],
      ...[
        "cache { ; prefetch 5 ; }",
        "cache { ; prefetch 5 90s ; }",
        "cache { ; prefetch 5 90s 15% ; }",
      ],
      ...[
        "cache { ; serve_stale ; }",
        "cache { ; serve_stale 30m ; }",
        "cache { ; serve_stale 2h15m ; }",
      ],
      ...["cache { ; serve_stale 0 ; }", "cache { ; serve_stale 0s verify ; }"],
      ...["cache { ; serve_stale 3h immediate ; }", "cache { ; serve_stale 3h Immediate 45s ; }"],
      ...[
        "cache { ; serve_stale 3h verify 150ms ; }",
        "cache { ; serve_stale 3h VERIFY 150ms 45s ; }",
      ],
      ...["cache { ; serve_stale 3h verify 0 ; }", "cache { ; serve_stale 3h immediate 0 ; }"],
      ...[
        "cache { ; serve_stale 3h verify 0 2m ; }",
        "cache { ; serve_stale 3h immediate 45s 20s ; }",
      ],
      ...["cache { ; serve_stale 3h verify 150ms 45s 20s ; }"],
      ...["cache { ; serve_stale ; serve_stale_policy prefer_positive ; }"],
      ...["cache { ; serve_stale_policy Prefer_Positive ; serve_stale ; }"],
      ...["cache { ; servfail 3s ; }", "cache { ; servfail 4m ; }", "cache { ; servfail 0 ; }"],
      ...["cache { ; disable denial ; }", "cache { ; disable success corp.test lab.test ; }"],
      ...["cache { ; disable success a.test ; disable denial b.test ; }", "cache { ; keepttl ; }"],
    ],
    faulty: [
      ...["cache 0", "cache -5 corp.test", "cache ; cache", "cache { ; success ; }"],
      ...["cache { ; denial many ; }", "cache { ; sucess 50 ; }", "cache { ; prefetch -2 ; }"],
      ...[
        "cache { ; prefetch ; }",
        "cache { ; prefetch 5 often ; }",
        "cache { ; prefetch 5 90s 150% ; }",
      ],
      ...[
        "cache { ; serve_stale 45 ; }",
        "cache { ; serve_stale -3m ; }",
        "cache { ; serve_stale old ; }",
      ],
      ...["cache { ; serve_stale 3m maybe ; }", "cache { ; serve_stale 3h immediate 150ms ; }"],
      ...[
        "cache { ; serve_stale 3h immediate 4294967297s ; }",
        "cache { ; serve_stale 3h immediate -4s ; }",
      ],
      ...[
        "cache { ; serve_stale 3h immediate 45s 20s more ; }",
        "cache { ; serve_stale 3h verify -5ms ; }",
      ],
      ...[
        "cache { ; serve_stale 3h verify soon ; }",
        "cache { ; serve_stale 3h verify 150ms 700ms ; }",
      ],
      ...["cache { ; serve_stale 3h verify 150ms 45s -1s ; }"],
      ...["cache { ; serve_stale 3h immediate 45s 5m2s ; }"],
      ...["cache { ; serve_stale_policy prefer_positive ; }"],
      ...[
        "cache { ; serve_stale ; serve_stale_policy ; }",
        "cache { ; serve_stale ; serve_stale_policy any ; }",
      ],
      ...[
        "cache { ; serve_stale ; serve_stale_policy prefer_positive ; serve_stale_policy prefer_positive ; }",
      ],
      ...["cache { ; servfail ; }", "cache { ; servfail 7m ; }", "cache { ; servfail 30 ; }"],
      ...[
        "cache { ; servfail -2s ; }",
        "cache { ; servfail 2m more ; }",
        "cache { ; disable failures ; }",
      ],
      "cache { ; keepttl yes ; }",
    ],
  },
  hosts: {
    good: [
      ...[
        "hosts",
        "hosts /etc/own",
        "hosts /etc/own corp.test lab.test",
        "hosts { ; fallthrough ; }",
      ],
      ...["hosts /etc/own corp.test 10.9.8.7/8 { ; fallthrough ; }"],
      ...["hosts own corp.test { ; 10.0.0.7 a.corp.test ; fallthrough corp.test ; }"],
      ...["hosts { ; fallthrough ; fallthrough_unsupported ; }"],
      ...["hosts { ; fallthrough_unsupported ; fallthrough corp.test ; }"],
      ...["hosts { ; ttl 90 ; no_reverse ; reload 2s ; }", "hosts { ; reload 0 ; }"],
    ],
    faulty: [
      ...["hosts ; hosts", "hosts own corp.test { ; fallthrough ; 10.0.0.7 a.corp.test ; }"],
      ...["hosts { ; fallthrough_unsupported ; }"],
      ...["hosts { ; fallthrough ; fallthrough_unsupported corp.test ; }"],
      ...[
        "hosts { ; ttl 0 ; }",
        "hosts { ; ttl ; }",
        "hosts { ; reload -3s ; }",
        "hosts { ; reload 20 ; }",
      ],
    ],
  },
  template: {
    good: [
      ...[
        "template IN A",
        "template ANY ANY corp.test { ; }",
        "template IN ANY (a",
        "template CH TXT",
      ],
      ...["template IN A { ; rcode REFUSED ; }"],
      ...[
        'template IN A lab { ; match ^n(?P<n>[0-9]+)[.]lab[.]$ ; answer "{{ .Name }} A 10.0.0.{{ .Group.n }}" ; }',
      ],
      ...[
        'template IN AAAA lab { ; match (b)$ ; authority "lab. 9 IN NS {{ index .Match 1 }}." ; fallthrough ; }',
      ],
      ...[
        'template IN A { ; answer "{{ parseInt }}" ; }',
        'template IN A { ; answer "{{ .Name }} A {{ .Missing.x }}" ; }',
      ],
      ...['template IN MX lab { ; answer "lab. MX 5 m.lab." ; additional "m.lab. A 10.0.0.5" ; }'],
      ...['template ANY ANY lab { ; rcode NXDOMAIN ; ederror 15 "not served" ; }'],
      ...["template ANY ANY { ; var n 7 ; var m n * 2 ; var t 'a' + name() ; }"],
      ...["template ANY ANY { ; match ^(?P<h>[a-z]+)[.] ; var x group('h') + group(1) ; }"],
      ...["template ANY ANY { ; expr type() == 'A' ; expr incidr(client_ip(), '10.0.0.0/8') ; }"],
      ...["template ANY ANY { ; var n 7 ; expr n > 3 ; }", "template ANY ANY { ; expr 5 ; }"],
      ...["template ANY ANY { ; upstream ; }"],
    ],
    faulty: [
      ...[
        "template",
        "template IN",
        "template QQ",
        "template IN QQ",
        "template IN A { ; anwser x ; }",
      ],
      ...[
        "template IN A { ; answer ; }",
        "template IN A { ; additional ; }",
        "template IN A { ; match ; }",
      ],
      ...[
        "template IN A { ; rcode ; }",
        "template IN A { ; rcode NOPE ; }",
        "template IN A { ; match (x ; }",
      ],
      ...['template IN A { ; answer "{{ if" ; }', 'template IN A { ; authority "{{" ; }'],
      ...['template IN A { ; answer "{{ shout .Name }}" ; }', "template IN A { ; ederror none ; }"],
      ...[
        "template IN A { ; ederror 15 not served ; }",
        `template IN A { ; match ${"x".repeat(10_001)} ; }`,
      ],
      ...[
        "template IN A { ; var ; }",
        "template IN A { ; var n ; }",
        "template IN A { ; var 7n 7 ; }",
      ],
      ...[
        "template IN A { ; var a-n 7 ; }",
        "template IN A { ; var type 7 ; }",
        "template IN A { ; var split 7 ; }",
      ],
      ...[
        "template IN A { ; var nil 7 ; }",
        "template IN A { ; var let 7 ; }",
        "template IN A { ; var n 7 * ; }",
      ],
      ...["template IN A { ; var n two words ; }", "template IN A { ; var n m ; var m 7 ; }"],
      ...[
        "template IN A { ; var n 7 ; var n 8 ; }",
        "template IN A { ; var n 7 ; var t 'a' + n ; }",
      ],
      ...[
        "template IN A { ; expr ; }",
        "template IN A { ; expr type() == ; }",
        "template IN A { ; expr nowhere ; }",
      ],
      ...["template IN A { ; var n 7 ; expr n - 'x' ; }"],
    ],
  },
  rewrite: {
    good: [
      ...["rewrite name old.test new.test", "rewrite name exact old.test new.test"],
      ...[
        "rewrite name prefix old- new-",
        "rewrite name suffix .old.test .new.test",
        "rewrite name substring old new",
      ],
      ...["rewrite name regex (.*)[.]old {1}.new", "rewrite continue name old.test new.test"],
      ...["rewrite stop name regex (.*)[.]old {1}.new answer name (.*)[.]new {1}.old"],
      ...["rewrite stop { ; name regex (.*)[.]old {1}.new ; answer name (.*)[.]new {1}.old ; }"],
      ...["rewrite name substring old new answer name (n)ew {1}ld", "rewrite type AAAA A"],
      ...[
        "rewrite stop type any txt",
        "rewrite class CH IN",
        "rewrite edns0 local set 0xfff0 hello",
      ],
      ...[
        "rewrite edns0 local set 65520 hello revert",
        "rewrite edns0 local append 0xfff0 {client_ip}",
      ],
      ...["rewrite edns0 local replace 0xfff0 {qname} revert", "rewrite edns0 local unset 0xfff0"],
      ...["rewrite edns0 nsid set", "rewrite edns0 nsid append revert", "rewrite edns0 nsid unset"],
      ...["rewrite edns0 subnet set 16 48", "rewrite continue edns0 subnet replace 16 48 revert"],
      ...["rewrite edns0 subnet unset"],
    ],
    faulty: [
      ...[
        "rewrite",
        "rewrite stop",
        "rewrite continue",
        "rewrite nothing",
        "rewrite name",
        "rewrite name old.test",
      ],
      ...[
        "rewrite name old.test new.test third.test",
        "rewrite name regex (old new",
        "rewrite perhaps name a.test b.test",
      ],
      ...[
        "rewrite name regex (a) {1} ansver name (a) {1}",
        "rewrite name regex (a) {1} answer ttl (a) {1}",
      ],
      ...[
        "rewrite name regex (a) {1} answer name (a) {1} more words",
        "rewrite name substring a b c",
      ],
      ...["rewrite stop name regex (old new answer name a b"],
      ...["rewrite stop { ; name regex (a) {1} ; answer name (a) {1} ; name odd ; }"],
      ...["rewrite stop { ; answer name (a) {1} ; name regex (a) {1} ; }"],
      ...[
        "rewrite type",
        "rewrite type A",
        "rewrite type A AAAA TXT",
        "rewrite type QQ A",
        "rewrite type ANY QQ",
      ],
      ...[
        "rewrite class",
        "rewrite class CH",
        "rewrite class CH IN IN",
        "rewrite class QQ IN",
        "rewrite class IN QQ",
      ],
      ...[
        "rewrite edns0",
        "rewrite edns0 odd set",
        "rewrite edns0 local",
        "rewrite edns0 local set 0xfff0",
      ],
      ...["rewrite edns0 local set odd hello", "rewrite edns0 local odd 0xfff0 hello"],
      ...["rewrite edns0 local set 0xfff0 0xabc", "rewrite edns0 local set 0xfff0 {odd}"],
      ...["rewrite edns0 local unset 0xfff0 hello", "rewrite edns0 local unset 0xfff0 revert"],
      ...[
        "rewrite edns0 nsid set hello",
        "rewrite edns0 nsid odd",
        "rewrite edns0 nsid unset revert",
      ],
      ...[
        "rewrite edns0 subnet set -3 48",
        "rewrite edns0 subnet set 40 48",
        "rewrite edns0 subnet set 16 130",
      ],
      ...[
        "rewrite edns0 subnet append 16 48 64",
        "rewrite edns0 subnet unset 16 48",
        "rewrite edns0 subnet unset revert",
      ],
    ],
  },
  loadbalance: {
    good: [
      ...[
        "loadbalance",
        "loadbalance round_robin",
        "loadbalance weighted own",
        "loadbalance weighted own { ; reload 20s ; }",
      ],
      ...[
        "loadbalance weighted own { ; reload 0s ; }",
        "loadbalance round_robin { ; prefer 10.0.0.0/8 ; }",
      ],
    ],
    faulty: [
      ...[
        "loadbalance best",
        "loadbalance round_robin own",
        "loadbalance weighted",
        "loadbalance weighted own other",
      ],
      ...["loadbalance weighted own { ; odd ; }", "loadbalance weighted own { ; reload often ; }"],
      ...[
        "loadbalance weighted own { ; reload 20s more ; }",
        "loadbalance round_robin { ; prefer 10.0.0.0/40 ; }",
      ],
    ],
  },
  dns64: {
    good: [
      ...[
        "dns64",
        "dns64 2001:db8:64::/96",
        "dns64 { ; translate_all ; }",
        "dns64 { ; allow_ipv4 ; }",
      ],
      ...[
        "dns64 { ; prefix 2001:db8::/32 ; }",
        "dns64 { ; prefix 2001:db8:aa::/48 ; }",
        "dns64 { ; prefix 2001:db8:1:2:3:4::/96 ; }",
      ],
    ],
    faulty: [
      ...[
        "dns64 words",
        "dns64 words { ; allow_ipv4 ; }",
        "dns64 { ; words ; }",
        "dns64 { ; prefix 2001:db8::/52 ; }",
      ],
      ...["dns64 { ; prefix 2001:db8::/104 ; }", "dns64 { ; prefix 192.0.2.0/24 ; }"],
    ],
  },
  header: {
    good: [
      ...[
        "header { ; query set rd ; }",
        "header { ; response set aa ; }",
        "header { ; response set ra aa ; query clear rd ; }",
      ],
    ],
    faulty: [
      ...[
        "header",
        "header {}",
        "header { ; both set aa ; }",
        "header { ; response set ; }",
        "header { ; query set ; }",
      ],
      ...["header { ; query raise rd ; }", "header { ; response set zz ; }"],
    ],
  },
  local: {
    good: ["local", "local { ; localhost_prefix off ; }", "local { ; localhost_prefix on ; }"],
    faulty: [
      "local corp.test",
      "local { odd }",
      "local { ; localhost_prefix perhaps ; }",
      "local { ; localhost_prefix ; }",
    ],
  },
  chaos: {
    good: ["chaos", "chaos v9", 'chaos v9 "A. Writer"', "chaos v9 one two"],
    faulty: ["chaos v9 { ; odd ; }"],
  },
  any: { good: ["any"], faulty: ["any corp.test", "any { odd }"] },
  minimal: { good: ["minimal"], faulty: ["minimal corp.test"] },
  bufsize: {
    good: ["bufsize", "bufsize 1400", 'bufsize "512"', "bufsize 4096"],
    faulty: ["bufsize 6000", 'bufsize "600 600"', "bufsize 500", "bufsize big", "bufsize 600 700"],
  },
  nsid: { good: ["nsid", "nsid host7", 'nsid "host 7"', "nsid host 7"], faulty: ["nsid ; nsid"] },
  whoami: { good: ["whoami"], faulty: ["whoami corp.test"] },
};
