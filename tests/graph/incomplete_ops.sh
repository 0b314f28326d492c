#!/usr/bin/env bash
# Of an op struct that lacks a member the compiler names the member. Usage: incomplete_ops.sh COMPILER
set -euo pipefail
cd "$(dirname "$0")/../.."

if said=$("$1" -std=c++20 -fsyntax-only -Isrc tests/graph/incomplete_ops.cpp 2>&1); then
  echo "it compiled" >&2
  exit 1
fi
failed=0
# The number of times, and what is said.
expect() {
  [ "$(grep -cE "error: static assertion failed: $2" <<<"$said")" = "$1" ] && return
  echo "not said $1 times: $2" >&2
  failed=1
}
expect 1 'the op struct lacks `static constexpr std::string_view name'
expect 1 'the op struct lacks `Types infer\(const Types& in\) const`'
expect 1 'the op struct lacks `void reference\(const Views& v\) const`'
expect 1 'the op struct lacks `Tensors gradient\(const Node& node, const Tensors& dy\) const`'
expect 1 'the op struct has members but lacks `static void fields\(auto& op, auto&& visit\)`'
expect 1 'the op struct adds members to its base but inherits its `fields`'
expect 1 'a field of an op is a bool, a number, an enumeration'
for op in Nameless Untyped Uncomputed Underived Undescribed Inheriting Unprintable; do
  grep -q "T = fovea::$op\|T = const fovea::$op\|fovea::$op;" <<<"$said" || { echo "$op is not named" >&2; failed=1; }
done
if grep -q "cannot convert" <<<"$said" || grep -qE "fovea::(Whole|Scaled|Renamed);" <<<"$said"; then
  echo "something else is said" >&2
  failed=1
fi
[ $failed = 0 ] || { echo "$said" >&2; exit 1; }
