#!/usr/bin/env bash
# Installs the missing Debian packages that building Fovea needs; asks for root only then.
# Usage: scripts/setup.sh [test|develop]     `test`: also those of the tests; `develop`: also those of .ci/run
set -euo pipefail

packages=(cmake g++ ninja-build pkg-config ccache
  libdnnl-dev libhwy-dev libjpeg62-turbo-dev libpng-dev libwebp-dev zlib1g-dev libexpat1-dev libcurl4-openssl-dev
  libcli11-dev libfmt-dev nlohmann-json3-dev libtomlplusplus-dev libsqlite3-dev
  dataset-fashion-mnist)
case ${1:-} in
  "") ;;
  test) packages+=(libgtest-dev) ;;
  develop) packages+=(libgtest-dev clang-format git debootstrap debian-archive-keyring chromium) ;;
  *) echo "setup.sh: unknown set of packages: $1" >&2; exit 2 ;;
esac

missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

echo "Installing ${#missing[@]} Debian packages: ${missing[*]}"
as_root=()
if [ "$(id -u)" != 0 ]; then
  as_root=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -q >/dev/null
"${as_root[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null
