#!/usr/bin/env bash
# Runs the README's test command on a bare Debian, as root and as an ordinary user.
#
#   tests/release/bare_root.sh bookworm|trixie [MIRROR]
#
# The machine is a root made by make_bare_root, with node and npm alone: the folder in
# NODENS_BARE_ROOT if that has been made, or one made here. It gets the tree of HEAD. Needs root,
# debootstrap and a network.
set -euo pipefail

suite=${1:?Usage: tests/release/bare_root.sh bookworm|trixie [MIRROR]}
# Far more than a run takes on a machine that has much else to do.
limit=900
sources=$(cd "$(dirname "$0")/../.." && pwd)
command=$(sed -n 's/^npx -y deno@[0-9.]* task test$/&/p' "$sources/README.md")
test -n "$command"
work=$(mktemp -d)
# Mounts are made in namespaces of their own, so nothing but files is left to remove.
trap 'rm -rf --one-file-system "$work"' EXIT

root=${NODENS_BARE_ROOT:-}
if [ ! -e "$root/root-is-complete" ] || [ -z "$root" ]; then
  root=$work/root
  started=$SECONDS
  "$sources/tests/release/make_bare_root" "$suite" "$root" "${2:-}" >"$work/log" 2>&1 ||
    { tail -n 20 "$work/log"; exit 1; }
  echo "$suite: made in $((SECONDS - started)) s"
fi

# Runs the command in the root as a user, in namespaces that end with it.
in_root() {
  timeout "$limit" unshare --mount --pid --fork --kill-child --propagation private bash -ec '
    mount --bind "$1" "$1"
    mount -t proc proc "$1/proc"
    mount -t sysfs -o ro sysfs "$1/sys"
    mount --rbind /dev "$1/dev"
    mount -t tmpfs tmpfs "$1/run"
    mount -t tmpfs -o mode=1777 tmpfs "$1/tmp"
    cd "$1"
    home=/home/$2
    [ "$2" != root ] || home=/root
    exec chroot --userspec="$2" "$1" /usr/bin/env -i HOME="$home" NO_COLOR=1 \
      PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
      ${SSL_CERT_FILE:+SSL_CERT_FILE=/etc/own_certificates.crt} \
      ${SSL_CERT_FILE:+NODE_EXTRA_CA_CERTS=/etc/own_certificates.crt} \
      ${SSL_CERT_FILE:+npm_config_cafile=/etc/own_certificates.crt} \
      sh -ec "cd; cd nodens; $3"' in_root "$root" "$1" "$command"
}

failed=0
for user in root plain; do
  home=/home/$user
  [ "$user" != root ] || home=/root
  rm -rf --one-file-system "$root$home/nodens"
  mkdir "$root$home/nodens"
  git -C "$sources" archive HEAD | tar -x -C "$root$home/nodens"
  chown -R --reference="$root$home" "$root$home/nodens"
  echo "=== $suite, $user: $command"
  log=$work/$user.log
  started=$SECONDS status=0
  in_root "$user" >"$log" 2>&1 || status=$?
  if [ "$status" -ne 0 ]; then
    failed=1
    if grep -q '^ ERRORS $' "$log"; then sed -n '/^ ERRORS $/,/^ FAILURES $/p' "$log" | head -n 200
    else tail -n 20 "$log"; fi
  fi
  grep -E '^(SKIPPED: |(ok|FAILED) \|)' "$log" || true
  echo "$suite, $user: took $((SECONDS - started)) s, status $status"
done
exit "$failed"
