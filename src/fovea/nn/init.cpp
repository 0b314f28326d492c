#include "fovea/nn/init.h"

#include <algorithm>
#include <cmath>

namespace fovea::nn::init {
namespace {

struct Fans {
  double in, out;
};

/// Of a weight [O, I, kernel]; of 1 at least, so that no array divides by zero.
Fans fans(const Shape& weight) {
  const double kernel = static_cast<double>(weight.slice(std::min(2, weight.rank())).numel());
  const auto fan = [&](int axis) {
    return std::max(1.0, axis < weight.rank() ? static_cast<double>(weight[axis]) * kernel : 1.0);
  };
  return {fan(1), fan(0)};
}

template <class Draw>
void fill(Array& array, const Draw& draw) {
  for (int64_t i = 0; i < array.numel(); ++i) array.set(i, draw());
}

void fill_uniform(Array& array, Random& random, double bound) {
  fill(array, [&] { return bound * (2 * random.uniform() - 1); });
}

}  // namespace

Initializer constant(double value) {
  return [value](Array& array, Random&) { fill(array, [&] { return value; }); };
}

Initializer uniform(double bound) {
  return [bound](Array& array, Random& random) { fill_uniform(array, random, bound); };
}

Initializer normal(double std) {
  return
      [std](Array& array, Random& random) { fill(array, [&] { return std * random.normal(); }); };
}

Initializer kaiming_uniform(double a) {
  return [a](Array& array, Random& random) {
    fill_uniform(array, random, std::sqrt(6 / ((1 + a * a) * fans(array.shape()).in)));
  };
}

Initializer kaiming_normal_fan_out() {
  return [](Array& array, Random& random) {
    normal(std::sqrt(2 / fans(array.shape()).out))(array, random);
  };
}

Initializer xavier_uniform() {
  return [](Array& array, Random& random) {
    const Fans f = fans(array.shape());
    fill_uniform(array, random, std::sqrt(6 / (f.in + f.out)));
  };
}

}  // namespace fovea::nn::init
