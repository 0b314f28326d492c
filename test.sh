#!/usr/bin/env bash
# Installs what is missing, builds in release, runs every test.
# Usage: [ISA=native] ./test.sh [options of ctest, such as -R loader]
# Kernels are compiled for all instruction sets, or for those in $ISA (see FOVEA_ISA in docs/developing.md).
set -euo pipefail
cd "$(dirname "$0")"

scripts/setup.sh test
cmake --preset release -DFOVEA_BUILD_TESTS=ON ${ISA:+-DFOVEA_ISA="$ISA"} >/dev/null
cmake --build build/release
# Two tests run at a time on all cores: threads that wait should sleep, not spin.
export GOMP_SPINCOUNT=${GOMP_SPINCOUNT:-1000}
# New memory is not zero by luck, so that a test that reads what nobody wrote fails here too, not only under ASan.
export MALLOC_PERTURB_=${MALLOC_PERTURB_:-165}
ctest --test-dir build/release --output-on-failure -j "$(nproc)" "$@"
