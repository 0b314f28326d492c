#include "fovea/data/dataset.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numeric>
#include <string_view>

#include "fovea/core/error.h"
#include "fovea/core/parallel.h"
#include "fovea/core/random.h"
#include "fovea/core/text.h"

namespace fovea::data {
namespace {

template <class T>
std::string_view as_text(std::span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

/// A view of element `i` of the first axis, which keeps the array alive.
Array row(const std::shared_ptr<Array>& array, int64_t i, const Shape& shape) {
  const size_t bytes = static_cast<size_t>(shape.numel()) * size_of(array->dtype());
  return {array->dtype(), shape, array->raw() + static_cast<size_t>(i) * bytes, array};
}

}  // namespace

Targets class_targets(std::vector<std::string> names) {
  return {.type = {DType::i64, Shape{}}, .names = std::move(names)};
}

ArrayDataset::ArrayDataset(Array inputs, Array targets, Targets meaning)
    : inputs_(std::make_shared<Array>(std::move(inputs))),
      targets_(std::make_shared<Array>(std::move(targets))),
      meaning_(std::move(meaning)) {
  const bool images = inputs_->dtype() == DType::u8 && inputs_->shape().rank() == 4;
  const bool numbers = inputs_->dtype() == DType::f32 && inputs_->shape().rank() >= 2;
  const Type& target = meaning_.type;
  if (!(images || numbers) || targets_->dtype() != target.dtype || targets_->shape().rank() == 0 ||
      targets_->shape().slice(1) != target.shape || inputs_->dim(0) != targets_->dim(0)) {
    const Type all{target.dtype,
                   Shape{inputs_->shape().rank() > 0 ? inputs_->dim(0) : 0}.concat(target.shape)};
    throw Error(
        ErrorKind::usage,
        "data set: inputs must be u8[N, H, W, C] or f32[N, C, ...], targets " + to_string(all))
        .with("inputs", describe(*inputs_))
        .with("targets", describe(*targets_));
  }
  input_ = {inputs_->dtype(), inputs_->shape().slice(1)};
  if (target != class_targets({}).type) return;
  const auto classes = static_cast<int64_t>(meaning_.names.size());
  for (int64_t i = 0; i < size(); ++i) {
    const int64_t label = targets_->data<int64_t>()[static_cast<size_t>(i)];
    if (label < 0 || label >= classes) {
      throw Error(ErrorKind::usage, "data set: label " + std::to_string(label) + " of sample " +
                                        std::to_string(i) + " is not one of " +
                                        std::to_string(classes) + " classes");
    }
  }
}

Sample ArrayDataset::sample(int64_t i) const {
  return {row(inputs_, i, input_.shape), row(targets_, i, meaning_.type.shape)};
}

Subset::Subset(std::shared_ptr<const Dataset> whole, std::vector<int64_t> indices)
    : whole_(std::move(whole)), indices_(std::move(indices)) {
  for (int64_t i : indices_) {
    if (i < 0 || i >= whole_->size()) {
      throw Error(ErrorKind::usage, "subset: index " + std::to_string(i) + " of a data set of " +
                                        std::to_string(whole_->size()) + " samples");
    }
  }
}

std::vector<int64_t> permutation(int64_t n, uint64_t seed, std::string_view purpose,
                                 uint64_t index) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  Random random(seed, purpose, index);
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

ValidationSplit split_validation(std::shared_ptr<const Dataset> whole, double share,
                                 uint64_t seed) {
  if (!(share >= 0 && share < 1)) {
    throw Error(ErrorKind::usage, "validation share must be at least 0 and below 1")
        .with("found", std::to_string(share))
        .with("try", "--val 0.1");
  }
  const int64_t size = whole->size();
  int64_t count = std::llround(share * static_cast<double>(size));
  if (share > 0 && size > 1) count = std::clamp<int64_t>(count, 1, size - 1);
  if (size <= 1) count = 0;
  const std::vector<int64_t> order = permutation(size, seed, "validation");
  std::vector<int64_t> val(order.begin(), order.begin() + count);
  std::vector<int64_t> train(order.begin() + count, order.end());
  std::sort(val.begin(), val.end());
  std::sort(train.begin(), train.end());
  return {std::make_shared<Subset>(whole, std::move(train)),
          std::make_shared<Subset>(whole, std::move(val))};
}

Type input_type(const Dataset& dataset) {
  if (const std::optional<Type> type = dataset.input()) return *type;
  throw Error(ErrorKind::usage, "data set: its images have different sizes")
      .with("try", "--input HxW, which resizes them, such as --input 224x224");
}

Shape net_shape(const Type& input) {
  if (input.dtype == DType::u8 && input.rank() == 3) {
    return {input.shape[2], input.shape[0], input.shape[1]};
  }
  if (input.dtype == DType::f32 && input.rank() >= 1) return input.shape;
  throw Error(ErrorKind::usage, "data set: an input is an image u8[H, W, C] or f32[C, ...]")
      .with("found", to_string(input));
}

int64_t class_of(const Dataset& dataset, int64_t i) {
  if (dataset.targets().type != class_targets({}).type) {
    throw Error(ErrorKind::usage, "data set: its targets are not classes")
        .with("targets", to_string(dataset.targets().type));
  }
  return dataset.sample(i).target.data<int64_t>()[0];
}

std::string fingerprint(const Dataset& dataset) {
  const int64_t size = dataset.size();
  const Shape dims = Shape{size}.concat(dataset.input().value_or(Type{}).shape);
  const auto header = static_cast<size_t>(dims.rank());
  std::vector<uint64_t> parts(static_cast<size_t>(size) * 2 + header);
  std::ranges::copy(dims.dims(), parts.begin());
  const auto bytes_of = [](const Array& array) {
    return hash({reinterpret_cast<const char*>(array.raw()), array.bytes()});
  };
  parallel_for(size, 256, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Sample sample = dataset.sample(i);
      const auto at = static_cast<size_t>(i) * 2 + header;
      const bool number = sample.target.dtype() == DType::i64 && sample.target.numel() == 1;
      parts[at] = number ? static_cast<uint64_t>(sample.target.data<int64_t>()[0])
                         : bytes_of(sample.target);
      parts[at + 1] = bytes_of(sample.input);
    }
  });
  return hex(hash(as_text(std::span<const uint64_t>(parts))));
}

ChannelStats channel_stats(const Dataset& dataset) {
  if (dataset.size() == 0) {
    throw Error(ErrorKind::usage, "channel statistics of a split without samples");
  }
  const Type type{DType::u8, dataset.sample(0).input.shape()};
  if (dataset.sample(0).input.dtype() != DType::u8 || type.rank() != 3) {
    throw Error(ErrorKind::usage, "channel statistics are of images u8[H, W, C]")
        .with("found", describe(dataset.sample(0).input));
  }
  const auto channels = static_cast<size_t>(type.shape[2]);
  uint64_t count = 0;  // of pixels
  std::vector<uint64_t> sums(channels), squares(channels);
  std::mutex guard;
  parallel_for(dataset.size(), 256, [&](int64_t begin, int64_t end) {
    std::vector<uint64_t> sum(channels), square(channels);
    uint64_t own = 0;
    for (int64_t i = begin; i < end; ++i) {
      const Sample sample = dataset.sample(i);
      const std::span<const uint8_t> pixels = std::as_const(sample.input).data<uint8_t>();
      own += pixels.size() / channels;
      for (size_t p = 0; p < pixels.size(); p += channels) {
        for (size_t c = 0; c < channels; ++c) {
          const uint64_t value = pixels[p + c];
          sum[c] += value;
          square[c] += value * value;
        }
      }
    }
    std::lock_guard lock(guard);
    count += own;
    for (size_t c = 0; c < channels; ++c) {
      sums[c] += sum[c];
      squares[c] += square[c];
    }
  });
  ChannelStats stats;
  const auto n = static_cast<double>(count);
  for (size_t c = 0; c < channels; ++c) {
    const double mean = static_cast<double>(sums[c]) / n / 255;
    const double square = static_cast<double>(squares[c]) / n / (255.0 * 255.0);
    stats.mean.push_back(mean);
    stats.std.push_back(std::sqrt(std::max(0.0, square - mean * mean)));
  }
  return stats;
}

}  // namespace fovea::data
