#!/usr/bin/env bash
# Trains inception_time on six data sets of the UCR and UEA archives, three seeds each, and prints the accuracies on their
# test series (docs/results/ucr-inception-time.md has what to expect, and how long it takes).
#
#   examples/series/ucr.sh [DIR] [SET...]     DIR for files and runs, by default ./ucr
#
# The data come with the PyPI package aeon (10 MB), from which only the files are taken: python3-pip is needed.
# FOVEA_PROGRAM names the program, SEEDS the seeds, and EPOCHS other than the recipe's.
set -euo pipefail
fovea=${FOVEA_PROGRAM:-$(dirname "$0")/../../build/release/fovea}
dir=${1:-ucr}
shift || true
sets=("$@")
[ ${#sets[@]} -gt 0 ] || sets=(GunPoint ItalyPowerDemand ArrowHead OSULeaf BasicMotions JapaneseVowels)

if [ ! -d "$dir/data" ]; then
  mkdir -p "$dir"
  python3 -m pip download --quiet --no-deps --dest "$dir" aeon==1.6.0
  python3 -m zipfile -e "$dir"/aeon-1.6.0-*.whl "$dir/aeon"
  mv "$dir/aeon/aeon/datasets/data" "$dir/data"
  rm -r "$dir/aeon" "$dir"/aeon-1.6.0-*.whl
fi

mkdir -p "$dir/runs"
for set in "${sets[@]}"; do
  all=()
  for seed in ${SEEDS:-1 2 3}; do
    run=$dir/runs/$set-$seed
    [ -s "$run.json" ] || "$fovea" train --recipe ucr-inception-time --data "ucr:$dir/data/$set/$set" --seed "$seed" \
      ${EPOCHS:+--epochs "$EPOCHS" --warmup 0} --out "$run" --quiet --json >"$run.json"
    all+=("$run.json")
  done
  python3 - "$set" "${all[@]}" <<'P'
import json, sys
accuracies = [json.load(open(path))["test"]["accuracy"] for path in sys.argv[2:]]
print(f"{sys.argv[1]:<18}", *(f"{a:.4f}" for a in accuracies), f"  mean {sum(accuracies) / len(accuracies):.4f}", flush=True)
P
done
