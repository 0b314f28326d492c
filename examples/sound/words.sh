#!/usr/bin/env bash
# Spoken words, made by espeak-ng (apt install espeak-ng): trains a net on the waveforms of 20 voices and tests it
# on 8 others, in two or three minutes. Expect 95 % or more right.
#
#     examples/sound/words.sh [DIR]     DIR: where sounds and runs go, by default words
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
fovea=${FOVEA_PROGRAM:-$here/../../build/release/fovea}
folder=${1:-words}
[ -d "$folder/sounds/test" ] || "$here/make_words.py" "$folder/sounds"

data="sound:$folder/sounds,seconds=1,rate=8000,features=wave"
"$fovea" train --data "$data" --model m5_small --base-channels 64 --augment time-shift:0.1 --epochs 30 --batch 16 \
  --optimizer adamw --lr 0.004 --weight-decay 0.01 --out "$folder/run"
"$fovea" eval --model "$folder/run/best.safetensors" --data "$data"
"$fovea" explain cam --model "$folder/run/best.safetensors" "$folder"/sounds/test/{yes,stop}/en-us+m7.wav --out "$folder/cams"
