#include "fovea/images/likeness.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "fovea/images/resize.h"

namespace fovea {
namespace {

/// What a little noise in 32 x 32 samples adds to a frequency: it must not decide about frequencies
/// that a picture does not have.
constexpr float noise = 50;
constexpr int side = 32, low = 8, small_side = 16;

/// Rows of the cosine transform: the frequencies 0 to 8 over 32 places.
using Waves = std::array<std::array<float, side>, low + 1>;

const Waves& waves() {
  static const Waves table = [] {
    Waves rows{};
    for (int k = 0; k <= low; ++k) {
      for (int i = 0; i < side; ++i) {
        rows[static_cast<size_t>(k)][static_cast<size_t>(i)] =
            static_cast<float>(std::cos(std::numbers::pi * (i + 0.5) * k / side));
      }
    }
    return rows;
  }();
  return table;
}

/// The frequencies (v, u) of 32 x 32 pixels with v, u below 9 and u + v above 0: more than needed.
std::array<std::array<float, low + 1>, low + 1> transform(const Image& pixels) {
  std::array<std::array<float, low + 1>, side> rows{};
  std::array<std::array<float, low + 1>, low + 1> all{};
  for (size_t y = 0; y < side; ++y) {
    for (size_t u = 0; u <= low; ++u) {
      float sum = 0;
      for (size_t x = 0; x < side; ++x) sum += waves()[u][x] * pixels.pixels[y * side + x];
      rows[y][u] = sum;
    }
  }
  for (size_t v = 0; v <= low; ++v) {
    for (size_t u = 0; u <= low; ++u) {
      for (size_t y = 0; y < side; ++y) all[v][u] += waves()[v][y] * rows[y][u];
    }
  }
  return all;
}

}  // namespace

Likeness likeness(const Image& picture) {
  const Image gray = to_gray(picture);
  Likeness result;
  const auto frequencies = transform(resize(gray, side, side, Filter::bilinear));
  // Zigzag from the lowest: diagonals 1 to 11 have 65 frequencies, of which 64 are taken.
  int bit = 0;
  for (size_t diagonal = 1; bit < 64; ++diagonal) {
    for (size_t v = 0; v <= diagonal && bit < 64; ++v) {
      const size_t u = diagonal - v;
      if (u > low || v > low) continue;
      if (frequencies[v][u] > noise) result.hash |= uint64_t{1} << bit;
      ++bit;
    }
  }
  const Image reduced = resize(gray, small_side, small_side, Filter::bilinear);
  std::copy(reduced.pixels.begin(), reduced.pixels.end(), result.small.begin());
  return result;
}

double correlation(const Likeness& a, const Likeness& b) {
  constexpr int64_t n = 256;
  int64_t sum_a = 0, sum_b = 0, aa = 0, bb = 0, ab = 0;
  for (size_t i = 0; i < n; ++i) {
    const int64_t x = a.small[i], y = b.small[i];
    sum_a += x;
    sum_b += y;
    aa += x * x;
    bb += y * y;
    ab += x * y;
  }
  const int64_t va = n * aa - sum_a * sum_a, vb = n * bb - sum_b * sum_b;
  if (va == 0 || vb == 0) return va == vb ? 1 : 0;
  return static_cast<double>(n * ab - sum_a * sum_b) /
         std::sqrt(static_cast<double>(va) * static_cast<double>(vb));
}

}  // namespace fovea
