import { BOOTED, NO_SYSTEMD, type PlannedPage, run, skip, UPSTREAM } from "./plan.ts";

const CONTAINERS = "tests/release does by hand what an engine does, and reads the Containerfile";

export const INSTALL: PlannedPage = {
  path: "docs/install.md",
  needs: ["iptables", "systemctl"],
  setup: `
export SYSTEMD_OFFLINE=1
cd /root && cp -r "$OLDPWD/deploy/systemd" systemd
rm -f /etc/resolv.conf && echo nameserver 127.0.0.153 >/etc/resolv.conf
${UPSTREAM}`,
  replace: {
    IMAGE: "example.org/nodens-node:0.1.0",
    // Without systemd, units are only enabled; their programs are started below.
    " --now": "",
  },
  steps: [
    ...skip(
      BOOTED,
      "sha256sum --check --ignore-missing SHA256SUMS",
      "tar -xzf nodens-0.1.0-linux-$(uname -m).tar.gz",
      "sudo install nodens-0.1.0-linux-$(uname -m)/nodens /usr/local/bin/nodens",
    ),
    { run: "nodens -version", prints: /^nodens-0\.1\.0\nlinux\/\w+, deno 2\.9\.6, \w+\n$/ },
    ...skip("tests/release runs it, with nothing in Deno's cache", "deno task compile"),
    ...["nodens", "node"].map((target) => ({
      skip: `podman build --target ${target} --build-arg COMMIT=$(git rev-parse HEAD) ` +
        `-t nodens${target === "node" ? "-node" : ""}:0.1.0 .`,
      why: CONTAINERS,
    })),
    ...skip(
      CONTAINERS,
      "podman run --read-only --cap-drop all --cap-add NET_BIND_SERVICE " +
        "-v ./Corefile:/etc/nodens/Corefile:ro -p 53:53/udp -p 53:53/tcp nodens:0.1.0",
    ),
    ...skip("tests/release runs it, into another folder", "deno task release"),
    ...skip("tests/release runs it", "deno task release --output FOLDER"),
    ...skip(BOOTED, "apt-get install ./nodens_0.1.0_$(dpkg --print-architecture).deb"),
    ...run(
      "install -D -m 644 systemd/nodens.sysusers /usr/lib/sysusers.d/nodens.conf",
      "systemd-sysusers",
    ),
    {
      run: "install -m 644 systemd/nodens.service systemd/nodens.socket /etc/systemd/system/",
      before: "id nodens",
    },
    ...skip(NO_SYSTEMD, "systemctl daemon-reload"),
    ...run("mkdir -p /etc/nodens", "cp -L /etc/resolv.conf /etc/nodens/upstreams.conf"),
    { run: "nodens check /etc/nodens/Corefile", prints: /^every name on / },
    {
      run: "systemctl enable --now nodens.service",
      prints: /Created symlink .*multi-user\.target\.wants\/nodens\.service/,
    },
    {
      run: "nodens query example.org @127.0.0.1 +short",
      before: `serve '^nodens [0-9]' $(sed -n s/^ExecStart=//p /etc/systemd/system/nodens.service)`,
      prints: /^192\.0\.2\.80\n$/,
    },
    { run: "nodens healthcheck", before: "wait_for nodens healthcheck", prints: /200 OK\n$/ },
    { run: "nodens status", prints: /127\.0\.0\.1:53 +\.\n\[::1\]:53 +\.\n/ },
    { run: "nodens doctor -conf /etc/nodens/Corefile", prints: /^0 problems, /m },
    ...run(
      "cp /etc/resolv.conf /etc/nodens/resolv.conf.before",
      "printf 'nameserver 127.0.0.1\\noptions edns0\\n' > /etc/resolv.conf",
    ),
    { run: "getent hosts example.org", prints: /^(2001:db8::80|192\.0\.2\.80) +example\.org\n$/ },
    ...run(
      "mkdir -p /etc/systemd/resolved.conf.d",
      "printf '[Resolve]\\nDNS=\\nDNSStubListener=no\\n' > /etc/systemd/resolved.conf.d/nodens.conf",
    ),
    { run: "rm /etc/resolv.conf", before: "ln -sf ../run/stub-resolv.conf /etc/resolv.conf" },
    ...run("printf 'nameserver 127.0.0.1\\noptions edns0\\n' > /etc/resolv.conf"),
    ...skip(NO_SYSTEMD, "systemctl restart systemd-resolved.service"),
    {
      run: "sed -i.before '/^hosts:/s/ resolve \\[!UNAVAIL=return\\]//' /etc/nsswitch.conf",
      before:
        "sed -i '/^hosts:/s/.*/hosts: files resolve [!UNAVAIL=return] dns/' /etc/nsswitch.conf",
    },
    {
      run: "printf '[main]\\ndns=none\\n' > /etc/NetworkManager/conf.d/nodens.conf",
      before: "grep -qx 'hosts: files dns' /etc/nsswitch.conf; mkdir -p /etc/NetworkManager/conf.d",
    },
    ...skip(NO_SYSTEMD, "systemctl reload NetworkManager.service"),
    ...run(
      "rm /etc/resolv.conf",
      "printf 'nameserver 127.0.0.1\\noptions edns0\\n' > /etc/resolv.conf",
      "printf 'nameserver 127.0.0.1\\noptions edns0\\n' > /etc/resolv.conf",
    ),
    ...skip(
      NO_SYSTEMD,
      "systemctl disable --now dnsmasq.service",
      "systemctl enable --now nodens.service",
    ),
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
    ...run("cp /etc/nodens/resolv.conf.before /etc/resolv.conf"),
    { run: "systemctl disable --now nodens.service", prints: /Removed .*nodens\.service/ },
    {
      run: "rm /etc/systemd/resolved.conf.d/nodens.conf",
      before: "grep -q 127.0.0.153 /etc/resolv.conf",
    },
    ...run("mv /etc/nsswitch.conf.before /etc/nsswitch.conf"),
    ...skip(NO_SYSTEMD, "systemctl restart systemd-resolved.service"),
    ...run(
      "ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf",
      "rm /etc/NetworkManager/conf.d/nodens.conf",
    ),
    ...skip(NO_SYSTEMD, "systemctl reload NetworkManager.service"),
    {
      run: "rm /etc/dhcp/dhclient-enter-hooks.d/nodens",
      // No Corefile, so that it is not saved automatically.
      before:
        "mkdir -p /etc/dhcp/dhclient-enter-hooks.d; : >/etc/dhcp/dhclient-enter-hooks.d/nodens",
    },
    ...run("nodens manifest -kubedns 10.43.0.10 -image IMAGE > node-local-dns.yaml"),
    ...skip("needs k3s", "k3s kubectl apply -f node-local-dns.yaml"),
    ...skip(
      "needs MicroK8s",
      "microk8s enable dns",
      "microk8s kubectl -n kube-system get service kube-dns -o jsonpath={.spec.clusterIP}",
    ),
    {
      run: "nodens manifest -kubedns 10.152.183.10 -image IMAGE > node-local-dns.yaml",
      before: "nodens manifest -check node-local-dns.yaml -kubedns 10.43.0.10",
    },
    ...skip("needs MicroK8s", "microk8s kubectl apply -f node-local-dns.yaml"),
    ...skip("needs Nomad", "nomad job run nodens.nomad.hcl"),
    {
      run: "mkdir -p /usr/share/bash-completion/completions /usr/share/fish/vendor_completions.d",
      before: "nodens manifest -check node-local-dns.yaml -kubedns 10.152.183.10",
    },
    ...run(
      "mkdir -p /usr/local/share/zsh/site-functions /usr/local/share/man/man1",
      "nodens completion bash > /usr/share/bash-completion/completions/nodens",
      "nodens completion zsh > /usr/local/share/zsh/site-functions/_nodens",
      "nodens completion fish > /usr/share/fish/vendor_completions.d/nodens.fish",
      "nodens man > /usr/local/share/man/man1/nodens.1",
    ),
  ],
};
