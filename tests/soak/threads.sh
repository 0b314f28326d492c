#!/usr/bin/env bash
# Trains with --deterministic on 1, 2, 3, 4 and 8 threads: last.safetensors must be the same, byte for byte.
#   tests/soak/threads.sh [MODEL...]   by default small nets and resnet18_cifar; needs dataset-fashion-mnist
set -euo pipefail
cd "$(dirname "$0")/../.."
models=("$@")
((${#models[@]})) || models=(small_cnn deeper_cnn mini_resnet mobilenet_v2 resnet18_cifar)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0
for model in "${models[@]}"; do
  for threads in 1 2 3 4 8; do
    build/release/fovea train --data fashion-mnist --model "$model" --input 3x32x32 --limit 256 --batch 64 --epochs 1 \
      --deterministic --threads "$threads" --out "$folder/$model-$threads" --quiet >"$folder/output"
    if cmp -s "$folder/$model-1/last.safetensors" "$folder/$model-$threads/last.safetensors"; then
      echo "$model, $threads threads: $(sha256sum <"$folder/$model-$threads/last.safetensors" | cut -c1-16)"
    else
      echo "$model: $threads threads give another result than 1"
      failed=1
    fi
  done
  rm -rf "$folder/$model"-*
done
exit $failed
