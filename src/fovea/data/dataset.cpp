#include "fovea/data/dataset.h"

#include <algorithm>
#include <cmath>
#include <cstring>
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

}  // namespace

ArrayDataset::ArrayDataset(Array images, Array labels, std::vector<std::string> class_names)
    : images_(std::move(images)), labels_(std::move(labels)), class_names_(std::move(class_names)) {
  if (images_.dtype() != DType::u8 || images_.shape().rank() != 4 ||
      labels_.dtype() != DType::i64 || labels_.shape().rank() != 1 ||
      images_.dim(0) != labels_.dim(0)) {
    throw Error(ErrorKind::usage, "data set: images must be u8[N, H, W, C], labels i64[N]")
        .with("images", describe(images_))
        .with("labels", describe(labels_));
  }
  const auto classes = static_cast<int64_t>(class_names_.size());
  for (int64_t i = 0; i < size(); ++i) {
    if (label(i) < 0 || label(i) >= classes) {
      throw Error(ErrorKind::usage, "data set: label " + std::to_string(label(i)) + " of sample " +
                                        std::to_string(i) + " is not one of " +
                                        std::to_string(classes) + " classes");
    }
  }
}

void ArrayDataset::image(int64_t i, std::span<uint8_t> out) const {
  const auto bytes = static_cast<size_t>(image_bytes());
  std::memcpy(out.data(), images_.raw() + static_cast<size_t>(i) * bytes, bytes);
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

std::string fingerprint(const Dataset& dataset) {
  const int64_t size = dataset.size();
  std::vector<uint64_t> parts(static_cast<size_t>(size) * 2 + 4);
  for (size_t i = 0; int64_t dim : {size, dataset.height(), dataset.width(), dataset.channels()}) {
    parts[i++] = static_cast<uint64_t>(dim);
  }
  parallel_for(size, 256, [&](int64_t begin, int64_t end) {
    std::vector<uint8_t> pixels(static_cast<size_t>(dataset.image_bytes()));
    for (int64_t i = begin; i < end; ++i) {
      dataset.image(i, pixels);
      const auto at = static_cast<size_t>(i) * 2 + 4;
      parts[at] = static_cast<uint64_t>(dataset.label(i));
      parts[at + 1] = hash(as_text(std::span<const uint8_t>(pixels)));
    }
  });
  return hex(hash(as_text(std::span<const uint64_t>(parts))));
}

ChannelStats channel_stats(const Dataset& dataset) {
  if (dataset.size() == 0) {
    throw Error(ErrorKind::usage, "channel statistics of a split without samples");
  }
  const auto channels = static_cast<size_t>(dataset.channels());
  std::vector<uint64_t> sums(channels), squares(channels);
  std::mutex guard;
  parallel_for(dataset.size(), 256, [&](int64_t begin, int64_t end) {
    std::vector<uint8_t> pixels(static_cast<size_t>(dataset.image_bytes()));
    std::vector<uint64_t> sum(channels), square(channels);
    for (int64_t i = begin; i < end; ++i) {
      dataset.image(i, pixels);
      for (size_t p = 0; p < pixels.size(); p += channels) {
        for (size_t c = 0; c < channels; ++c) {
          const uint64_t value = pixels[p + c];
          sum[c] += value;
          square[c] += value * value;
        }
      }
    }
    std::lock_guard lock(guard);
    for (size_t c = 0; c < channels; ++c) {
      sums[c] += sum[c];
      squares[c] += square[c];
    }
  });
  ChannelStats stats;
  const double count =
      static_cast<double>(dataset.size()) * static_cast<double>(dataset.height() * dataset.width());
  for (size_t c = 0; c < channels; ++c) {
    const double mean = static_cast<double>(sums[c]) / count / 255;
    const double square = static_cast<double>(squares[c]) / count / (255.0 * 255.0);
    stats.mean.push_back(mean);
    stats.std.push_back(std::sqrt(std::max(0.0, square - mean * mean)));
  }
  return stats;
}

}  // namespace fovea::data
