#!/usr/bin/env bash
# Stores the pictures of tests/golden/pictures anew, as this build draws them: look at them before committing them.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build/release}

cmake --build "$build" --target test_draw test_explain
for component in draw explain; do FOVEA_STORE_PICTURES=1 "$build/tests/test_$component" --gtest_brief=1; done
git status --short tests/golden/pictures
