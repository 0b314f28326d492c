#!/usr/bin/env bash
# Kills short runs at random moments with SIGKILL, again while they are resumed, and compares what they end with: last.safetensors
# must be that of a run that was never stopped, byte for byte. Each kind of run in turn, until COUNT kills.
#   kills.sh [COUNT [PROGRAM [SEED]]]
set -euo pipefail
cd "$(dirname "$0")/../.."
count=${1:-100} program=${2:-build/release/fovea} RANDOM=${3:-1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
common=(--val 0.2 --epochs 4 --batch 16 --save-every 1 --threads 1)
small=(--data fashion-mnist --model small_cnn --limit 300)

# A folder of photos and shards of the same ones, from the real images.
"$program" data samples fashion-mnist --count 240 --files "$work/photos" >/dev/null 2>&1 || true

declare -A kinds=(
  [sgd]="${small[*]}"
  [adamw-averages]="${small[*]} --optimizer adamw --lr 0.001 --ema 0.98"
  [accumulation]="${small[*]} --accumulate 3"
  [mixup]="${small[*]} --augment crop:2,flip,mixup:0.4"
  [muon]="${small[*]} --optimizer muon --lr 0.02"
)
kills=0 failures=0 runs=0
for kind in "${!kinds[@]}"; do
  read -ra flags <<<"${kinds[$kind]}"
  start=$(date +%s%N)
  "$program" train "${flags[@]}" "${common[@]}" --out "$work/$kind" --quiet >/dev/null
  took=$((($(date +%s%N) - start) / 1000000))
  declare "took_$(tr - _ <<<"$kind")=$took"
done
while ((kills < count)); do
  for kind in "${!kinds[@]}"; do
    read -ra flags <<<"${kinds[$kind]}"
    took_name=took_$(tr - _ <<<"$kind") took=${!took_name}
    out=$work/stopped
    rm -rf "$out"
    command=("$program" train "${flags[@]}" "${common[@]}" --out "$out" --quiet)
    for ((times = 1 + RANDOM % 3; times > 0; --times)); do
      "${command[@]}" >/dev/null 2>"$work/err" &
      pid=$!
      sleep "$(awk -v ms=$((RANDOM * took / 32768)) 'BEGIN { print ms / 1000 }')"
      if kill -KILL $pid 2>/dev/null; then kills=$((kills + 1)); fi
      wait $pid 2>/dev/null || true
      [[ -e $out/config.toml ]] && command=("$program" train --resume "$out" --quiet)
    done
    code=0
    "${command[@]}" >/dev/null 2>"$work/err" || code=$?
    runs=$((runs + 1))
    if [[ $code != 0 ]]; then
      failures=$((failures + 1)); echo "$kind: exit code $code after a kill"; sed 's/^/    /' "$work/err" | head -5
    elif ! cmp -s "$out/last.safetensors" "$work/$kind/last.safetensors"; then
      failures=$((failures + 1)); echo "$kind: another last.safetensors"
    fi
  done
done
echo "$kills kills in $runs runs: $failures failures"
((failures == 0))
