#!/usr/bin/env bash
# Spoken words, made by espeak-ng (apt install espeak-ng): trains on 18 voices and tests on 8 others, about 3 minutes on
# 2 cores. Expect 95 % or more right.
#
#     examples/sound/words.sh [DIR]     DIR: where sounds and runs go, by default words
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
fovea=${FOVEA_PROGRAM:-$here/../../build/release/fovea}
folder=${1:-words}
[ -d "$folder/sounds/test" ] || "$here/make_words.py" "$folder/sounds"

# A mel spectrogram of 40 bands and 81 frames, which the net sees as a picture.
data="sound:$folder/sounds,seconds=1,n_fft=512,hop=200,mels=40"
"$fovea" train --data "$data" --model keras_cnn --augment spec-augment:6:12,time-shift:0.1 --epochs 20 --batch 32 \
  --optimizer adamw --lr 0.003 --out "$folder/run"
"$fovea" eval --model "$folder/run/best.safetensors" --data "$data"
"$fovea" explain cam --model "$folder/run/best.safetensors" "$folder"/sounds/test/{yes,stop}/en-us+m7-145.wav --out "$folder/cams"
