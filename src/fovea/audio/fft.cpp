#include "fovea/audio/fft.h"

#include <fmt/format.h>

#include <algorithm>
#include <numbers>

#include "fovea/core/error.h"

namespace fovea {

Fft::Fft(int64_t n) {
  if (n < 1) throw Error(ErrorKind::usage, fmt::format("fft: a size of {} is not possible", n));
  const auto size = static_cast<size_t>(n);
  for (size_t k = 0; k < size; ++k) {
    const double angle = -2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n);
    roots_.push_back(std::polar(1.0, angle));
  }
  size_t left = size;
  for (size_t factor = 2; left > 1; ++factor) {
    if (factor * factor > left) factor = left;  // a prime
    for (; left % factor == 0; left /= factor) factors_.push_back(factor);
  }
}

void Fft::operator()(std::span<const Complex> in, std::span<Complex> out) const {
  require(in.size() == roots_.size() && out.size() == roots_.size(), "fft: another size");
  std::vector<Complex> scratch(factors_.empty() ? 1 : factors_.back());
  transform(in.data(), 1, out.data(), roots_.size(), 0, scratch.data());
}

/// The transform of n elements of `in`, `stride` apart: those of p interleaved parts, combined.
void Fft::transform(const Complex* in, size_t stride, Complex* out, size_t n, size_t level,
                    Complex* scratch) const {
  if (n == 1) {
    *out = *in;
    return;
  }
  const size_t p = factors_[level], part = n / p;
  for (size_t q = 0; q < p; ++q)
    transform(in + q * stride, stride * p, out + q * part, part, level + 1, scratch);
  const size_t step = roots_.size() / p;  // of the roots of order p
  for (size_t k = 0; k < part; ++k) {
    for (size_t q = 0; q < p; ++q) scratch[q] = out[q * part + k] * roots_[q * k * stride];
    if (p == 2) {
      out[k] = scratch[0] + scratch[1];
      out[part + k] = scratch[0] - scratch[1];
      continue;
    }
    for (size_t r = 0; r < p; ++r) {
      Complex sum = scratch[0];
      for (size_t q = 1; q < p; ++q) sum += scratch[q] * roots_[q * r % p * step];
      out[r * part + k] = sum;
    }
  }
}

}  // namespace fovea
