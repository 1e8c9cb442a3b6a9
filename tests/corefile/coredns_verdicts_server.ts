import type { Verdicts } from "./coredns_verdicts.ts";

/** Verdicts on plugins that forward, guard, tell or set the server up. */
export const SERVER: Readonly<Record<string, Verdicts>> = {
  forward: {
    good: [
      ...[
        "forward . 127.0.0.7",
        "forward . 127.0.0.7:5300",
        "forward . [2001:db8::7]:53",
        "forward . 127.0.0.7 { }",
      ],
      ...[
        "forward . 127.0.0.7 { ; }",
        "forward . 127.0.0.7 { max_fails 4 }",
        "forward . 127.0.0.7 { ; max_fails 4 ; }",
      ],
      ...["forward 10.7.0.0/16 127.0.0.7", "forward . 127.0.0.7 ; forward lab.test 127.0.0.8"],
      ...[
        "forward . 127.0.0.7 { ; except corp.test lab.test ; }",
        "forward . 127.0.0.7 { ; force_tcp ; }",
      ],
      ...[
        "forward . 127.0.0.7 { ; prefer_udp ; }",
        "forward . 127.0.0.7 { ; force_tcp ; prefer_udp ; }",
      ],
      ...[
        "forward . 127.0.0.7 { ; health_check 1.5s ; }",
        "forward . 127.0.0.7 { ; health_check 2s no_rec ; }",
      ],
      ...["forward . 127.0.0.7 { ; health_check 2s no_rec domain lab.test ; }"],
      ...["forward . 127.0.0.7 { ; health_check 2s domain . ; }"],
      ...[
        "forward . tls://127.0.0.7",
        "forward . tls://127.0.0.7%dns.test",
        "forward . tls://127.0.0.7%dns.test:8530",
      ],
      ...[
        "forward . tls://[2001:db8::7%dns.test]:853 { ; tls ; }",
        "forward . tls://127.0.0.7 { ; tls_servername dns.test ; }",
      ],
      ...["forward . 127.0.0.7 { ; tls ; }", "forward . 127.0.0.7 { ; tls_servername dns.test ; }"],
      ...["forward . https://127.0.0.7"],
      ...[
        "forward . 127.0.0.7 { ; source_address 192.0.2.9 ; }",
        "forward . 127.0.0.7 { ; source_address 2001:db8::9 ; }",
      ],
      ...[
        "forward . 127.0.0.7 { ; policy random ; }",
        "forward . 127.0.0.7 { ; policy round_robin ; }",
      ],
      ...[
        "forward . 127.0.0.7 { ; policy sequential ; }",
        "forward . 127.0.0.7 { ; max_concurrent 500 ; }",
      ],
      ...[
        "forward . 127.0.0.7 { ; max_connect_attempts 0 ; }",
        "forward . 127.0.0.7 { ; max_connect_attempts 4 ; }",
      ],
      ...[
        "forward . 127.0.0.7 { ; max_idle_conns 7 ; }",
        "forward . 127.0.0.7 { ; max_idle_conns 0 ; }",
      ],
      ...[
        "forward . 127.0.0.7 { ; next NXDOMAIN ; }",
        "forward . 127.0.0.7 { ; next SERVFAIL REFUSED ; }",
      ],
      ...["forward . 127.0.0.7 { ; failfast_all_unhealthy_upstreams ; }"],
      ...["forward . 127.0.0.7 { ; failover ServFail Refused ; }"],
      ...[
        "forward . 127.0.0.7 { ; max_age 40s ; }",
        "forward . 127.0.0.7 { ; expire 20s ; max_age 20s ; }",
      ],
      ...["forward . 127.0.0.7 { ; max_age 0s ; }", "forward . 127.0.0.7 { ; read_timeout 3s ; }"],
      ...["forward . 127.0.0.7 { ; read_timeout 700ms ; }"],
    ],
    faulty: [
      ...[
        "forward",
        "forward .",
        "forward . 127.0.0.7 {}",
        "forward . 127.0.0.7 { ; maxfails 4 ; }",
        "forward . x27.0.0.7",
      ],
      ...[`forward ${"y".repeat(64)} 127.0.0.7`, "forward . https://127.0.0.7/"],
      ...[
        "forward . 127.0.0.7 { ; health_check 2s domain ; }",
        "forward . 127.0.0.7 { ; health_check no_rec ; }",
      ],
      ...[
        "forward . 127.0.0.7 { ; health_check domain lab.test ; }",
        "forward . 127.0.0.7 { ; health_check 2s odd ; }",
      ],
      ...["forward . 127.0.0.7 { ; health_check 2s domain lab..test ; }"],
      ...[
        "forward . 127.0.0.7 { ; source_address odd ; }",
        "forward . 127.0.0.7 { ; source_address ; }",
      ],
      ...[
        "forward . tls://127.0.0.7%dns.test { ; tls_servername other.test ; }",
        "forward . 127.0.0.7 { ; policy best ; }",
      ],
      ...[
        "forward . 127.0.0.7 { ; max_concurrent all ; }",
        "forward . 127.0.0.7 { ; max_concurrent -7 ; }",
      ],
      ...[
        "forward . 127.0.0.7 { ; max_connect_attempts odd ; }",
        "forward . 127.0.0.7 { ; max_connect_attempts -7 ; }",
      ],
      ...[
        "forward . 127.0.0.7 { ; max_idle_conns odd ; }",
        "forward . 127.0.0.7 { ; max_idle_conns -7 ; }",
      ],
      ...[
        "forward . 127.0.0.7 { ; next ; }",
        "forward . 127.0.0.7 { ; next NOPE ; }",
        "forward . 127.0.0.7 { ; next NXDOMAIN NOPE ; }",
      ],
      ...["forward . 127.0.0.7 { ; failfast_all_unhealthy_upstreams yes ; }"],
      ...[
        "forward . 127.0.0.7 { ; failover NOERROR ; }",
        "forward . 127.0.0.7 { ; failover NOPE ; }",
      ],
      ...["forward . 127.0.0.7 { ; max_age -4s ; }", "forward . 127.0.0.7 { ; max_age old ; }"],
      ...["forward . 127.0.0.7 { ; expire 40s ; max_age 20s ; }"],
      ...[
        "forward . 127.0.0.7 { ; read_timeout 0s ; }",
        "forward . 127.0.0.7 { ; read_timeout -2s ; }",
      ],
      ...[
        "forward . 127.0.0.7 { ; read_timeout odd ; }",
        "forward . 127.0.0.7 { ; read_timeout ; }",
      ],
    ],
  },
  acl: {
    good: [
      ...[
        "acl { ; block type AAAA net 10.7.0.0/16 ; }",
        "acl { ; block type * net 10.7.0.0/16 ; }",
      ],
      ...["acl { ; filter type A net * ; }", "acl { ; allow net 10.7.1.0/24 ; block ; }"],
      ...[
        "acl { ; drop type * net 10.7.0.0/16 ; }",
        "acl lab.test { ; block net 2001:db8:7::/48 2001:db8:8::9/64 ; }",
      ],
      ...[
        "acl lab.test { ; block type TXT ANY net 10.7.0.0/24 10.9.0.0/24 ; }",
        "acl { ; block type A ; }",
      ],
      ...[
        "acl a.test { ; block ; } ; acl b.test { ; filter ; }",
        "acl { ; block net 2001:0db8:0000::0007 ; }",
      ],
    ],
    faulty: [
      ...[
        "acl { ; block A net 10.7.0.0/16 ; }",
        "acl { ; block type net 10.7.0.0/16 ; }",
        "acl { ; block type QQ net * ; }",
      ],
      ...[
        "acl { ; blok type A net * ; }",
        "acl { ; block type A net 10.7.0/16 ; }",
        "acl { ; block net 10.7.0.0/40 ; }",
      ],
      ...["acl { ; block net 2001::7::8 ; }", "acl { ; block net 2001:db8:::7 ; }"],
    ],
  },
  log: {
    good: [
      ...[
        "log",
        "log corp.test",
        "log corp.test lab.test",
        "log corp.test {common}",
        "log corp.test {combined}",
      ],
      ...[
        "log corp.test lab.test {remote}",
        "log corp.test ; log lab.test {combined}",
        "log corp.test {name} ; log corp.test {type}",
      ],
      ...[
        "log { ; class denial ; }",
        "log corp.test { ; class denial error ; }",
        "log corp.test {name} { ; class denial ; class error ; }",
      ],
      ...[
        'log corp.test "{common} and {/forward/upstream}"',
        "log { ; class all ; }",
        "log { class denial }",
      ],
    ],
    faulty: ["log { ; class ; }", "log { ; odd ; }", "log { odd }", "log { ; class odd ; }"],
  },
  errors: {
    good: [
      ...[
        "errors",
        "errors stdout",
        "errors { ; stacktrace ; }",
        "errors { ; consolidate 2m ^same$ ; }",
      ],
      ...[
        'errors { ; consolidate 2m "no answer" ; }',
        "errors { ; consolidate 2m one ; consolidate 9s two ; }",
      ],
      ...[
        "errors { ; consolidate 2m .* info ; }",
        "errors { ; consolidate 2m .* debug ; }",
        "errors { ; consolidate 2m .* warning show_first ; }",
      ],
      ...[
        "errors { ; consolidate 2m .* show_first ; }",
        "errors { ; stacktrace ; consolidate 2m .* error ; }",
      ],
    ],
    faulty: [
      ...["errors out.txt", "errors loudly", "errors { loudly }", "errors ; errors", "errors a b"],
      ...[
        "errors { ; consolidate ; }",
        "errors { ; consolidate 2m ; }",
        "errors { ; consolidate 2m .* odd ; }",
      ],
      ...[
        "errors { ; consolidate odd .* ; }",
        "errors { ; consolidate 2 .* ; }",
        "errors { ; consolidate 2m (() ; }",
      ],
      ...[
        "errors { ; consolidate 2m .* warning error ; }",
        "errors { ; consolidate 2m .* show_first warning ; }",
      ],
      `errors { ; consolidate 2m ${"x".repeat(10_001)} ; }`,
    ],
  },
  loop: { good: ["loop"], faulty: ["loop words", "loop ; loop"] },
  health: {
    good: [
      "health",
      "health localhost:8099",
      "health localhost:8099 { ; lameduck 3s ; }",
      "health odd:x",
    ],
    faulty: [
      "health odd",
      "health odd odd",
      "health { ; lameduck odd ; }",
      "health { ; lamduck 3s ; }",
    ],
  },
  ready: {
    good: [
      "ready",
      "ready localhost:8099",
      "ready { ; monitor until-ready ; }",
      "ready localhost:8099 { ; monitor continuously ; }",
    ],
    faulty: [
      ...[
        "ready { ; monitor never ; }",
        "ready { ; monitr continuously ; }",
        "ready localhost:8099 more",
        "ready odd",
        "ready odd odd",
      ],
    ],
  },
  prometheus: {
    good: [
      "prometheus",
      "prometheus localhost:9099",
      "prometheus { ; runtime_metrics ; }",
      "prometheus localhost:9099 { ; runtime_metrics ; }",
    ],
    faulty: [
      "prometheus {}",
      "prometheus { ; runtime_metrics all ; }",
      "prometheus /path",
      "prometheus a b c",
      "prometheus ; prometheus",
    ],
  },
  reload: {
    good: ["reload", "reload 12s", "reload 12s 3s", "reload 4s 0s"],
    faulty: [
      "reload odd",
      "reload 12s odd",
      "reload 12s 3s odd",
      "reload 1s",
      "reload 0s",
      "reload 4s 0.4s",
    ],
  },
  root: { good: ["root /srv", "root /not/there"], faulty: ["root", "root { ; /srv ; }"] },
  bind: {
    good: [
      "bind 192.0.2.9",
      "bind 192.0.2.9 2001:db8::9",
      "bind lo",
      "bind 192.0.2.9 lo",
      "bind lo { ; except 127.0.0.1 ; }",
    ],
    faulty: ["bind", "bind 192.0.2.odd", "bind 192.0.2.9 odd"],
  },
  debug: { good: ["debug"], faulty: ["debug off"] },
  timeouts: {
    good: [
      ...[
        "timeouts { ; read 20s ; }",
        "timeouts { ; read 2m ; write 3m ; }",
        "timeouts { ; idle 1h ; }",
      ],
      ...["timeouts { ; read 12 ; write 25 ; idle 70 ; }", "timeouts { ; maxtcpqueries 50 ; }"],
      ...["timeouts { ; maxtcpqueries -1 ; }"],
    ],
    faulty: [
      ...[
        "timeouts",
        "timeouts { ; }",
        "timeouts { ; read 12s ; odd 20s ; }",
        "timeouts { ; read 12s 13s ; }",
      ],
      ...["timeouts { ; write odd ; }", "timeouts { ; idle 0s ; }", "timeouts { ; read 30h ; }"],
      ...[
        "timeouts { ; maxtcpqueries 0 ; }",
        "timeouts { ; maxtcpqueries -3 ; }",
        "timeouts { ; maxtcpqueries odd ; }",
      ],
    ],
  },
};
