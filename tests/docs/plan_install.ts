import { NO_SYSTEMD, type PlannedPage, UPSTREAM } from "./plan.ts";

const BOOTED = "tests/units types it in a Debian that systemd has booted";
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
    // No systemd runs in a test: units are enabled there, and what they start is started below.
    " --now": "",
  },
  steps: [
    { skip: "sha256sum --check --ignore-missing SHA256SUMS", why: BOOTED },
    { skip: "tar -xzf nodens-0.1.0-linux-$(uname -m).tar.gz", why: BOOTED },
    {
      skip: "sudo install nodens-0.1.0-linux-$(uname -m)/nodens /usr/local/bin/nodens",
      why: BOOTED,
    },
    { run: "nodens -version", prints: /^nodens-0\.1\.0\nlinux\/\w+, deno 2\.9\.6, \w+\n$/ },
    { skip: "deno task compile", why: "tests/release runs it, with nothing in Deno's cache" },
    ...["nodens", "node"].map((target) => ({
      skip: `podman build --target ${target} --build-arg COMMIT=$(git rev-parse HEAD) ` +
        `-t nodens${target === "node" ? "-node" : ""}:0.1.0 .`,
      why: CONTAINERS,
    })),
    {
      skip: "podman run --read-only --cap-drop all --cap-add NET_BIND_SERVICE " +
        "-v ./Corefile:/etc/nodens/Corefile:ro -p 53:53/udp -p 53:53/tcp nodens:0.1.0",
      why: CONTAINERS,
    },
    { skip: "deno task release", why: "tests/release runs it, into another folder" },
    { skip: "deno task release --output FOLDER", why: "tests/release runs it" },
    {
      skip: "apt-get install ./nodens_0.1.0_$(dpkg --print-architecture).deb",
      why: BOOTED,
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
    { run: "nodens check /etc/nodens/Corefile", prints: /^every name on / },
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
