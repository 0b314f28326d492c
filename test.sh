#!/usr/bin/env bash
# Installs what is missing, builds in release, runs every test.
# Usage: ./test.sh [options of ctest, such as -R loader]
set -euo pipefail
cd "$(dirname "$0")"

scripts/setup.sh test
cmake --preset release -DFOVEA_BUILD_TESTS=ON >/dev/null
cmake --build build/release
# Two tests run at a time on all cores: threads that wait should sleep, not spin.
export GOMP_SPINCOUNT=${GOMP_SPINCOUNT:-1000}
ctest --test-dir build/release --output-on-failure -j "$(nproc)" "$@"
