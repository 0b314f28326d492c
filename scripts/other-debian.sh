#!/usr/bin/env bash
# Runs a command, by default ./test.sh, on another Debian release: in a chroot, on a clean copy of HEAD.
# Usage: scripts/other-debian.sh [bookworm|trixie] [COMMAND [ARGUMENT...]]
#        without a release, the one of the two that this machine does not run
#        scripts/other-debian.sh trixie ./quickstart.sh --epochs 1
# The chroots, with the packages and ccache of earlier runs, stay in ${XDG_CACHE_HOME:-/var/tmp}/fovea-chroots (1.5 GB each);
# delete that folder to start anew. Needs root. The mirror, proxy and certificates are those of this machine's apt.
set -euo pipefail
cd "$(dirname "$0")/.."

host=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
case ${1:-} in
  bookworm | trixie) release=$1; shift ;;
  *) if [ "$host" = trixie ]; then release=bookworm; else release=trixie; fi ;;
esac
[ $# -gt 0 ] || set -- ./test.sh

if [ "$(id -u)" != 0 ]; then
  exec sudo --preserve-env=XDG_CACHE_HOME "$0" "$release" "$@"
fi
# Mounts made from here on are only visible to this process and its children, and end with them in any case.
if [ -z "${FOVEA_OWN_MOUNTS:-}" ]; then
  FOVEA_OWN_MOUNTS=1 exec unshare --mount --propagation private "$0" "$release" "$@"
fi

cache=${XDG_CACHE_HOME:-/var/tmp}/fovea-chroots
root=$cache/$release
mkdir -p "$cache"
exec 9>"$root.lock"
flock --nonblock 9 || { echo "Waiting for another run in $root" >&2; flock 9; }

# The network settings of this machine's apt, for the chroot's apt.
apt_settings() {
  apt-config dump --no-empty | grep -E '^Acquire::(http|https|Retries|Check-)' || true
  echo 'APT::Install-Recommends "false";'
}

mirror() {
  local main
  main=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    awk -v release="$host" '$2 == release && $3 == "main" && !found++ { print $1 }')
  [ -n "$main" ] || { echo "other-debian.sh: apt has no source for $host's main packages from which to take a mirror" >&2; exit 1; }
  echo "$main"
}

bootstrap() {
  scripts/setup.sh develop >&2
  local from proxy new=$root.new
  from=$(mirror)
  proxy=$(apt-config shell proxy Acquire::http::Proxy)
  eval "$proxy"
  [ -z "${proxy:-}" ] || export http_proxy=$proxy
  echo "Making a chroot of $release in $root" >&2
  rm -rf "$new"
  debootstrap --variant=minbase --foreign "$release" "$new" "$from" >"$root.log" || { tail -n 20 "$root.log" >&2; exit 1; }
  # Packages need not wait for the disk: what a power cut spoils is deleted and made again.
  echo force-unsafe-io >"$new/etc/dpkg/dpkg.cfg.d/unsafe-io"
  chroot "$new" /debootstrap/debootstrap --second-stage >>"$root.log" || { tail -n 20 "$root.log" >&2; exit 1; }
  mv "$new" "$root"
}

[ -d "$root" ] || bootstrap
apt_settings >"$root/etc/apt/apt.conf.d/90host"
for file in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt; do
  [ ! -e "$file" ] || install -D -m 644 "$file" "$root$file"
done

rm -rf "$root/src"
mkdir "$root/src"
git archive HEAD | tar -x -C "$root/src"

mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
echo "On $release: $*" >&2
chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
  sh -c 'cd /src && exec "$@"' sh "$@"
