/**
 * What is done with each command of a page. Every command has to stand here, so that a new one is
 * decided about; and what stands here must be on the page.
 */
export interface PlannedPage {
  path: string;
  /** Second-level sections that are looked at; all where none is named. */
  sections?: readonly string[];
  /** Shell that prepares the machine. */
  setup: string;
  /** Text to replace in each command, for what a reader fills in or has. */
  replace: Readonly<Record<string, string>>;
  steps: readonly Step[];
}

/** A command and what becomes of it. */
export type Step =
  | {
    run: string;
    /** What it must print; nothing at all is asked for where this is missing. */
    prints?: RegExp;
    /** 0 unless it is said. */
    code?: number;
    /** Keeps running, until it is ended by a later one; ready when it has printed this. */
    serves?: RegExp;
    /** Shell that runs before it, for what the reader does with an editor or another terminal. */
    before?: string;
  }
  | { skip: string; why: string };

/** Makes what serves run in the background and waits, at most twenty seconds, until it is ready. */
export const SERVE = `
serve() {
  local ready=$1
  log=/tmp/served.$((++served))
  shift
  : >$log
  "$@" >$log 2>&1 &
  server=$!
  for ((i = 0; i < 400; i++)); do
    if grep -qE "$ready" $log; then return 0; fi
    kill -0 $server || break
    sleep 0.05
  done
  cat $log
  return 1
}
# What Ctrl-C in the other terminal does.
interrupt() {
  kill -INT -$server
  wait $server || true
}
`;

/** Who answers for the network: example.org, at the address that resolv.conf names. */
const UPSTREAM = `
cat >/tmp/upstream.Corefile <<'END'
.:53 {
    bind 127.0.0.153
    hosts /dev/null {
        192.0.2.80 example.org
        2001:db8::80 example.org
    }
}
END
serve '^nodens [0-9]' nodens -conf /tmp/upstream.Corefile
`;
const READY = /^nodens [0-9]/m;
/** The same version, which is here already: the registry is not asked. */
const WITHOUT_NPX = { "npx -y deno@2.9.6": "deno" } as const;

/** An answer without a warning. */
const HELLO =
  /^(?![\s\S]*WARNING)[\s\S]*;; ANSWER SECTION:\nhello\.nodens\.test\.\s.*\s192\.0\.2\.53\n/;

const README: PlannedPage = {
  path: "README.md",
  setup: "",
  replace: WITHOUT_NPX,
  steps: [
    { run: "npx -y deno@2.9.6 task start", serves: READY },
    { run: "dig @127.0.0.1 -p 1053 hello.nodens.test", prints: HELLO },
    {
      run: "dig @127.0.0.1 -p 1053 whoami.nodens.test +noall +additional",
      prints: /^whoami\.nodens\.test\.\s+0\s+IN\s+A\s+127\.0\.0\.1\n/m,
    },
    { skip: "npx -y deno@2.9.6 task test", why: "it is this; .ci/run gives it as it stands" },
  ],
};

const TRY: PlannedPage = {
  path: "docs/try.md",
  setup: "",
  replace: WITHOUT_NPX,
  steps: [
    ...README.steps.slice(0, 3),
    {
      run: 'nodens() { npx -y deno@2.9.6 run -A main.ts "$@"; }',
      before: "rm /usr/local/bin/nodens",
    },
    {
      run: "nodens query hello.nodens.test @127.0.0.1 -p 1053 +short",
      prints: /^192\.0\.2\.53\n$/,
    },
    { run: "nodens help query", prints: /^Usage: nodens query NAME/ },
    {
      run: "nodens check try.Corefile",
      before: `interrupt\n${UPSTREAM}\necho nameserver 127.0.0.153 >/etc/resolv.conf`,
      prints: /^$/,
    },
    { run: "nodens -conf try.Corefile -pidfile try.pid", serves: READY },
    {
      run: "nodens query example.org @127.0.0.1 -p 1053",
      prints: /status: NOERROR[\s\S]*\sA\s+192\.0\.2\.80/,
    },
    { run: "nodens query example.org @127.0.0.1 -p 1053 +short", prints: /^192\.0\.2\.80\n$/ },
    {
      run: "dig @127.0.0.1 -p 1053 example.org AAAA +tcp",
      prints: /\sAAAA\t2001:db8::80\n[\s\S]*\(TCP\)/,
    },
    {
      run: "nodens healthcheck",
      // nodens asks itself once a second.
      before: "grep -E 'A IN example.org. udp .* [0-9.]+s$' $log; sleep 1.1",
      prints: /\/health: 200 OK\n$/,
    },
    { run: "nodens status", prints: /127\.0\.0\.1:1053 +\.\n[\s\S]*127\.0\.0\.153:53 +up/ },
    {
      run: "curl -s http://127.0.0.1:9153/metrics | grep coredns_cache_hits_total",
      prints: /^coredns_cache_hits_total\{.*type="success".*\} [1-9]/m,
    },
    { run: "sed -i 's/prefetch 3 1m/prefetch 5 2m/' try.Corefile" },
    { run: "kill -HUP $(cat try.pid)" },
    {
      run: "nodens status | grep 'Last reload'",
      before: "sleep 0.5",
      prints: /^Last reload: .*, taken over$/m,
    },
    { run: "kill $(cat try.pid)" },
    { run: "rm try.Corefile", before: "wait $server; test $? = 0" },
  ],
};

const NO_SYSTEMD = "no systemd runs in this sandbox; tests/units boots one";

const INSTALL: PlannedPage = {
  path: "docs/install.md",
  sections: ["On a host", "Edge nodes: k3s, MicroK8s, Nomad", "Shell completion and man page"],
  setup: `
export SYSTEMD_OFFLINE=1
cd /root && cp -r "$OLDPWD/deploy/systemd" systemd
rm -f /etc/resolv.conf && echo nameserver 127.0.0.153 >/etc/resolv.conf
${UPSTREAM}`,
  replace: {
    IMAGE: "example.org/nodens-node:0.1.0",
    // No systemd runs in a test: units are enabled there, and what they start is started below.
    " --now": "",
  },
  steps: [
    {
      skip: "apt-get install ./nodens_0.1.0_$(dpkg --print-architecture).deb",
      why: "tests/units installs it in a Debian that systemd has booted",
    },
    { run: "install -D -m 644 systemd/nodens.sysusers /usr/lib/sysusers.d/nodens.conf" },
    { run: "systemd-sysusers" },
    {
      run: "install -m 644 systemd/nodens.service systemd/nodens.socket /etc/systemd/system/",
      before: "id nodens",
    },
    { skip: "systemctl daemon-reload", why: NO_SYSTEMD },
    { run: "mkdir -p /etc/nodens" },
    { run: "cp -L /etc/resolv.conf /etc/nodens/upstreams.conf" },
    { run: "nodens check /etc/nodens/Corefile", prints: /^$/ },
    {
      run: "systemctl enable --now nodens.service",
      prints: /Created symlink .*multi-user\.target\.wants\/nodens\.service/,
    },
    {
      run: "nodens query example.org @127.0.0.1 +short",
      // What systemd would have started.
      before: `serve '^nodens [0-9]' $(sed -n s/^ExecStart=//p /etc/systemd/system/nodens.service)`,
      prints: /^192\.0\.2\.80\n$/,
    },
    { run: "nodens healthcheck", before: "sleep 1.1", prints: /200 OK\n$/ },
    { run: "nodens status", prints: /127\.0\.0\.1:53 +\.\n\[::1\]:53 +\.\n/ },
    { run: "nodens doctor -conf /etc/nodens/Corefile", prints: /^0 problems, /m },
    { run: "cp /etc/resolv.conf /etc/nodens/resolv.conf.before" },
    {
      run: "printf 'nameserver 127.0.0.1\\noptions edns0\\n' > /etc/resolv.conf",
    },
    { run: "getent hosts example.org", prints: /^(2001:db8::80|192\.0\.2\.80) +example\.org\n$/ },
    { run: "mkdir -p /etc/systemd/resolved.conf.d" },
    {
      run:
        "printf '[Resolve]\\nDNS=\\nDNSStubListener=no\\n' > /etc/systemd/resolved.conf.d/nodens.conf",
    },
    { run: "rm /etc/resolv.conf", before: "ln -sf ../run/stub-resolv.conf /etc/resolv.conf" },
    {
      run: "printf 'nameserver 127.0.0.1\\noptions edns0\\n' > /etc/resolv.conf",
    },
    { skip: "systemctl restart systemd-resolved.service", why: NO_SYSTEMD },
    {
      run: "sed -i.before '/^hosts:/s/ resolve \\[!UNAVAIL=return\\]//' /etc/nsswitch.conf",
      before:
        "sed -i '/^hosts:/s/.*/hosts: files resolve [!UNAVAIL=return] dns/' /etc/nsswitch.conf",
    },
    {
      run: "printf '[main]\\ndns=none\\n' > /etc/NetworkManager/conf.d/nodens.conf",
      before: "grep -qx 'hosts: files dns' /etc/nsswitch.conf; mkdir -p /etc/NetworkManager/conf.d",
    },
    { skip: "systemctl reload NetworkManager.service", why: NO_SYSTEMD },
    { run: "rm /etc/resolv.conf" },
    { run: "printf 'nameserver 127.0.0.1\\noptions edns0\\n' > /etc/resolv.conf" },
    { run: "printf 'nameserver 127.0.0.1\\noptions edns0\\n' > /etc/resolv.conf" },
    { skip: "systemctl disable --now dnsmasq.service", why: NO_SYSTEMD },
    { skip: "systemctl enable --now nodens.service", why: NO_SYSTEMD },
    {
      run:
        "nodens redirect install -n -containers=false -failopen=false -except-uid nodens -to 127.0.0.1",
      prints: /^-I OUTPUT -p udp --dport 53 .* --to-destination 127\.0\.0\.1:53/m,
    },
    {
      run:
        "nodens redirect install -containers=false -failopen=false -except-uid nodens -to 127.0.0.1",
      prints: /^IPv4: [0-9]+ changes \(\w+\)$/m,
    },
    {
      run:
        "nodens redirect status -containers=false -failopen=false -except-uid nodens -to 127.0.0.1",
      prints: /^IPv4: installed \([0-9]+ rules, \w+\)$/m,
    },
    { run: "nodens redirect remove", prints: /^IPv4: [0-9]+ changes/m },
    { run: "cp /etc/nodens/resolv.conf.before /etc/resolv.conf" },
    {
      run: "systemctl disable --now nodens.service",
      prints: /Removed .*nodens\.service/,
    },
    {
      run: "rm /etc/systemd/resolved.conf.d/nodens.conf",
      before: "grep -q 127.0.0.153 /etc/resolv.conf",
    },
    { run: "mv /etc/nsswitch.conf.before /etc/nsswitch.conf" },
    { skip: "systemctl restart systemd-resolved.service", why: NO_SYSTEMD },
    { run: "ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf" },
    { run: "rm /etc/NetworkManager/conf.d/nodens.conf" },
    { skip: "systemctl reload NetworkManager.service", why: NO_SYSTEMD },
    {
      run: "rm /etc/dhcp/dhclient-enter-hooks.d/nodens",
      // No Corefile, so that it is not saved by itself.
      before:
        "mkdir -p /etc/dhcp/dhclient-enter-hooks.d; : >/etc/dhcp/dhclient-enter-hooks.d/nodens",
    },
    {
      run: "nodens manifest -kubedns 10.43.0.10 -image IMAGE > node-local-dns.yaml",
    },
    { skip: "k3s kubectl apply -f node-local-dns.yaml", why: "needs k3s" },
    { skip: "microk8s enable dns", why: "needs MicroK8s" },
    {
      skip: "microk8s kubectl -n kube-system get service kube-dns -o jsonpath={.spec.clusterIP}",
      why: "needs MicroK8s",
    },
    {
      run: "nodens manifest -kubedns 10.152.183.10 -image IMAGE > node-local-dns.yaml",
      before: "nodens manifest -check node-local-dns.yaml -kubedns 10.43.0.10",
    },
    { skip: "microk8s kubectl apply -f node-local-dns.yaml", why: "needs MicroK8s" },
    { skip: "nomad job run nodens.nomad.hcl", why: "needs Nomad" },
    {
      run: "mkdir -p /usr/share/bash-completion/completions /usr/share/fish/vendor_completions.d",
      before: "nodens manifest -check node-local-dns.yaml -kubedns 10.152.183.10",
    },
    { run: "mkdir -p /usr/local/share/zsh/site-functions /usr/local/share/man/man1" },
    { run: "nodens completion bash > /usr/share/bash-completion/completions/nodens" },
    { run: "nodens completion zsh > /usr/local/share/zsh/site-functions/_nodens" },
    { run: "nodens completion fish > /usr/share/fish/vendor_completions.d/nodens.fish" },
    { run: "nodens man > /usr/local/share/man/man1/nodens.1" },
  ],
};

const PODS = "needs a cluster that runs pods";

const KUBERNETES: PlannedPage = {
  path: "docs/kubernetes.md",
  // kubectl is the real one; what it talks to keeps objects and starts nothing.
  setup: `
serve '^listening' deno run -A tests/docs/api_server.ts
export KUBECONFIG=/root/kubeconfig
kubectl config set-cluster test --server=http://127.0.0.1:8001 >/dev/null
kubectl config set-context test --cluster=test >/dev/null
kubectl config use-context test >/dev/null
cp tests/manifest/nodelocaldns.yaml nodelocaldns.yaml`,
  replace: {
    KUBE_DNS: "10.96.0.10",
    IMAGE: "example.org/nodens-node:0.1.0",
    OVERLAY: "deploy/kustomize/mine",
    OBJECT: "daemonset/node-local-dns",
  },
  steps: [
    {
      run: "kubectl -n kube-system get service kube-dns -o jsonpath={.spec.clusterIP}",
      prints: /^10\.96\.0\.10$/,
    },
    {
      run: "kubectl -n kube-system get configmap kube-proxy -o yaml | grep mode:",
      prints: /mode: iptables/,
    },
    {
      run: "nodens manifest -kubedns KUBE_DNS -image IMAGE | kubectl apply -f -",
      prints: /^daemonset\.apps\/node-local-dns created$/m,
    },
    {
      run: "kubectl -n kube-system rollout status daemonset/node-local-dns",
      prints: /^daemon set "node-local-dns" successfully rolled out$/m,
    },
    {
      run: "nodens manifest -kubedns 10.96.0.10 -dual-stack fd00::10,fd00:10:96::a -image IMAGE",
      prints: /^kind: DaemonSet$[\s\S]*fd00::10/m,
    },
    { run: "nodens manifest -kubedns KUBE_DNS > deploy/kustomize/base/nodens.yaml" },
    {
      run: "kubectl apply -k OVERLAY",
      before: `mkdir -p deploy/kustomize/mine
cat >deploy/kustomize/mine/kustomization.yaml <<'END'
resources:
  - ../base
images:
  - name: nodens-node
    newName: registry.example.org/nodens-node
    newTag: 0.1.0
END`,
      prints: /^daemonset\.apps\/node-local-dns configured$/m,
    },
    {
      skip:
        "helm install nodens deploy/helm/nodens -n kube-system --set kubeDns=KUBE_DNS,image=IMAGE",
      why: "Helm is no package of Debian; tests/manifest renders the chart with Helm's libraries",
    },
    {
      run: "kubectl -n kube-system label OBJECT app.kubernetes.io/managed-by=Helm",
      before: `kubectl -n kube-system get daemonset/node-local-dns -o yaml |
  grep 'image: registry.example.org/nodens-node:0.1.0'`,
      prints: /^daemonset\.apps\/node-local-dns labeled$/m,
    },
    {
      run: "kubectl -n kube-system annotate OBJECT " +
        "meta.helm.sh/release-name=nodens meta.helm.sh/release-namespace=kube-system",
      prints: /^daemonset\.apps\/node-local-dns annotated$/m,
    },
    {
      run: "nodens manifest -from nodelocaldns.yaml -kubedns KUBE_DNS -image IMAGE -diff",
      prints: /^\+ +image: example\.org\/nodens-node:0\.1\.0$/m,
    },
    {
      run: "nodens manifest -from nodelocaldns.yaml -kubedns KUBE_DNS -image IMAGE" +
        " | kubectl apply -f -",
      prints: /^daemonset\.apps\/node-local-dns configured$/m,
    },
    {
      run: "kubectl -n kube-system rollout status daemonset/node-local-dns",
      prints: /successfully rolled out$/m,
    },
    {
      skip: "kubectl -n kube-system exec daemonset/node-local-dns -- nodens status localhost:9353",
      why: PODS,
    },
    {
      skip:
        "kubectl run try --rm -it --restart=Never --image=busybox -- nslookup kubernetes.default",
      why: PODS,
    },
  ],
};

/** Every page whose commands are held to. */
export const PAGES: readonly PlannedPage[] = [README, TRY, INSTALL, KUBERNETES];
