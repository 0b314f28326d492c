#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/core/error.h"
#include "fovea/data/transforms/builtin.h"

namespace fovea::data {
namespace {

/// Errors: usage unless the input is numbers f32[C, spatial...] with this many spatial axes.
void require_numbers(std::string_view who, const Type& input, int least_axes) {
  if (input.dtype == DType::f32 && input.rank() > least_axes) return;
  throw Error(ErrorKind::usage,
              fmt::format("{} is for {}", who,
                          least_axes == 2 ? "spectrograms f32 [C, frequencies, frames]"
                                          : "signals and spectrograms f32 [C, ..., T]"))
      .with("found", to_string(input));
}

struct Masks {
  int64_t count = 0, widest = 0;
  double share = 1;  ///< of the axis that a mask may cover
};

class SpecAugment : public Transform {
 public:
  SpecAugment(std::string text, Masks frequency, Masks time)
      : text_(std::move(text)), frequency_(frequency), time_(time) {}

  std::string text() const override { return text_; }
  Type output(const Type& input) const override {
    require_numbers("spec-augment", input, 2);
    if (input.rank() != 3) require_numbers("spec-augment", {}, 2);
    return input;
  }
  void operator()(Sample& sample, TransformContext& context) const override {
    Array& input = sample.input;
    const auto values = input.data<float>();
    double sum = 0;
    for (const float value : values) sum += value;
    const auto mean = static_cast<float>(sum / static_cast<double>(values.size()));
    mask(input, 1, frequency_, mean, context.random);
    mask(input, 2, time_, mean, context.random);
  }

 private:
  static void mask(Array& input, int axis, const Masks& masks, float value, Random& random) {
    const int64_t size = input.dim(axis);
    const auto widest =
        std::min(masks.widest, static_cast<int64_t>(masks.share * static_cast<double>(size)));
    for (int64_t k = 0; k < masks.count; ++k) {
      const int64_t width =
          std::min(size, static_cast<int64_t>(random.below(static_cast<uint64_t>(widest) + 1)));
      const auto first =
          static_cast<int64_t>(random.below(static_cast<uint64_t>(size - width) + 1));
      fill(input, axis, first, width, value);
    }
  }

  static void fill(Array& input, int axis, int64_t first, int64_t width, float value) {
    const int64_t rows = input.dim(1), columns = input.dim(2);
    const int64_t top = axis == 1 ? first : 0, bottom = axis == 1 ? first + width : rows;
    const int64_t left = axis == 2 ? first : 0, count = axis == 2 ? width : columns;
    const auto values = input.data<float>();
    for (int64_t c = 0; c < input.dim(0); ++c) {
      for (int64_t y = top; y < bottom; ++y) {
        const auto begin = static_cast<size_t>((c * rows + y) * columns + left);
        std::ranges::fill(values.subspan(begin, static_cast<size_t>(count)), value);
      }
    }
  }

  std::string text_;
  Masks frequency_, time_;
};

class TimeShift : public Transform {
 public:
  TimeShift(std::string text, double share) : text_(std::move(text)), share_(share) {}

  std::string text() const override { return text_; }
  Type output(const Type& input) const override {
    require_numbers("time-shift", input, 1);
    return input;
  }
  void operator()(Sample& sample, TransformContext& context) const override {
    Array& input = sample.input;
    const int64_t size = input.dim(input.shape().rank() - 1);
    const auto most = static_cast<int64_t>(share_ * static_cast<double>(size));
    const auto drawn =
        static_cast<int64_t>(context.random.below(static_cast<uint64_t>(2 * most + 1)));
    const int64_t shift = (drawn - most + size) % size;
    const auto values = input.data<float>();
    for (int64_t row = 0; row < input.numel() / size; ++row) {
      const auto part = values.subspan(static_cast<size_t>(row * size), static_cast<size_t>(size));
      std::ranges::rotate(part, part.end() - shift);
    }
  }

 private:
  std::string text_;
  double share_;
};

}  // namespace

TransformEntry spec_augment_entry() {
  const auto integer = [](std::string name, int64_t value, std::string help) {
    return Argument{.name = std::move(name),
                    .type = ArgumentType::integer,
                    .default_value = value,
                    .maximum = 100000,
                    .help = std::move(help)};
  };
  const Choice choice{
      .name = "spec-augment",
      .arguments = {integer("frequency", 15, "widest mask of frequencies, in bands"),
                    integer("time", 25, "widest mask of times, in frames"),
                    integer("frequency_masks", 2, "how many masks of frequencies"),
                    integer("time_masks", 2, "how many masks of times"),
                    {.name = "share",
                     .default_value = 0.5,
                     .maximum = 1,
                     .help = "maximum share of the time that a mask covers"}},
      .help = "masks bands and frames of a spectrogram with its mean"};
  return {.choice = choice,
          .example = "spec-augment:8:10",
          .make = [choice](const Arguments& a) -> AnyTransform {
            return std::make_shared<SpecAugment>(
                to_text(choice, a),
                Masks{.count = a.integer("frequency_masks"), .widest = a.integer("frequency")},
                Masks{.count = a.integer("time_masks"),
                      .widest = a.integer("time"),
                      .share = a.number("share")});
          },
          .numbers = true};
}

TransformEntry time_shift_entry() {
  const Choice choice{.name = "time-shift",
                      .arguments = {{.name = "share",
                                     .default_value = 0.1,
                                     .maximum = 0.5,
                                     .help = "maximum shift, as a share of the length"}},
                      .help = "shifts a signal or spectrogram in time, around its ends"};
  return {.choice = choice,
          .example = "time-shift:0.2",
          .make = [choice](const Arguments& a) -> AnyTransform {
            return std::make_shared<TimeShift>(to_text(choice, a), a.number("share"));
          },
          .numbers = true};
}

}  // namespace fovea::data
