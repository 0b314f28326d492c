#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "fovea/graph/type.h"

namespace fovea::simd {

/// One or several merged axes that `n` values walk together: the number of steps, and by how many
/// elements each value moves per step (0 for values that are broadcast or summed).
template <size_t n>
struct Axis {
  int64_t size = 1;
  std::array<int64_t, n> step{};
};
template <size_t n>
using Axes = std::vector<Axis<n>>;  ///< outermost first
template <size_t n>
using Offsets = std::array<int64_t, n>;

/// A shape's sizes; the axis `blocks`, if any, holds channels in blocks of 16 and counts as two:
/// the blocks, and the channels in one.
inline std::vector<int64_t> memory_sizes(const Shape& shape, int blocks) {
  std::vector<int64_t> sizes;
  for (int i = 0; i < shape.rank(); ++i) {
    const int64_t inside = i == blocks && shape[i] != 1 ? 16 : 1;
    sizes.push_back(shape[i] / inside);
    if (i == blocks) sizes.push_back(inside);
  }
  return sizes;
}

/// The memory stride, in elements, along each of these axes.
inline std::vector<int64_t> memory_steps(const Type& type, int blocks) {
  std::array<int64_t, Shape::max_rank> steps{};
  int64_t step = 1;
  for (int i = type.rank(); i-- > 0; step *= type.dim(i)) steps[static_cast<size_t>(i)] = step;
  const bool blocked = type.layout == Layout::blocked16;
  if (type.layout != Layout::plain) {
    const int64_t together = blocked ? 16 : type.dim(1);
    for (int i = 2; i < type.rank(); ++i) steps[static_cast<size_t>(i)] *= together;
    steps[1] = 1;
  }
  std::vector<int64_t> result;
  for (int i = 0; i < type.rank(); ++i) {
    const int64_t inside = steps[static_cast<size_t>(i)];
    if (i == blocks) result.push_back(16 * (blocked ? type.shape.slice(2).numel() : inside));
    result.push_back(inside);
  }
  return result;
}

/// The axis that memory_sizes and memory_steps must split in two so that these values can be walked
/// together.
inline int blocked_axis(std::initializer_list<const Type*> types) {
  const auto blocked = [](const Type* type) { return type->layout == Layout::blocked16; };
  return std::any_of(types.begin(), types.end(), blocked) ? 1 : -1;
}

/// The same walk with fewer axes: in the memory order of value `by`, without axes of one step,
/// neighbours merged if every value continues with the same stride. At least one axis remains.
template <size_t n>
Axes<n> joined(Axes<n> axes, size_t by) {
  if (std::any_of(axes.begin(), axes.end(), [](const Axis<n>& axis) { return axis.size == 0; }))
    return {Axis<n>{.size = 0}};
  std::erase_if(axes, [](const Axis<n>& axis) { return axis.size == 1; });
  std::stable_sort(axes.begin(), axes.end(),
                   [by](const Axis<n>& a, const Axis<n>& b) { return a.step[by] > b.step[by]; });
  Axes<n> result;  // innermost first
  for (size_t i = axes.size(); i-- > 0;) {
    bool goes_on = !result.empty();
    for (size_t v = 0; goes_on && v < n; ++v)
      goes_on = axes[i].step[v] == result.back().step[v] * result.back().size;
    if (goes_on)
      result.back().size *= axes[i].size;
    else
      result.push_back(axes[i]);
  }
  if (result.empty()) result.push_back({});
  std::reverse(result.begin(), result.end());
  return result;
}

/// How `n` values are walked in the memory order of
/// the first; the others broadcast to its shape.
template <size_t n>
Axes<n> walk(const std::array<const Type*, n>& types) {
  const Type& whole = *types[0];
  int blocks = -1;
  for (const Type* type : types) blocks = std::max(blocks, blocked_axis({type}));
  Axes<n> axes;
  for (int64_t size : memory_sizes(whole.shape, blocks)) axes.push_back({.size = size});
  for (size_t v = 0; v < n; ++v) {
    const Type& type = *types[v];
    const int channels = blocks < 0 ? -1 : std::max(-1, blocks - (whole.rank() - type.rank()));
    const auto sizes = memory_sizes(type.shape, channels), steps = memory_steps(type, channels);
    const size_t missing = axes.size() - sizes.size();
    for (size_t i = 0; i < sizes.size(); ++i)
      axes[missing + i].step[v] = sizes[i] == 1 ? 0 : steps[i];
  }
  return joined(std::move(axes), 0);
}

template <size_t n>
int64_t steps_of(std::span<const Axis<n>> axes) {
  int64_t count = 1;
  for (const Axis<n>& axis : axes) count *= axis.size;
  return count;
}

/// Calls body(offset of each value, rows) for the steps [begin, end) of a walk, as runs of `rows`
/// steps along its last axis.
template <size_t n, class Body>
void for_each_run(std::span<const Axis<n>> axes, int64_t begin, int64_t end, const Body& body) {
  const int64_t last = axes.empty() ? 1 : axes.back().size;
  while (begin < end) {
    Offsets<n> at{};
    int64_t rest = begin;
    for (size_t k = axes.size(); k-- > 0; rest /= axes[k].size) {
      const int64_t index = rest % axes[k].size;
      for (size_t v = 0; v < n; ++v) at[v] += index * axes[k].step[v];
    }
    const int64_t rows = std::min(end - begin, last - begin % last);
    body(at, rows);
    begin += rows;
  }
}

}  // namespace fovea::simd
