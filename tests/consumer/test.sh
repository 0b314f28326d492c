#!/usr/bin/env bash
# Builds and runs the consumer: `installed PREFIX-BUILD` after `cmake --install` of that build folder, `sources SOURCE` with
# add_subdirectory. Usage: test.sh installed BUILD_DIR WORK_DIR | test.sh sources SOURCE_DIR WORK_DIR [OPTION_OF_CMAKE...]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
way=$1 from=$2 work=$3 build=$3
rm -rf "$work"
mkdir -p "$work"
case $way in
  installed)
    cmake --install "$from" --prefix "$work/prefix" >/dev/null
    options=(-DCMAKE_PREFIX_PATH="$work/prefix") build=$work/build
    ;;
  sources) options=(-DFOVEA_SOURCE_DIR="$from" "${@:4}") ;;
  *) echo "unknown way: $way" >&2; exit 2 ;;
esac
cmake -S "$here" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release "${options[@]}" >/dev/null
cmake --build "$build" --target consumer
"$build/consumer"
