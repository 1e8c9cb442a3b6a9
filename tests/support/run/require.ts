import { recordSkipped } from "./skipped.ts";

/** Whether an executable is in PATH, or a path with a slash exists. */
export function have(binary: string): boolean {
  const folders = binary.includes("/") ? [""] : (Deno.env.get("PATH") ?? "").split(":");
  return folders.some((folder) => {
    try {
      return Deno.statSync(folder === "" ? binary : `${folder}/${binary}`).isFile;
    } catch {
      return false;
    }
  });
}

/** Debian packages of executables and files with other names. */
const PACKAGES: Readonly<Record<string, string>> = {
  "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu, libc6-dev-arm64-cross",
  "/usr/share/gocode/src/github.com/Masterminds/sprig/functions.go":
    "golang-github-masterminds-sprig-dev",
  "/usr/share/gocode/src/github.com/miekg/dns/server.go": "golang-github-miekg-dns-dev",
  "apt-get": "apt",
  busybox: "busybox-static",
  "/usr/lib/podman/netavark": "netavark",
  capsh: "libcap2-bin",
  chroot: "coreutils",
  dig: "bind9-dnsutils",
  dnsmasq: "dnsmasq-base",
  "dnssec-keygen": "bind9-utils",
  "dnssec-signzone": "bind9-utils",
  "dpkg-deb": "dpkg",
  "dpkg-query": "dpkg",
  flock: "util-linux",
  go: "golang-go",
  install: "coreutils",
  ip: "iproute2",
  "ip6tables-legacy-save": "iptables",
  "ip6tables-nft-save": "iptables",
  "iptables-legacy": "iptables",
  "iptables-legacy-save": "iptables",
  "iptables-nft": "iptables",
  "iptables-nft-save": "iptables",
  kdig: "knot-dnsutils",
  kubectl: "kubernetes-client",
  ldd: "libc-bin",
  named: "bind9",
  nsenter: "util-linux",
  pdns_recursor: "pdns-recursor",
  prlimit: "util-linux",
  promtool: "prometheus",
  "qemu-aarch64-static": "qemu-user-static",
  "qemu-system-aarch64": "qemu-system-arm",
  "qemu-system-x86_64": "qemu-system-x86",
  setpriv: "util-linux",
  ss: "iproute2",
  systemctl: "systemd",
  "systemd-analyze": "systemd",
  "systemd-notify": "systemd",
  "systemd-nspawn": "systemd-container",
  "systemd-socket-activate": "systemd",
  "systemd-sysusers": "systemd",
  tc: "iproute2",
  unshare: "util-linux",
  "xtables-legacy-multi": "iptables",
  "xtables-nft-multi": "iptables",
  xz: "xz-utils",
};

/** A reason for each missing executable or file, with Debian's package. */
export function missing(binaries: readonly string[]): string[] {
  return binaries.filter((binary) => !have(binary))
    .map((binary) => `${binary} is missing (package ${PACKAGES[binary] ?? binary})`);
}

/**
 * Options for `Deno.test` that skip it with a reason if an executable is missing. Throws if the
 * environment variable CI is "true", because nothing may be skipped there.
 */
export function skipUnless(...binaries: string[]): { ignore: boolean } {
  return skipFor(missing(binaries));
}

/** Reasons why tests of Linux through its C library cannot run here; for `skipFor`. */
export function linuxReasons(): string[] {
  if (Deno.build.os !== "linux") return ["this is not Linux"];
  const { state } = Deno.permissions.querySync({ name: "ffi" });
  return state === "granted" ? [] : ["FFI is denied"];
}

/** Reasons why tests that need Linux and root cannot run here; for `skipFor`. */
export function rootReasons(): string[] {
  const reasons = linuxReasons();
  return reasons.length > 0 || Deno.uid() === 0 ? reasons : ["it needs root"];
}

/** Like `skipUnless`, if this is not Linux. */
export function skipUnlessLinux(): { ignore: boolean } {
  return skipFor(linuxReasons());
}

/** Whether this is Linux, for files that define fewer tests elsewhere; listed as skipped. */
export function isLinux(): boolean {
  return !skipUnlessLinux().ignore;
}

/** The drivers available here: only portable outside Linux, listed as skipped. */
export function driversHere(): readonly ("linux" | "portable")[] {
  return isLinux() ? ["linux", "portable"] : ["portable"];
}

/** Like `skipUnless`, for reasons that the caller found; without reasons, skips nothing. */
export function skipFor(reasons: readonly string[]): { ignore: boolean } {
  if (reasons.length === 0) return { ignore: false };
  const text = reasons.join(", ");
  if (Deno.env.get("CI") === "true") throw new Error(`Cannot skip in CI: ${text}`);
  recordSkipped(reasons);
  return { ignore: true };
}
