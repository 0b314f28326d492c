#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/draw/chart.h"

namespace fovea::draw {

std::string tick_text(double value) {
  if (value == 0) return "0";
  const double size = std::abs(value);
  return size >= 1e6 || size < 1e-4 ? fmt::format("{:.3g}", value) : fmt::format("{:.4g}", value);
}

Ticks nice_ticks(double low, double high, int count, bool whole) {
  Ticks ticks;
  const double span = high - low;
  if (!(span > 0) || !std::isfinite(span)) return {{low}, {tick_text(low)}};
  const double rough = span / std::max(count, 1);
  const double power = std::pow(10, std::floor(std::log10(rough))), times = rough / power;
  double step = power * (times < 1.5 ? 1 : times < 3.5 ? 2 : times < 7.5 ? 5 : 10);
  if (whole) step = std::max(step, 1.0);
  if (!(step > 0)) return {{low}, {tick_text(low)}};
  // As many decimals as tell neighbours apart.
  const int decimals =
      static_cast<int>(std::clamp(-std::floor(std::log10(step) + 1e-9), 0.0, 12.0));
  const bool plain = step >= 1e-5 && std::max(std::abs(low), std::abs(high)) < 1e6;
  const double first = std::ceil(low / step - 1e-9);
  for (int i = 0; i <= 4 * std::max(count, 1); ++i) {
    double value = (first + i) * step;
    if (value > high + step * 1e-9) break;
    if (std::abs(value) < step * 1e-9) value = 0;
    ticks.values.push_back(value);
    ticks.labels.push_back(plain ? fmt::format("{:.{}f}", value, decimals)
                                 : fmt::format("{:.4g}", value));
  }
  if (ticks.values.empty()) return {{low}, {tick_text(low)}};
  return ticks;
}

Ticks log_ticks(double low, double high) {
  Ticks ticks;
  const int first = static_cast<int>(std::floor(std::log10(low) + 1e-9)),
            last = static_cast<int>(std::ceil(std::log10(high) - 1e-9));
  const int stride = std::max((last - first) / 7, 1);
  const bool dense = last - first <= 2;
  for (int power = first; power <= last; power += stride) {
    for (const double times : {1.0, 2.0, 5.0}) {
      if (times > 1 && !dense) break;
      const double value = times * std::pow(10, power);
      if (value < low * (1 - 1e-9) || value > high * (1 + 1e-9)) continue;
      ticks.values.push_back(value);
      ticks.labels.push_back(tick_text(value));
    }
  }
  return ticks;
}

}  // namespace fovea::draw
