# !/usr/bin/env bash Fovea against PyTorch on one training step of resnet18_cifar, interleaved: each round runs both in
# fresh processes on the same pinned cores, so that a slow minute of the machine affects both. Prints a line per run and
# the medians. Usage: PYTHON=python-with-torch bench/compare_step.sh [ROUNDS=3] [BATCH=64] [THREADS=2]
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-3} batch=${2:-64} threads=${3:-2} python=${PYTHON:-python3}
pin=(taskset -c "0-$((threads - 1))")

speed() { grep -oE '"images_per_second": ?[0-9.]+' | grep -oE '[0-9.]+$'; }
median() { sort -g | awk '{v[NR] = $1} END {print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }
declare -A results
for ((round = 1; round <= rounds; ++round)); do
  for who in fovea torch-nhwc torch-nchw; do
    case $who in
      fovea) out=$("${pin[@]}" build/release/fovea bench step --model resnet18_cifar --input 3x32x32 --batch "$batch" \
        --threads "$threads" --json --quiet) ;;
      torch-*) out=$("${pin[@]}" "$python" bench/peers/pytorch_step.py --batch "$batch" --threads "$threads" \
        --format "${who#torch-}") ;;
    esac
    value=$(speed <<<"$out")
    results[$who]+="$value "
    echo "round $round  $who  $value images/s"
  done
done
"$python" -c 'import torch; print("PyTorch", torch.__version__)'
for who in fovea torch-nhwc torch-nchw; do
  echo "median $who: $(tr ' ' '\n' <<<"${results[$who]}" | grep . | median) images/s"
done
