#!/usr/bin/env bash
# Fails each call to the file system that a short run makes on its data and in its folder, one call per run, until the run
# makes no more calls: once with EIO, once with ENOSPC, once interrupted by a signal (EINTR), once for half of the bytes; and
# from a call on always with ENOSPC or EIO. After each:
#   - the program ends with 0 and the last.safetensors of a run without faults, byte for byte; or with 5 for what it could not
#     write, 3 for data that it could not read, 4 for a model file that it could not read, and a message that says so;
#   - a signal or a short read or write changes nothing;
#   - without the fault, --resume of the folder gives that last.safetensors too, if the run had begun.
#   io_faults.sh [PROGRAM [EVERY [RUN...]]]     EVERY 7: only each seventh call; RUN: folder, tar, arrays, resume; default: all
set -euo pipefail
program=$(realpath "${1:-$(dirname "$0")/../../build/release/fovea}") every=${2:-1}
cd "$(dirname "$0")/../.."
runs=("${@:3}")
[[ ${#runs[@]} -gt 0 ]] || runs=(folder tar arrays resume)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
${CXX:-g++} -std=c++20 -O1 -shared -fPIC -o "$work/faults.so" tests/soak/io_faults.cpp -ldl

# The same few images three times.
watched=$work/watched out=$work/watched/r data=$work/watched/data
mkdir -p "$data/arrays" "$data/shard" "$work/png"
"$program" data samples discs --split train --count 8 --out "$work/png/" --quiet >/dev/null
number=0
for file in "$work"/png/*.png; do
  mkdir -p "$data/photos/class$((number % 2))"
  cp "$file" "$data/photos/class$((number % 2))/$number.png"
  cp "$file" "$data/shard/$(printf %02d $number).png"
  echo $((number % 2)) >"$data/shard/$(printf %02d $number).cls"
  number=$((number + 1))
done
(cd "$data/shard" && tar cf "$data/shard-0.tar" --sort=name ./0[0-3].??? && tar cf "$data/shard-1.tar" --sort=name ./0[4-7].???)
rm -r "$data/shard"
npy() { # FILE DTYPE SHAPE: an array of format 1.0, its data from standard input
  local header="{'descr': '$2', 'fortran_order': False, 'shape': ($3), }"
  { printf '\x93NUMPY\x01\x00\x76\x00%-117s\n' "$header"; cat; } >"$1"
}
head -c $((8 * 64)) /dev/zero | tr '\0' '\7' | npy "$data/arrays/x.npy" '|u1' '8, 8, 8, 1'
for ((i = 0; i < 8; ++i)); do printf '\x0'"$((i % 2))"'\0\0\0\0\0\0\0'; done | npy "$data/arrays/y.npy" '<i8' '8,'

settings=(--model small_cnn --val 0.25 --epochs 2 --batch 3 --augment none --seed 3 --save-every 1 --keep 1)
declare -A data_of=([folder]=folder:$data/photos [tar]="tar:$data/shard-{0..1}.tar" [arrays]=arrays:$data/arrays [resume]=folder:$data/photos)
command=()
train() { "$program" train "${command[@]}" --quiet --json >"$work/json" 2>"$work/err"; }
sum() { sha256sum <"$out/last.safetensors"; }
prepare() { # the run is begun anew, or goes on from the first epoch
  rm -rf "$out" "$work/log"
  if [[ $run == resume ]]; then cp -r "$work/begun" "$out"; fi
}

failures=0 calls=0 went_on=0 ended=0
complain() {
  failures=$((failures + 1))
  echo "$run, $way $rest, call $(cat "$work/log"): $1"
  sed 's/^/    /' "$work/err" | head -5
}
# Whether this exit code is right for what failed: kind of call, call, path.
expected_code() {
  case $1:$4 in
    0:*) return 0 ;;
    *:*) [[ $way != EINTR && $way != short ]] || return 1 ;;&
    5:*) [[ $4 != "$data"* || $rest == 1 ]] ;;
    3:*) [[ $2 == read && ( $4 == "$data"* || $4 == *.toml ) || $rest == 1 ]] ;;
    4:*) [[ $2 == read && $4 == *.safetensors || $rest == 1 ]] ;;
    *) return 1 ;;
  esac
}

for run in "${runs[@]}"; do
  settings_of=("${settings[@]}" --data "${data_of[$run]}" --out "$out")
  if [[ $run == resume ]]; then
    command=("${settings_of[@]}" --epochs 1)
    rm -rf "$out"
    train
    rm -rf "$work/begun"
    cp -r "$out" "$work/begun"
    command=(--resume "$out" --epochs 2)
  else
    command=("${settings_of[@]}")
  fi
  prepare
  train || { cat "$work/err"; exit 1; }
  expected=$(sum)
  for fault in "EIO 0" "ENOSPC 0" "EINTR 0" "short 0" "ENOSPC 1" "EIO 1"; do
    read -r way rest <<<"$fault"
    for ((call = 1; ; call += every)); do
      prepare
      code=0
      (export LD_PRELOAD=$work/faults.so FAULT_FOLDER=$watched FAULT_CALL=$call FAULT_WAY=$way FAULT_REST=$rest FAULT_LOG=$work/log
        train) || code=$?
      [[ -e $work/log ]] || break  # the run makes fewer calls
      calls=$((calls + 1))
      read -r _ kind name path <"$work/log"
      expected_code "$code" "$kind" "$name" "$path" || complain "exit code $code"
      if [[ $code == 0 ]]; then
        went_on=$((went_on + 1))
        [[ $(sum) == "$expected" ]] || complain "another result"
      else
        ended=$((ended + 1))
        grep -q "cannot" "$work/err" || complain "no message"
      fi
      [[ -e $out/config.toml ]] || continue  # it had not begun
      code=0
      "$program" train --resume "$out" --epochs 2 --quiet >/dev/null 2>"$work/err" || code=$?
      [[ $code == 0 ]] || { complain "cannot be resumed: exit code $code"; continue; }
      [[ $(sum) == "$expected" ]] || complain "another result after --resume"
    done
    echo "$run, $way $([[ $rest == 1 ]] && echo from then on || echo once): $(((call - 1) / every)) calls"
  done
done
echo "$calls faults: $went_on runs went on to the same result, $ended ended with an error; $failures failures"
((failures == 0))
