#!/usr/bin/env bash
# Each component of src/fovea includes only itself and the components above it in this list; the program includes any; public
# headers include only the standard library and Fovea. Prints what breaks that; exit 1 when anything does.
set -euo pipefail
cd "$(dirname "$0")/.."

rooms=(core graph ops kernels passes runtime nn models images draw formats audio downloads weights data tasks predict optim train records explain doctor report)
failed=0
say() {
  echo "$1"
  failed=1
}

declare -A level
for i in "${!rooms[@]}"; do level[${rooms[i]}]=$i; done

for folder in src/fovea/*/; do
  room=$(basename "$folder")
  [ -n "${level[$room]:-}" ] || say "$folder is not in the list of rooms"
done
while IFS=: read -r file line include; do
  room=${file#src/fovea/} other=${include#*\"fovea/}
  [[ $room == */* ]] || continue  # fovea/ops.h and its like list one room
  room=${room%%/*} other=${other%%[/.]*}
  if [ "${level[$other]:-99}" -gt "${level[$room]:-0}" ]; then
    say "$file:$line: the room $room is above $other and may not include it"
  fi
done < <(grep -rnE '#include "fovea/' src/fovea --include='*.h' --include='*.cpp')

# Kernels' own headers are not installed for users to include; all others must stand alone.
while IFS=: read -r file line include; do
  say "$file:$line: a public header includes a library: $include"
done < <(grep -rnE '#include <[a-z_]+(/[a-zA-Z0-9_+/]+)?(\.h|\.hpp|\+\+)' src/fovea --include='*.h' \
  | grep -vE '/kernels/(onednn|simd)/|-inl\.h:' || true)

exit $failed
