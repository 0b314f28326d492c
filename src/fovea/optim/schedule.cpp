#include "fovea/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "fovea/core/error.h"
#include "fovea/core/text.h"

namespace fovea::optim {
namespace {

[[noreturn]] void fail(std::string_view text) {
  throw Error(ErrorKind::usage, "schedule: cannot read \"" + std::string(text) + "\"")
      .with("try",
            "constant, cosine, cosine:FINAL (FINAL from 0 to 1), step:EPOCHS or step:EPOCHS:GAMMA");
}

}  // namespace

Schedule::Schedule(std::string_view text, double epochs, double warmup)
    : epochs_(epochs), warmup_(warmup) {
  const std::vector<std::string> parts = split(text, ':');
  const auto value = [&](size_t i, double fallback) {
    if (i >= parts.size()) return fallback;
    const std::optional<double> number = parse_number(parts[i]);
    if (!number || *number < 0) fail(text);
    return *number;
  };
  if (parts[0] == "constant" && parts.size() == 1) {
    kind_ = Kind::constant;
  } else if (parts[0] == "cosine" && parts.size() <= 2) {
    kind_ = Kind::cosine;
    final_ = value(1, 0);
    if (final_ > 1) fail(text);
  } else if (parts[0] == "step" && (parts.size() == 2 || parts.size() == 3)) {
    kind_ = Kind::step;
    every_ = value(1, 0);
    gamma_ = value(2, 0.1);
    if (every_ <= 0) fail(text);
  } else {
    fail(text);
  }
  if (!(warmup >= 0 && warmup <= epochs)) {
    throw Error(ErrorKind::usage, "schedule: the warm-up of " + parts[0] + " is " +
                                      format_number(warmup) + " epochs, from 0 to the run's " +
                                      format_number(epochs) + " are possible");
  }
}

double Schedule::factor(double epoch) const {
  epoch = std::clamp(epoch, 0.0, epochs_);
  if (epoch < warmup_) return epoch / warmup_;
  switch (kind_) {
    case Kind::constant:
      return 1;
    case Kind::step:
      return std::pow(gamma_, std::floor(epoch / every_));
    case Kind::cosine: {
      const double rest = epochs_ - warmup_;
      const double done = rest > 0 ? (epoch - warmup_) / rest : 0;
      return final_ + (1 - final_) * 0.5 * (1 + std::cos(std::numbers::pi * done));
    }
  }
  return 1;
}

}  // namespace fovea::optim
