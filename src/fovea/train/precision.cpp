#include "fovea/train/precision.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/train/plan.h"

namespace fovea::train {
namespace {

constexpr double seconds_each = 0.3;  // and at least three steps

/// "f32 310 images/s, bf16 560".
std::string measured_text(const std::vector<PrecisionSpeed>& measured) {
  std::string text;
  for (const PrecisionSpeed& speed : measured) {
    text += fmt::format("{}{} {:.4g}{}", text.empty() ? "" : ", ", speed.precision,
                        speed.images_per_second, text.empty() ? " images/s" : "");
  }
  return text;
}

std::vector<PrecisionSpeed> measure(Setup& setup, const std::vector<std::string>& precisions) {
  std::vector<PrecisionSpeed> measured;
  for (const std::string& precision : precisions) {
    setup.settings.precision = precision;
    if (const std::optional<Speed> speed = measure_training(setup, seconds_each))
      measured.push_back({precision, speed->images_per_second});
  }
  return measured;
}

}  // namespace

PrecisionChoice choose_precision(Setup& setup) {
  const std::string wanted = setup.settings.precision;
  PrecisionChoice choice{wanted, {}};
  if (wanted == "f32") return choice;
  const bool open = wanted == "auto";
  choice.measured = measure(setup, {"f32", open ? "bf16" : wanted});
  if (open) {
    const auto fastest =
        std::ranges::max_element(choice.measured, {}, &PrecisionSpeed::images_per_second);
    choice.precision = fastest == choice.measured.end() ? "f32" : fastest->precision;
    choice.note =
        fmt::format("precision {}: measured {}", choice.precision, measured_text(choice.measured));
  } else if (choice.measured.size() == 2 &&
             choice.measured[1].images_per_second < choice.measured[0].images_per_second) {
    choice.note =
        fmt::format("--precision {} is slower than f32 here ({}): it saves memory, but no time",
                    wanted, measured_text(choice.measured));
  }
  setup.settings.precision = choice.precision;
  return choice;
}

}  // namespace fovea::train
