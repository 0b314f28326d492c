#!/usr/bin/env bash
# Kills short runs at random moments with SIGKILL, again while they are resumed, and compares what they end with:
# last.safetensors must be that of a run that was never stopped, byte for byte. Each kind of run in turn, until COUNT kills.
#   kills.sh [COUNT [PROGRAM [SEED]]]
set -euo pipefail
cd "$(dirname "$0")/../.."
count=${1:-100} program=${2:-build/release/fovea} RANDOM=${3:-1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The same images in folders and in tar files.
"$program" data samples fashion-mnist --split train --count 240 --out "$work/png/" --quiet >/dev/null
mkdir "$work/photos" "$work/shards"
number=0
for file in "$work"/png/*.png; do
  name=$(basename "$file" .png)
  class=${name#*-}
  mkdir -p "$work/photos/$class" "$work/shards/$((number % 3))"
  cp "$file" "$work/photos/$class/"
  cp "$file" "$work/shards/$((number % 3))/$number.png"
  echo "$((number % 10))" >"$work/shards/$((number % 3))/$number.cls"
  number=$((number + 1))
done
for shard in 0 1 2; do (cd "$work/shards/$shard" && tar cf "$work/shard-$shard.tar" --sort=name ./*); done

small="--data fashion-mnist --model small_cnn --limit 300 --val 0.2"
muon="--optimizer muon --lr 0.02 --group vectors:optimizer=nesterov,lr=0.05 --group head:optimizer=nesterov,lr=0.05"
kinds=(
  "$small"
  "$small --optimizer adamw --lr 0.001 --ema 0.98"
  "$small --accumulate 3 --average swa:1"
  "$small --augment crop:2,flip,mixup:0.4"
  "$small $muon"
  "$small --precision f16"
  "--data folder:$work/photos --model small_cnn --input 1x28x28"
  "--data tar:$work/shard-{0..2}.tar --model small_cnn --input 1x28x28 --val 0.34"
)
train() { "$program" train "$@" --quiet >/dev/null 2>"$work/err"; }

kills=0 failures=0 runs=0 took=()
for i in "${!kinds[@]}"; do
  read -ra flags <<<"${kinds[$i]} --epochs 4 --batch 16"
  start=$(date +%s%N)
  train "${flags[@]}" --out "$work/run-$i" || { echo "${kinds[$i]}:"; cat "$work/err"; exit 1; }
  took[i]=$((($(date +%s%N) - start) / 1000000))
done
while ((kills < count)); do
  for i in "${!kinds[@]}"; do
    read -ra flags <<<"${kinds[$i]} --epochs 4 --batch 16"
    out=$work/stopped
    rm -rf "$out"
    command=(train "${flags[@]}" --out "$out")
    for ((times = 1 + RANDOM % 3; times > 0; --times)); do
      "$program" "${command[@]}" --quiet >/dev/null 2>&1 &
      pid=$!
      sleep "$(awk -v ms=$((RANDOM * took[i] / 32768)) 'BEGIN { print ms / 1000 }')"
      if kill -KILL $pid 2>/dev/null; then kills=$((kills + 1)); fi
      wait $pid 2>/dev/null || true
      if [[ -e $out/config.toml ]]; then command=(train --resume "$out"); fi
    done
    code=0
    "${command[@]}" || code=$?
    runs=$((runs + 1))
    if [[ $code != 0 ]]; then
      failures=$((failures + 1))
      echo "exit code $code after a kill: ${kinds[$i]}"
      sed 's/^/    /' "$work/err" | head -5
    elif ! cmp -s "$out/last.safetensors" "$work/run-$i/last.safetensors"; then
      failures=$((failures + 1))
      echo "another last.safetensors: ${kinds[$i]}"
    fi
  done
done
echo "$kills kills in $runs runs: $failures failures"
((failures == 0))
