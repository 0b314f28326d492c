#include "fovea/data/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <map>
#include <mutex>
#include <numeric>
#include <string_view>

#include "fovea/core/error.h"
#include "fovea/core/parallel.h"
#include "fovea/core/random.h"
#include "fovea/core/text.h"
#include "fovea/data/boxes.h"

namespace fovea::data {
namespace {

template <class T>
std::string_view as_text(std::span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

std::string printable_list(const std::vector<std::string>& names) {
  std::vector<std::string> shown;
  for (const std::string& name : names) shown.push_back(printable(name));
  return join(shown);
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

Targets mask_targets(std::vector<std::string> names, int axes) {
  if (names.empty() || std::ssize(names) > most_mask_classes) {
    throw Error(ErrorKind::usage, fmt::format("masks have 1 to {} classes", most_mask_classes))
        .with("found", std::to_string(names.size()));
  }
  return {.type = {DType::u8, axes == 3 ? Shape{0, 0, 0, 1} : Shape{0, 0, 1}},
          .names = std::move(names)};
}

Targets box_targets(std::vector<std::string> names, int64_t capacity) {
  if (names.empty() || capacity < 1) {
    throw Error(ErrorKind::usage, "boxes have one class or more, and a capacity of 1 or more")
        .with("classes", std::to_string(names.size()))
        .with("capacity", std::to_string(capacity));
  }
  return {.type = {DType::f32, Shape{0, 5}}, .names = std::move(names), .capacity = capacity};
}

Type target_type(const Targets& targets, const Type& input) {
  if (!lies_in_image(targets.type)) return targets.type;
  if (targets.type.rank() == 4) {
    if (input.dtype == DType::f32 && input.rank() == 4)
      return {DType::u8, input.shape.slice(1).concat({1})};
    throw Error(ErrorKind::usage, "masks of volumes need inputs f32[C, D, H, W]")
        .with("found", to_string(input));
  }
  if (!is_image(input)) {
    throw Error(ErrorKind::usage, is_mask(targets.type) ? "masks need images u8 or u16 [H, W, C]"
                                                        : "boxes need images u8 or u16 [H, W, C]")
        .with("found", to_string(input));
  }
  if (is_mask(targets.type)) return {DType::u8, {input.shape[0], input.shape[1], 1}};
  return {DType::f32, {targets.capacity, 5}};
}

std::optional<BoxedPicture> Dataset::boxed_picture(int64_t) const {
  const std::optional<Type> type = is_boxes(targets().type) ? input() : std::nullopt;
  if (!type || !is_image(*type)) return std::nullopt;
  return BoxedPicture{
      .place = whole_place(static_cast<int>(type->dim(0)), static_cast<int>(type->dim(1)))};
}

ArrayDataset::ArrayDataset(Array inputs, Array targets, Targets meaning)
    : inputs_(std::make_shared<Array>(std::move(inputs))),
      targets_(std::make_shared<Array>(std::move(targets))),
      meaning_(std::move(meaning)) {
  const bool images = is_pixel(inputs_->dtype()) && inputs_->shape().rank() == 4;
  const bool numbers = inputs_->dtype() == DType::f32 && inputs_->shape().rank() >= 2;
  if (images || numbers) input_ = {inputs_->dtype(), inputs_->shape().slice(1)};
  if (is_boxes(meaning_.type) && targets_->shape().rank() == 3)
    meaning_.capacity = targets_->dim(1);
  const Type target = images ? target_type(meaning_, input_) : meaning_.type;
  if (!(images || numbers) || targets_->dtype() != target.dtype || targets_->shape().rank() == 0 ||
      targets_->shape().slice(1) != target.shape || inputs_->dim(0) != targets_->dim(0)) {
    const Type all{target.dtype,
                   Shape{inputs_->shape().rank() > 0 ? inputs_->dim(0) : 0}.concat(target.shape)};
    throw Error(
        ErrorKind::usage,
        fmt::format(
            "data set: inputs must be u8 or u16 [N, H, W, C], or f32[N, C, ...], targets {}",
            to_string(all)))
        .with("inputs", describe(*inputs_))
        .with("targets", describe(*targets_));
  }
  const auto classes = static_cast<int64_t>(meaning_.names.size());
  if (is_boxes(target)) {
    for (const ClassBox& box : boxes_of(*targets_)) {
      if (box.label < classes) continue;
      throw Error(ErrorKind::usage,
                  fmt::format("data set: class {} of a box is not one of {}", box.label, classes));
    }
  }
  if (target != class_targets({}).type) return;
  for (int64_t i = 0; i < size(); ++i) {
    const int64_t label = targets_->data<int64_t>()[static_cast<size_t>(i)];
    if (label < 0 || label >= classes) {
      throw Error(ErrorKind::usage,
                  fmt::format("data set: label {} of sample {} is not one of {} classes", label, i,
                              classes));
    }
  }
}

Sample ArrayDataset::sample(int64_t i) const {
  return {row(inputs_, i, input_.shape), row(targets_, i, targets_->shape().slice(1))};
}

Subset::Subset(std::shared_ptr<const Dataset> dataset, std::vector<int64_t> indices)
    : DatasetView(std::move(dataset)), indices_(std::move(indices)) {
  for (int64_t i : indices_) {
    if (i < 0 || i >= dataset_->size()) {
      throw Error(ErrorKind::usage,
                  fmt::format("subset: index {} of a data set of {} samples", i, dataset_->size()));
    }
  }
}

Renumbered::Renumbered(std::shared_ptr<const Dataset> dataset, std::vector<std::string> names)
    : DatasetView(std::move(dataset)), meaning_(class_targets(std::move(names))) {
  const std::vector<std::string>& own = dataset_->targets().names;
  std::vector<std::string> unknown;
  for (const std::string& name : own) {
    const auto found = std::ranges::find(meaning_.names, name);
    if (found == meaning_.names.end()) unknown.push_back(name);
    places_.push_back(found - meaning_.names.begin());
  }
  if (dataset_->targets().type == meaning_.type && unknown.empty()) return;
  constexpr size_t shown = 20;
  const auto list = [](std::vector<std::string> all) {
    const size_t rest = all.size() > shown ? all.size() - shown : 0;
    all.resize(all.size() - rest);
    return printable_list(all) + (rest > 0 ? " and " + std::to_string(rest) + " more" : "");
  };
  if (dataset_->targets().type != meaning_.type) {
    throw Error(ErrorKind::usage, "data set: its targets are not classes")
        .with("targets", to_string(dataset_->targets().type));
  }
  throw Error(ErrorKind::usage,
              fmt::format("data set: {}{} not among the expected ones", unknown.size(),
                          (unknown.size() == 1 ? " class is" : " classes are")))
      .with("unknown", list(unknown))
      .with("data set", list(own))
      .with("expected", list(meaning_.names));
}

Array Renumbered::target(int64_t i) const {
  Array target(DType::i64, Shape{});
  target.set(0, static_cast<double>(places_[static_cast<size_t>(class_of(*dataset_, i))]));
  return target;
}

std::vector<int64_t> permutation(int64_t n, uint64_t seed, std::string_view purpose,
                                 uint64_t index) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  Random random(seed, purpose, index);
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

namespace {

bool are_classes(const Dataset& dataset) {
  return dataset.targets().type == class_targets({}).type;
}

/// How many samples each class gives to a part of `count`: its share rounded down, and one more for
/// those that lost most by rounding, until the total is `count`. Ties go to the first in `classes`,
/// which are in random order.
std::vector<int64_t> quotas(const std::vector<int64_t>& sizes, const std::vector<size_t>& classes,
                            int64_t count) {
  const int64_t all = std::accumulate(sizes.begin(), sizes.end(), int64_t{0});
  std::vector<int64_t> result(sizes.size());
  std::vector<std::pair<int64_t, size_t>> lost;
  int64_t given = 0;
  for (size_t c : classes) {
    result[c] = sizes[c] * count / all;
    given += result[c];
    lost.emplace_back(sizes[c] * count % all, c);
  }
  std::ranges::stable_sort(lost, std::greater(), &std::pair<int64_t, size_t>::first);
  for (size_t i = 0; given < count; ++i, ++given) ++result[lost[i].second];
  return result;
}

/// The samples of entire groups, in the order of `order`, until there are at least `count`.
std::vector<int64_t> take_groups(const Dataset& dataset, const std::vector<int64_t>& order,
                                 int64_t count) {
  std::map<int64_t, std::vector<int64_t>> members;
  for (int64_t i = 0; i < dataset.size(); ++i) members[dataset.group(i)].push_back(i);
  std::vector<int64_t> taken;
  for (int64_t i : order) {
    std::vector<int64_t>& group = members[dataset.group(i)];
    // The last group is left for training.
    if (std::ssize(taken) >= count || std::ssize(taken) + std::ssize(group) >= dataset.size())
      break;
    taken.insert(taken.end(), group.begin(), group.end());
    group.clear();
  }
  return taken;
}

/// The first samples, in the order of `order`, that fill each class's quota.
std::vector<int64_t> take_stratified(const Dataset& dataset, const std::vector<int64_t>& order,
                                     int64_t count) {
  std::vector<int64_t> sizes(dataset.targets().names.size());
  std::vector<size_t> classes;  // in the order in which they are encountered
  for (int64_t i : order) {
    const auto c = static_cast<size_t>(class_of(dataset, i));
    if (sizes[c]++ == 0) classes.push_back(c);
  }
  std::vector<int64_t> left = quotas(sizes, classes, count), taken;
  for (int64_t i : order) {
    if (left[static_cast<size_t>(class_of(dataset, i))]-- > 0) taken.push_back(i);
  }
  return taken;
}

}  // namespace

ValidationSplit split_validation(std::shared_ptr<const Dataset> dataset, double share,
                                 uint64_t seed) {
  if (!(share >= 0 && share < 1)) {
    throw Error(ErrorKind::usage, "validation share must be at least 0 and less than 1")
        .with("found", std::to_string(share))
        .with("try", "--val 0.1");
  }
  const int64_t size = dataset->size();
  int64_t count = std::llround(share * static_cast<double>(size));
  if (share > 0 && size > 1) count = std::clamp<int64_t>(count, 1, size - 1);
  if (size <= 1) count = 0;
  const std::vector<int64_t> order = permutation(size, seed, "validation");
  bool grouped = false;
  for (int64_t i = 0; i < size && !grouped; ++i) grouped = dataset->group(i) != i;
  std::vector<int64_t> val;
  if (count > 0) {
    val = grouped                 ? take_groups(*dataset, order, count)
          : are_classes(*dataset) ? take_stratified(*dataset, order, count)
                                  : std::vector<int64_t>(order.begin(), order.begin() + count);
  }
  std::sort(val.begin(), val.end());
  std::vector<int64_t> all(static_cast<size_t>(size)), train;
  std::iota(all.begin(), all.end(), 0);
  std::ranges::set_difference(all, val, std::back_inserter(train));
  return {std::make_shared<Subset>(dataset, std::move(train)),
          std::make_shared<Subset>(dataset, std::move(val))};
}

DataSets with_test_split(DataSets sets) {
  if (!sets.test) sets.test = sets.val;
  if (sets.test) return sets;
  constexpr double share = 0.1;
  ValidationSplit parts = split_validation(sets.train, share, 0);
  sets.train = std::move(parts.train);
  sets.test = std::move(parts.val);
  return sets;
}

std::string Subset::stamp() const {
  const std::string stamp = dataset_->stamp();
  if (stamp.empty()) return "";
  return stamp + hex(hash(as_text(std::span<const int64_t>(indices_))));
}

Type input_type(const Dataset& dataset) {
  if (const std::optional<Type> type = dataset.input()) return *type;
  throw Error(ErrorKind::usage, "data set: its images have different sizes")
      .with("try", "--input HxW, which resizes them, such as --input 224x224");
}

Shape net_shape(const Type& input) {
  if (is_image(input)) {
    return {input.shape[2], input.shape[0], input.shape[1]};
  }
  if (is_clip(input)) return {input.shape[3], input.shape[0], input.shape[1], input.shape[2]};
  if (input.dtype == DType::f32 && input.rank() >= 1) return input.shape;
  throw Error(ErrorKind::usage,
              "data set: an input must be an image u8 or u16 [H, W, C], a clip [T, H, W, C], or "
              "f32[C, ...]")
      .with("found", to_string(input));
}

std::string noun_of(const Dataset& dataset, int64_t count) {
  if (const auto modality = dataset.modality()) return modality->noun(count);
  const std::optional<Type> type = dataset.input();
  const std::string one = !type || is_image(*type) ? "image" : "sample";
  return count == 1 ? one : one + "s";
}

int64_t class_of(const Dataset& dataset, int64_t i) {
  if (dataset.targets().type != class_targets({}).type) {
    throw Error(ErrorKind::usage, "data set: its targets are not classes")
        .with("targets", to_string(dataset.targets().type));
  }
  return dataset.target(i).data<int64_t>()[0];
}

std::string fingerprint(const Dataset& dataset) {
  const int64_t size = dataset.size();
  const std::string stamp = dataset.stamp();
  // Masks have files of their own, which a stamp is about too.
  const bool covers_targets = is_mask(dataset.targets().type);
  const Shape dims = Shape{size}.concat(dataset.input().value_or(Type{}).shape);
  const auto header = static_cast<size_t>(dims.rank());
  std::vector<uint64_t> parts(static_cast<size_t>(size) * 2 + header);
  std::ranges::copy(dims.dims(), parts.begin());
  const auto bytes_of = [](const Array& array) {
    return hash({reinterpret_cast<const char*>(array.raw()), array.bytes()});
  };
  parallel_for(size, 256, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Sample sample = stamp.empty()    ? dataset.sample(i)
                            : covers_targets ? Sample{}
                                             : Sample{{}, dataset.target(i)};
      const auto at = static_cast<size_t>(i) * 2 + header;
      const bool number = sample.target.dtype() == DType::i64 && sample.target.numel() == 1;
      parts[at] = number ? static_cast<uint64_t>(sample.target.data<int64_t>()[0])
                         : bytes_of(sample.target);
      parts[at + 1] = stamp.empty() ? bytes_of(sample.input) : hash(stamp);
    }
  });
  return hex(hash(as_text(std::span<const uint64_t>(parts))));
}

namespace {

/// Sums over pixels, exact for any number of images.
struct ChannelSums {
  __extension__ using Wide = unsigned __int128;

  uint64_t count = 0;  // of pixels
  std::vector<uint64_t> sums;
  std::vector<Wide> squares;

  explicit ChannelSums(size_t channels) : sums(channels), squares(channels) {}

  template <class T>
  void add_image(std::span<const T> pixels) {
    const size_t channels = sums.size();
    std::vector<uint64_t> sum(channels), square(channels);
    for (size_t p = 0; p < pixels.size(); p += channels) {
      for (size_t c = 0; c < channels; ++c) {
        const uint64_t value = pixels[p + c];
        sum[c] += value;
        square[c] += value * value;
      }
    }
    count += pixels.size() / channels;
    for (size_t c = 0; c < channels; ++c) {
      sums[c] += sum[c];
      squares[c] += square[c];
    }
  }

  void add(const ChannelSums& other) {
    count += other.count;
    for (size_t c = 0; c < sums.size(); ++c) {
      sums[c] += other.sums[c];
      squares[c] += other.squares[c];
    }
  }

  ChannelStats stats(double white) const {
    ChannelStats result;
    const auto n = static_cast<double>(count);
    for (size_t c = 0; c < sums.size(); ++c) {
      const double mean = static_cast<double>(sums[c]) / n / white;
      const double square = static_cast<double>(squares[c]) / n / (white * white);
      result.mean.push_back(mean);
      result.std.push_back(std::sqrt(std::max(0.0, square - mean * mean)));
    }
    return result;
  }
};

/// The same of inputs f32[C, spatial...]: sums of each sample, added in the samples' order.
/// Of a mask they are 0 and 1, so that it stays as it is, and what it leaves out does not count.
ChannelStats number_stats(const Dataset& dataset, int64_t channels, int64_t maximum) {
  struct Sums {
    double count = 0, sum = 0, squares = 0;
  };
  const int64_t samples = maximum > 0 ? std::min(maximum, dataset.size()) : dataset.size();
  const bool masked = dataset.modality() && dataset.modality()->masks();
  if (masked) --channels;
  std::vector<Sums> all(static_cast<size_t>(samples * channels));
  parallel_for(samples, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Array input = dataset.sample(i * dataset.size() / samples).input;
      const auto values = input.data<float>();
      const size_t each = values.size() / static_cast<size_t>(input.dim(0));
      const auto mask = masked ? values.last(each) : std::span<const float>();
      for (size_t c = 0; c < static_cast<size_t>(channels); ++c) {
        Sums& own = all[static_cast<size_t>(i * channels) + c];
        for (size_t k = 0; k < each; ++k) {
          if (masked && mask[k] == 0) continue;
          const double value = values[c * each + k];
          own.count += 1;
          own.sum += value;
          own.squares += value * value;
        }
      }
    }
  });
  ChannelStats stats;
  for (int64_t c = 0; c < channels; ++c) {
    Sums total;
    for (int64_t i = 0; i < samples; ++i) {
      const Sums& own = all[static_cast<size_t>(i * channels + c)];
      total.count += own.count;
      total.sum += own.sum;
      total.squares += own.squares;
    }
    const double mean = total.sum / total.count;
    stats.mean.push_back(mean);
    stats.std.push_back(std::sqrt(std::max(0.0, total.squares / total.count - mean * mean)));
  }
  if (masked) {
    stats.mean.push_back(0);
    stats.std.push_back(1);
  }
  return stats;
}

}  // namespace

ChannelStats channel_stats(const Dataset& dataset, int64_t maximum) {
  if (dataset.size() == 0) {
    throw Error(ErrorKind::usage, "channel statistics need at least one sample");
  }
  const Array first = dataset.sample(0).input;
  if (first.dtype() == DType::f32 && first.shape().rank() >= 2)
    return number_stats(dataset, first.dim(0), maximum);
  const Type type{first.dtype(), first.shape()};
  if (!is_image(type) && !is_clip(type)) {
    throw Error(ErrorKind::usage,
                "channel statistics need images u8 or u16 [H, W, C], or f32 [C, ...]")
        .with("found", describe(first));
  }
  const auto channels = static_cast<size_t>(type.dim(type.rank() - 1));
  const bool deep = first.dtype() == DType::u16;
  ChannelSums all(channels);
  std::mutex guard;
  const int64_t images = maximum > 0 ? std::min(maximum, dataset.size()) : dataset.size();
  parallel_for(images, images < 4096 ? 16 : 256, [&](int64_t begin, int64_t end) {
    ChannelSums own(channels);
    for (int64_t i = begin; i < end; ++i) {
      const Sample sample = dataset.sample(i * dataset.size() / images);
      if (deep) {
        own.add_image(sample.input.data<uint16_t>());
      } else {
        own.add_image(sample.input.data<uint8_t>());
      }
    }
    const std::lock_guard lock(guard);
    all.add(own);
  });
  return all.stats(deep ? 65535 : 255);
}

}  // namespace fovea::data
