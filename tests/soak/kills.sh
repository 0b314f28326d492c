#!/usr/bin/env bash
# Kills short runs at random moments with SIGKILL, again while they are resumed, one kind of run after another until COUNT
# kills. Checkpoints are written every few steps. Failures are: a resumed run that does not end with the last.safetensors and
# best.safetensors of a run that was never stopped, byte for byte; a checkpoint that cannot be read; a resumed run that starts
# over although a checkpoint was there; temporary files that stay.
#   kills.sh [COUNT [PROGRAM [SEED]]]
set -euo pipefail
count=${1:-100} program=$(realpath "${2:-$(dirname "$0")/../../build/release/fovea}") RANDOM=${3:-1}
cd "$(dirname "$0")/../.."
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

common="--model small_cnn --epochs 4 --batch 16 --save-every 0.0003m"
small="--data fashion-mnist --limit 300 --val 0.2"
muon="--optimizer muon --lr 0.02 --group vectors:optimizer=nesterov,lr=0.05 --group head:optimizer=nesterov,lr=0.05"
kinds=( # NAME|FLAGS
  "plain|$small"
  "EMA|$small --optimizer adamw --lr 0.001 --ema 0.98"
  "accumulation, SWA|$small --accumulate 3 --average swa:1"
  "MixUp|$small --augment crop:2,flip,mixup:0.4"
  "Muon|$small $muon"
  "EMA, accumulation, MixUp, Muon|$small --ema 0.98 --accumulate 3 --augment mixup:0.4 $muon"
  "f16|$small --precision f16"
  "unfreezing|$small --freeze conv1.* --unfreeze-after 2"
  "image folder|--data folder:$work/photos --input 1x28x28"
  "image folder, MixUp, EMA|--data folder:$work/photos --input 1x28x28 --augment mixup:0.4 --ema 0.98 --workers 2"
  "tar shards|--data tar:$work/shard-{0..2}.tar --input 1x28x28 --val 0.34"
  "tar shards, accumulation, balanced|--data tar:$work/shard-{0..2}.tar --input 1x28x28 --val 0.34 --accumulate 2 --sampling balanced"
)

kills=0 failures=0 runs=0
took=() killed=()
complain() {
  failures=$((failures + 1))
  echo "$1: ${kinds[$kind]}"
  sed 's/^/    /' "$work/err" | head -5
}
flags_of() { read -ra flags <<<"$common ${kinds[$1]#*|}"; }
for kind in "${!kinds[@]}"; do
  flags_of "$kind"
  start=$(date +%s%N)
  "$program" train "${flags[@]}" --quiet --out "$work/run-$kind" >/dev/null 2>"$work/err" || { complain "cannot be trained"; exit 1; }
  took[kind]=$((($(date +%s%N) - start) / 1000000)) killed[kind]=0
done
out=$work/stopped
kill_once() { # the run so far is in $command
  "$program" "${command[@]}" --quiet >/dev/null 2>&1 &
  local pid=$!
  sleep "$(awk -v ms=$((RANDOM * took[kind] / 32768)) 'BEGIN { print ms / 1000 }')"
  if kill -KILL $pid 2>/dev/null; then kills=$((kills + 1)) killed[kind]=$((killed[kind] + 1)); fi
  wait $pid 2>/dev/null || true
  if [[ -e $out/config.toml ]]; then command=(train --resume "$out"); fi
  if [[ -e $out/checkpoint.safetensors || -e $out/checkpoint.previous.safetensors ]]; then begun=1; fi
}
check() { # what the resumed run left
  cmp -s "$out/last.safetensors" "$work/run-$kind/last.safetensors" || complain "another last.safetensors"
  cmp -s "$out/best.safetensors" "$work/run-$kind/best.safetensors" || complain "another best.safetensors"
  ! grep -q "continuing from the previous checkpoint" "$out/log.txt" || complain "an unreadable checkpoint"
  [[ $(find "$out" -name '.fovea-*' | wc -l) == 0 ]] || complain "temporary files stay"
  if [[ $begun == 1 ]] && ! grep -q "^resuming after" "$out/log.txt"; then complain "started over"; fi
}
while ((kills < count)); do
  for kind in "${!kinds[@]}"; do
    flags_of "$kind"
    rm -rf "$out"
    command=(train "${flags[@]}" --out "$out") begun=0
    for ((times = 1 + RANDOM % 3; times > 0; --times)); do kill_once; done
    runs=$((runs + 1)) code=0
    "$program" "${command[@]}" --quiet >/dev/null 2>"$work/err" || code=$?
    if [[ $code == 0 ]]; then check; else complain "exit code $code after a kill"; fi
  done
done
for kind in "${!kinds[@]}"; do printf '%4d kills  %s\n' "${killed[kind]}" "${kinds[kind]%%|*}"; done
echo "$kills kills in $runs runs: $failures failures"
((failures == 0))
