#!/usr/bin/env bash
# Runs the README's test command on a bare Debian, as root and as an ordinary user.
#
#   tests/release/bare_root.sh bookworm|trixie [MIRROR]
#
# The machine is a root made by debootstrap (variant minbase) with node and npm, and nothing else. It
# gets the tree of HEAD. Needs root, debootstrap and a network. Takes minutes, so .ci/run leaves it out.
set -euo pipefail

suite=${1:?Usage: tests/release/bare_root.sh bookworm|trixie [MIRROR]}
mirror=${2:-}
limit=900
sources=$(cd "$(dirname "$0")/../.." && pwd)
command=$(sed -n 's/^npx -y deno@[0-9.]* task test$/&/p' "$sources/README.md")
root=$(mktemp -d)
log=$(mktemp)
# Mounts are made in a namespace of their own, so nothing but files is left to remove.
trap 'rm -rf --one-file-system "$root" "$log"' EXIT
chmod 755 "$root"

echo "=== $suite: debootstrap"
started=$SECONDS
debootstrap --variant=minbase "$suite" "$root" $mirror >"$log" 2>&1 || { tail -n 20 "$log"; exit 1; }
cp -L /etc/resolv.conf "$root/etc/resolv.conf"

# Runs a command in the root as a user, in namespaces that end with it.
in_root() {
  local user=$1 line=$2
  unshare --mount --pid --fork --kill-child --propagation private bash -ec '
    mount --bind "$1" "$1"
    mount -t proc proc "$1/proc"
    mount -t sysfs -o ro sysfs "$1/sys"
    mount --rbind /dev "$1/dev"
    mount -t tmpfs tmpfs "$1/run"
    cd "$1"
    exec chroot --userspec="$2" "$1" /usr/bin/env -i HOME="/home/$2" NO_COLOR=1 \
      PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
      ${SSL_CERT_FILE:+SSL_CERT_FILE=/etc/own_certificates.crt} \
      ${SSL_CERT_FILE:+NODE_EXTRA_CA_CERTS=/etc/own_certificates.crt} \
      ${SSL_CERT_FILE:+npm_config_cafile=/etc/own_certificates.crt} \
      sh -ec "cd; $3"' in_root "$root" "$user" "$line"
}

mkdir -p "$root/home/root"
if [ -n "${SSL_CERT_FILE:-}" ]; then cp -L "$SSL_CERT_FILE" "$root/etc/own_certificates.crt"; fi
in_root root 'export DEBIAN_FRONTEND=noninteractive
  apt-get -qq update
  apt-get -qq install -y --no-install-recommends nodejs npm ca-certificates >/dev/null 2>&1
  useradd --create-home plain'
echo "=== $suite: made in $((SECONDS - started)) s"

failed=0
for user in root plain; do
  mkdir "$root/home/$user/nodens"
  git -C "$sources" archive HEAD | tar -x -C "$root/home/$user/nodens"
  in_root root "chown -R $user: /home/$user"
  echo "=== $suite, $user: $command"
  started=$SECONDS
  timeout "$limit" bash -c "$(declare -f in_root); root=$root in_root $user 'cd nodens; $command'" \
    >"$log" 2>&1 || { failed=1; grep -a 'FAILED' "$log" || tail -n 20 "$log"; }
  grep -aE '^SKIPPED|^(ok|FAILED) \|' "$log" || true
  echo "=== $suite, $user: took $((SECONDS - started)) s"
done
exit "$failed"
