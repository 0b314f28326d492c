#include <algorithm>
#include <cmath>
#include <cstring>

#include "fovea/core/random.h"
#include "fovea/explain/builtin.h"
#include "fovea/ops/upsample.h"

// Saliency from outputs alone: windows set to the mean image, or random masks.

namespace fovea::explain {
namespace {

using Sizes = std::vector<int64_t>;

Sizes sizes_of(const Array& inputs) {
  const Shape spatial = inputs.shape().slice(2);
  return {spatial.begin(), spatial.end()};
}

/// Steps to the next index below `sizes`, the last axis first; false after the last.
bool next_index(Sizes& index, const Sizes& sizes) {
  for (size_t axis = sizes.size(); axis-- > 0;) {
    if (++index[axis] < sizes[axis]) return true;
    index[axis] = 0;
  }
  return false;
}

int64_t count_of(const Sizes& sizes) {
  int64_t count = 1;
  for (int64_t size : sizes) count = checked_product(count, size);
  return count;
}

/// Masks [n, 1, spatial...] that are 0 in a box of each, else 1.
Array box_masks(const Sizes& sizes, const std::vector<Sizes>& begins, const Sizes& window) {
  Array masks = Array::full(DType::f32, Shape{std::ssize(begins), 1}.concat(Shape(sizes)), 1);
  const int64_t positions = count_of(sizes);
  for (size_t m = 0; m < begins.size(); ++m) {
    Sizes extent, index(sizes.size(), 0);
    for (size_t axis = 0; axis < sizes.size(); ++axis)
      extent.push_back(std::min(window[axis], sizes[axis] - begins[m][axis]));
    do {
      int64_t offset = 0;
      for (size_t axis = 0; axis < sizes.size(); ++axis)
        offset = offset * sizes[axis] + begins[m][axis] + index[axis];
      masks.set(static_cast<int64_t>(m) * positions + offset, 0);
    } while (next_index(index, extent));
  }
  return masks;
}

/// Where windows begin: every `stride` until one reaches the end.
std::vector<Sizes> begins_of(const Sizes& sizes, const Sizes& window, const Sizes& stride) {
  Sizes counts, index(sizes.size(), 0);
  for (size_t axis = 0; axis < sizes.size(); ++axis)
    counts.push_back((sizes[axis] - window[axis] + stride[axis] - 1) / stride[axis] + 1);
  std::vector<Sizes> begins;
  do {
    Sizes begin;
    for (size_t axis = 0; axis < sizes.size(); ++axis) begin.push_back(index[axis] * stride[axis]);
    begins.push_back(begin);
  } while (next_index(index, counts));
  return begins;
}

/// Calls body(image, label, i) for each sample with one row; it returns the map of that sample.
template <class Body>
Array map_per_sample(Explainer& explainer, Batch& batch, const Body& body) {
  if (batch.classes.empty()) choose_classes(batch, explainer.outputs(batch.inputs));
  Array maps(DType::f32, Shape{batch.inputs.dim(0), 1}.concat(batch.inputs.shape().slice(2)));
  for (int64_t i = 0; i < maps.dim(0); ++i) {
    const Array map = body(rows(batch.inputs, i, 1), batch.classes[static_cast<size_t>(i)], i);
    std::memcpy(maps.raw() + static_cast<size_t>(i) * map.bytes(), map.raw(), map.bytes());
  }
  return maps;
}

Array occluded(Explainer& explainer, Batch& batch, const Arguments& arguments) {
  const Sizes sizes = sizes_of(batch.inputs);
  Sizes window, stride;
  for (int64_t size : sizes) {
    const int64_t seventh = std::max<int64_t>(1, (size + 3) / 7);
    window.push_back(std::min(size, arguments.integer("window", seventh)));
    stride.push_back(arguments.integer("stride", std::max<int64_t>(1, window.back() / 2)));
  }
  const std::vector<Sizes> begins = begins_of(sizes, window, stride);
  return map_per_sample(explainer, batch, [&](const Array& image, int64_t label, int64_t) {
    const Array mean = Array::zeros(DType::f32, image.shape());
    const double whole = explainer.outputs(image).at(label);
    // Of windows, which are 1 less a mask: their losses, and how many contain a position.
    WeightedSum seen(explainer), kept(explainer);
    double losses = 0;
    for (size_t first = 0; first < begins.size(); first += batch_size) {
      const size_t n = std::min<size_t>(batch_size, begins.size() - first);
      const auto from = begins.begin() + static_cast<std::ptrdiff_t>(first);
      const Array masks = box_masks(sizes, {from, from + static_cast<std::ptrdiff_t>(n)}, window);
      std::vector<double> loss = explainer.masked_scores(image, mean, masks, label, false);
      for (double& l : loss) losses += l = whole - l;
      seen.add(masks, loss);
      kept.add(masks, std::vector<double>(n, 1));
    }
    Array map = seen.total().clone();
    for (int64_t p = 0; p < map.numel(); ++p) {
      const double windows = static_cast<double>(begins.size()) - kept.total().at(p);
      map.set(p, windows > 0.5 ? (losses - seen.total().at(p)) / windows : 0);
    }
    return map;
  });
}

/// Masks first to first + count of a sample's random ones, [count, 1, spatial...].
Array random_masks(Explainer& explainer, const Sizes& sizes, int64_t cells, uint64_t seed,
                   uint64_t sample, int64_t first, int64_t count) {
  Sizes grid(sizes.size(), cells + 1), large, cell;
  for (int64_t size : sizes) {
    cell.push_back((size + cells - 1) / cells);
    large.push_back(cell.back() * (cells + 1));
  }
  Array coarse(DType::f32, Shape{count, 1}.concat(Shape(grid)));
  std::vector<Sizes> shifts;
  const int64_t in_grid = count_of(grid);
  for (int64_t m = 0; m < count; ++m) {
    Random random(seed, "rise", sample * 1'000'003 + static_cast<uint64_t>(first + m));
    for (int64_t p = 0; p < in_grid; ++p)
      coarse.set(m * in_grid + p, random.uniform() < 0.5 ? 1 : 0);
    Sizes shift;
    for (int64_t c : cell)
      shift.push_back(static_cast<int64_t>(random.below(static_cast<uint64_t>(c))));
    shifts.push_back(shift);
  }
  const Array smooth = explainer.run(
      "rise masks " + to_string(Shape(sizes)), {{"grid", coarse}},
      [&](const Explainer::Given& given) {
        return Tensors{upsample_to(given.at("grid"), Dims(large), {.mode = UpsampleMode::linear})};
      })[0];
  Array masks(DType::f32, Shape{count, 1}.concat(Shape(sizes)));
  const int64_t positions = count_of(sizes), in_large = count_of(large), width = sizes.back();
  for (int64_t m = 0; m < count; ++m) {  // rows of the enlarged masks, from their shifts on
    for (int64_t row = 0; row < positions / width; ++row) {
      const Sizes& shift = shifts[static_cast<size_t>(m)];
      int64_t rest = row, from = 0, scale = large.back();
      for (size_t axis = sizes.size() - 1; axis-- > 0;) {
        from += (rest % sizes[axis] + shift[axis]) * scale;
        scale *= large[axis];
        rest /= sizes[axis];
      }
      from += m * in_large + shift.back();
      std::memcpy(masks.raw() + static_cast<size_t>(m * positions + row * width) * sizeof(float),
                  smooth.raw() + static_cast<size_t>(from) * sizeof(float),
                  static_cast<size_t>(width) * sizeof(float));
    }
  }
  return masks;
}

Array randomly_masked(Explainer& explainer, Batch& batch, const Arguments& arguments) {
  const Sizes sizes = sizes_of(batch.inputs);
  const int64_t count = batch.draws ? batch.draws->dim(0) : arguments.integer("masks");
  return map_per_sample(explainer, batch, [&](const Array& image, int64_t label, int64_t i) {
    const Array mean = Array::zeros(DType::f32, image.shape());
    WeightedSum sum(explainer);
    for (int64_t first = 0; first < count; first += batch_size) {
      const int64_t n = std::min(batch_size, count - first);
      const Array masks =
          batch.draws ? rows(*batch.draws, first, n)
                      : random_masks(explainer, sizes, arguments.integer("cells"), batch.seed,
                                     static_cast<uint64_t>(batch.first + i), first, n);
      std::vector<double> weights = explainer.masked_scores(image, mean, masks, label, true);
      for (double& w : weights) w /= 0.5 * static_cast<double>(count);  // a mask's mean is 1/2
      sum.add(masks, weights);
    }
    return sum.total();
  });
}

Argument count(const std::string& name, ArgumentValue value, int64_t maximum,
               const std::string& follows, const std::string& help) {
  return {.name = name,
          .type = ArgumentType::integer,
          .default_value = std::move(value),
          .minimum = 1,
          .maximum = static_cast<double>(maximum),
          .follows = follows,
          .help = help};
}

}  // namespace

Method occlusion() {
  return {.choice = {.name = "occlusion",
                     .arguments = {count("window", {}, 1 << 16, "a seventh of each side",
                                         "side of the window in pixels"),
                                   count("stride", {}, 1 << 16, "half of the window",
                                         "pixels between windows")},
                     .help = "what the output loses when a window is set to the mean"},
          .family = Family::saliency,
          .compute = occluded};
}

Method rise() {
  return {.choice = {.name = "rise",
                     .arguments = {count("masks", int64_t{1000}, 1'000'000, "", "random masks"),
                                   count("cells", int64_t{7}, 64, "", "cells of a mask per side")},
                     .help = "random masks weighted by the class's probability"},
          .family = Family::saliency,
          .compute = randomly_masked};
}

}  // namespace fovea::explain
