#!/usr/bin/env bash
# Fails each call to the file system that a short run makes in its folder, one after another, in four ways: once with EIO,
# once with ENOSPC, once as a write of half the bytes, and from then on always with ENOSPC. After each:
#   - the program ends with exit code 0, or 5 and a message that names what it could not write;
#   - with 0, last.safetensors is the one of a run without faults, byte for byte;
#   - without the fault, --resume of the folder gives that file too, if the run had begun.
#   io_faults.sh [PROGRAM [EVERY]]     EVERY 7: only each seventh call
set -euo pipefail
cd "$(dirname "$0")/../.."
program=${1:-build/release/fovea} every=${2:-1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
g++ -std=c++20 -O1 -shared -fPIC -o "$work/faults.so" tests/soak/io_faults.cpp -ldl

settings=(--data fashion-mnist --model small_cnn --limit 96 --val 0.3 --epochs 2 --batch 32 --augment none --seed 3)
train() { "$program" train "${settings[@]}" --out "$work/run/r" --quiet --json >"$work/json" 2>"$work/err"; }
sum() { sha256sum <"$work/run/r/last.safetensors"; }

mkdir "$work/run"
train
expected=$(sum)

failures=0 calls=0 went_on=0 ended=0
complain() { failures=$((failures + 1)); echo "call $call ($(cat "$work/log")) error $error rest $rest: $1"; sed 's/^/    /' "$work/err" | head -5; }
for way in "5 0" "28 0" "-1 0" "28 1"; do
  read -r error rest <<<"$way"
  for ((call = 1; ; call += every)); do
    rm -rf "$work/run/r" "$work/log"
    code=0
    (export LD_PRELOAD=$work/faults.so FAULT_FOLDER=$work/run FAULT_CALL=$call FAULT_ERROR=$error FAULT_REST=$rest FAULT_LOG=$work/log
      train) || code=$?
    [[ -e $work/log ]] || break  # the run makes fewer calls
    calls=$((calls + 1))
    if [[ $code == 0 ]]; then
      went_on=$((went_on + 1))
      [[ $(sum) == "$expected" ]] || complain "another result"
    elif [[ $code == 5 ]]; then
      ended=$((ended + 1))
      grep -q "cannot" "$work/err" || complain "no message"
    else
      complain "exit code $code"
    fi
    [[ -e $work/run/r/config.toml ]] || continue  # it had not begun
    code=0
    "$program" train --resume "$work/run/r" --quiet >/dev/null 2>"$work/err" || code=$?
    [[ $code == 0 ]] || { complain "cannot be resumed: exit code $code"; continue; }
    [[ $(sum) == "$expected" ]] || complain "another result after --resume"
  done
  echo "error $error, $([[ $rest == 1 ]] && echo from then on || echo once): $((call - 1)) calls"
done
echo "$calls faults: $went_on runs went on to the same result, $ended ended with exit code 5; $failures failures"
((failures == 0))
