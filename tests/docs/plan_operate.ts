/** What the test does with each fence of docs/operate.md, in the page's order. */
export type FenceStep =
  /** Types the commands of a transcript; their outputs have the page's shape. */
  | {
    run: string;
    /** Exit code of the last command. */
    code?: number;
    /** Shell that runs before. */
    before?: string;
    /** A shell function that runs the command. */
    by?: string;
    /** Outputs that stand for each other: it depends on time which is printed. */
    alike?: RegExp;
  }
  /** Types the lines, which must succeed. */
  | { types: string }
  /** The lines are in the log of the scene. */
  | { logged: string }
  | { skip: string; why: string };

const LISTENER = "169.254.20.10";

/** A zone as the network's servers tell it; both have the same. */
const upstream = (address: string) =>
  `.:53 {
    bind ${address}
    acl pay.shop.example.org {
        drop
    }
    acl old.example.net {
        block
    }
    template IN A api.example.org {
        answer "{{ .Name }} 300 IN A 192.0.2.1"
    }
    template IN AAAA api.example.org {
        answer "{{ .Name }} 300 IN AAAA 2001:db8::1"
    }
    template IN A www.example.org www.example.com {
        answer "{{ .Name }} 300 IN A 192.0.2.8"
        answer "{{ .Name }} 300 IN A 192.0.2.9"
        answer "{{ .Name }} 300 IN A 192.0.2.10"
    }
    template IN A no.example.org {
        rcode NXDOMAIN
        authority "example.org. 300 IN SOA ns.example.org. admin.example.org. 1 3600 600 86400 300"
    }
    template IN A fail.example.org {
        rcode SERVFAIL
    }
    template IN ANY example.org {
        authority "example.org. 300 IN SOA ns.example.org. admin.example.org. 1 3600 600 86400 300"
    }
    template IN ANY . {
        rcode NXDOMAIN
        authority "cluster.local. 300 IN SOA ns.dns.cluster.local. admin.dns.cluster.local. 1 3600 600 86400 300"
    }
}
`;

const COREFILE = `. {
    bind ${LISTENER} 10.96.0.10
    prometheus localhost:9253
    errors
    acl {
        block type ANY
    }
    cache {
        serve_stale 1h
    }
    hosts {
        fallthrough
    }
    forward . 10.0.0.10 10.0.0.11 {
        policy sequential
    }
}
`;

/** A node's cache, two servers of the network, and clients at addresses of their own. */
export const SETUP = `
for address in ${LISTENER} 10.96.0.10 10.0.0.10 10.0.0.11 10.1.0.17 10.1.0.4; do
  ip address add $address/32 dev lo
done
mkdir -p /etc/nodens
cat >/etc/nodens/Corefile <<'END'
${COREFILE}END
cat >/tmp/first.Corefile <<'END'
${upstream("10.0.0.10")}END
cat >/tmp/second.Corefile <<'END'
${upstream("10.0.0.11")}END
export NODENS_CONTROL=off
serve '^nodens [0-9]' nodens -conf /tmp/first.Corefile
first=$server
serve '^nodens [0-9]' nodens -conf /tmp/second.Corefile
second=$server
unset NODENS_CONTROL

start() {
  serve '^nodens [0-9]' nodens -conf Corefile -log-time never || exit 1
  node_log=$log
  node=$server
}
cd /etc/nodens
start

# ask CLIENT NAME TYPE...
ask() {
  dig -b $1 @${LISTENER} +tries=1 +timeout=8 +noall "\${@:2}"
}
# Clients that ask for ever: many hits, some misses and denials, few failures.
for ((i = 0; i < 24; i++)); do echo api.example.org A; done >/tmp/much
for ((i = 0; i < 12; i++)); do echo api.example.org AAAA; done >>/tmp/much
clients() {
  for ((turn = 0;; turn++)); do
    {
      for ((i = 0; i < 4; i++)); do echo www.example.org A; done
      for ((i = 0; i < 6; i++)); do echo n$turn-$i.svc.cluster.local A; done
      echo old.example.net A
    } >/tmp/little
    dig -b 10.1.0.17 @${LISTENER} +noall -f /tmp/much
    dig -b 10.1.0.4 @${LISTENER} +noall -f /tmp/little
  done >/dev/null 2>&1
}
# Runs a command while clients ask, from the time that top has whole seconds of them.
busy() {
  ask 10.1.0.17 pay.shop.example.org A
  clients &
  local asking=$!
  sleep 4
  "$@"
  local code=$?
  { kill $asking; wait $asking; } 2>/dev/null
  return $code
}
# Runs a watch until it has seen three queries; other lines show that it has begun.
watching() {
  "$@" >/tmp/watched &
  local watch=$!
  wait_for eval 'ask 10.1.0.4 begun.example.org A; grep -q begun /tmp/watched'
  ask 10.1.0.17 api.example.org A
  ask 10.1.0.4 www.example.org A
  ask 10.1.0.17 pay.shop.example.org A
  wait_for grep -q pay.shop /tmp/watched
  { kill $watch; wait $watch; } 2>/dev/null
  grep -v begun /tmp/watched
}
# Everything that a lookup or dump shows.
fill() {
  ask 10.1.0.17 www.example.org A
  ask 10.1.0.17 www.example.org AAAA
  ask 10.1.0.17 no.example.org A
}
# Runs a command while a failure is cached, which is for a second.
soon() {
  for ((i = 0; i < 20; i++)); do
    ask 10.1.0.17 fail.example.org A
    "$@" >/tmp/soon
    if grep -q SERVFAIL /tmp/soon; then break; fi
  done
  cat /tmp/soon
}
# Waits until a server has this state, while clients ask.
await_state() {
  wait_for eval "ask 10.1.0.4 \$((++asked)).$3.example.org A; nodens upstreams | grep '$1:53 *$2'"
}
# The first server fails for a while; then the second one does.
fail_over() {
  kill -STOP $first
  await_state 10.0.0.10 down over
  kill -CONT $first
  await_state 10.0.0.10 up back
  kill -STOP $second
  await_state 10.0.0.11 down pay.shop
  wait_for eval '! nodens explain new.example.org | grep recovering'
}
# Both fail while three clients ask for a name.
fail() {
  kill -STOP $first
  local three=
  for client in 10.1.0.4 10.1.0.17 10.96.0.10; do
    ask $client broken.example.org A &
    three="$three $!"
  done
  wait $three
  kill -CONT $first $second
  await_state 10.0.0.10 up back
  await_state 10.0.0.11 up pay.shop
}
`;

/** A silent server may be asked without options, and queries and checks notice silence. */
const SILENCE = /EDNS without options|EDNS with options|(health check: )?i\/o timeout/;

export const STEPS: readonly FenceStep[] = [
  { logged: '[INFO] control: log debug="on" for="5m" (from user 0, process 4711)' },
  { types: "curl --unix-socket /run/nodens/control.sock http://nodens/v1/status" },
  { run: "nodens log -for 5m debug on" },
  { run: "nodens reload", before: "sed -i s/cache/cahce/ Corefile", code: 1 },
  { run: "nodens stop", before: "sed -i s/cahce/cache/ Corefile" },
  {
    run: "nodens top -once -n 2",
    before: "wait $node && start",
    by: "busy",
    // The slowest of many.
    alike: /(NOERROR|NXDOMAIN) A+ \S+ for \S+ from/,
  },
  {
    run: "nodens watch -name example.org",
    before: "nodens flush -all && ask 10.1.0.17 api.example.org A",
    by: "watching",
  },
  { run: "nodens flush example.org/", before: "fill" },
  { run: "nodens lookup www.example.org", before: "fill" },
  { run: "nodens dump example.org", before: "fill", by: "soon" },
  { run: "nodens dump -json example.org" },
  {
    run: "nodens explain -from 10.0.0.7 www.example.org",
    before: "fail_over && nodens flush www.example.org",
    alike: SILENCE,
  },
  { run: "nodens explain www.example.org", before: "ask 10.1.0.17 www.example.org A" },
  { run: "nodens explain -ask www.example.org", before: "nodens flush www.example.org" },
  {
    types: "curl --unix-socket /run/nodens/control.sock " +
      "'http://nodens/v1/explain?name=www.example.org&type=AAAA&from=10.0.0.7'",
  },
  {
    run: "nodens upstreams",
    alike: SILENCE,
  },
  { run: "nodens upstreams -json" },
  { run: "nodens upstreams down 10.0.0.11", before: "fail" },
  {
    logged: "[ERROR] plugin/forward: 10.0.0.10:53 (of .) is down (i/o timeout): " +
      "1 query failed over, 0 failed, in the last 2.4 s",
  },
  { skip: "kubectl -n kube-system port-forward POD 9353", why: "needs a cluster" },
  {
    skip: "deno run --lock=dev.lock -A bench/page_picture.ts",
    why: "needs a browser; it writes the pictures",
  },
  {
    run: "nodens check Corefile",
    before: "mkdir /etc/kept; cd /etc/kept; cp /etc/page.2 Corefile",
  },
  {
    skip:
      "[WARNING] plugin/cache: keep: auth.example.org. A is stale, auth.example.org. AAAA is stale",
    why: "takes as long as the answers are valid; tests/engine/cache compares the lines",
  },
  {
    skip: 'nodens_cache_pinned{server="dns://:53",zones=".",state="fresh"} 5',
    why: "needs the upstream of the example; tests/meta compares names and labels",
  },
];
