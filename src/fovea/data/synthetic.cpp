#include "fovea/data/synthetic.h"

#include <algorithm>
#include <cmath>

#include "fovea/core/error.h"
#include "fovea/core/random.h"

namespace fovea::data {
namespace {

constexpr int64_t synthetic_side = 32;

void require_some(int64_t size) {
  if (size >= 1) return;
  throw Error(ErrorKind::usage, "synthetic images: at least one is needed")
      .with("images", std::to_string(size));
}

/// One of Discs, and what its noise is drawn from afterwards.
struct Disc {
  Disc(uint64_t seed, int64_t i)
      : random(seed, "discs", static_cast<uint64_t>(i)),
        x(between(0.2, 0.8)),
        y(between(0.2, 0.8)),
        radius(between(0.08, 0.25)) {}

  Array target() const {
    return Array::of(std::vector<float>{static_cast<float>(x), static_cast<float>(y),
                                        static_cast<float>(radius)});
  }

  Random random;
  double x, y, radius;

 private:
  double between(double low, double high) { return low + (high - low) * random.uniform(); }
};

}  // namespace

Noise::Noise(int64_t size, const Shape& input, Targets targets)
    : size_(size), targets_(std::move(targets)) {
  require_some(size);
  const bool classes = targets_.type == class_targets({}).type;
  if (input.rank() < 1 || input.numel() < 1 || (classes && targets_.names.empty())) {
    throw Error(ErrorKind::usage, "synthetic images: a number is below 1")
        .with("input", to_string(input))
        .with("classes", std::to_string(targets_.names.size()));
  }
  input_ =
      input.rank() == 3 ? Type{DType::u8, {input[1], input[2], input[0]}} : Type{DType::f32, input};
}

Array Noise::target(int64_t i) const {
  Array target = Array::zeros(targets_.type.dtype, targets_.type.shape);
  if (targets_.type == class_targets({}).type)
    target.data<int64_t>()[0] = i % std::ssize(targets_.names);
  return target;
}

Sample Noise::sample(int64_t i) const {
  Sample sample{Array(input_.dtype, input_.shape), target(i)};
  Random random(0, "made-up image", static_cast<uint64_t>(i));
  if (input_.dtype == DType::f32) {
    for (float& value : sample.input.data<float>()) value = static_cast<float>(random.normal());
    return sample;
  }
  const std::span<uint8_t> out = sample.input.data<uint8_t>();
  for (size_t p = 0; p < out.size(); p += 4) {
    const uint32_t bits = random.bits();
    for (size_t k = 0; k < std::min<size_t>(4, out.size() - p); ++k) {
      out[p + k] = static_cast<uint8_t>(bits >> (8 * k));
    }
  }
  return sample;
}

Discs::Discs(int64_t size, uint64_t seed)
    : size_(size), seed_(seed), targets_{.type = {DType::f32, {3}}, .names = {"x", "y", "radius"}} {
  require_some(size);
}

std::optional<Type> Discs::input() const {
  return Type{DType::u8, {synthetic_side, synthetic_side, 1}};
}

Array Discs::target(int64_t i) const { return Disc(seed_, i).target(); }

Sample Discs::sample(int64_t i) const {
  Disc disc(seed_, i);
  Array image(DType::u8, {synthetic_side, synthetic_side, 1});
  const std::span<uint8_t> pixels = image.data<uint8_t>();
  for (int64_t p = 0; p < synthetic_side * synthetic_side; ++p) {
    const double dx = (static_cast<double>(p % synthetic_side) + 0.5) / synthetic_side - disc.x;
    const double dy = (static_cast<double>(p / synthetic_side) + 0.5) / synthetic_side - disc.y;
    const double inside =
        std::clamp((disc.radius - std::hypot(dx, dy)) * synthetic_side + 0.5, 0.0, 1.0);
    const double value = 60 + 120 * inside + 60 * (disc.random.uniform() - 0.5);
    pixels[static_cast<size_t>(p)] = static_cast<uint8_t>(std::clamp(value, 0.0, 255.0));
  }
  return {image, disc.target()};
}

}  // namespace fovea::data
