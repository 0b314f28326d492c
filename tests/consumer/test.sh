#!/usr/bin/env bash
# Builds and runs the consumer with what `cmake --install` of a build folder installs, or with the sources by
# add_subdirectory. `parts` compiles the consumer and a few of the sources, but does not link them.
# Usage: test.sh installed BUILD_DIR WORK_DIR | test.sh sources|parts SOURCE_DIR WORK_DIR [OPTION_OF_CMAKE...]
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
  sources | parts) options=(-DFOVEA_SOURCE_DIR="$from" "${@:4}") ;;
  *) echo "unknown way: $way" >&2; exit 2 ;;
esac
cmake -S "$here" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release "${options[@]}" >/dev/null
if [ "$way" = parts ]; then
  ninja -C "$build" -n consumer >/dev/null  # all that it needs is there or can be made
  one_of() { ninja -C "$build" -t targets all | sed -n "s|^\([^:]*/$1\.dir/[^:]*$2\.cpp\.o\):.*|\1|p"; }
  mapfile -t objects < <(one_of libfovea optim_0; one_of fovea_nets nn_0; one_of fovea_loops simd/cast)
  [ ${#objects[@]} = 3 ] || { echo "the consumer's test knows other files: ${objects[*]}" >&2; exit 1; }
  ninja -C "$build" CMakeFiles/consumer.dir/main.cpp.o "${objects[@]}"
  exit
fi
cmake --build "$build" --target consumer
"$build/consumer"
