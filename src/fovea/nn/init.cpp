#include "fovea/nn/init.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "fovea/core/text.h"

namespace fovea::nn::init {
namespace {

struct Fans {
  double in, out;
};

/// The fans of a weight [O, I, kernel], at least 1, so that nothing divides by zero.
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

/// Uniform, where `of` gives the squared bound (three times the variance) for the fans.
template <class Square>
Initializer uniform_square(const Square& of) {
  return [of](Array& array, Random& random) {
    fill_uniform(array, random, std::sqrt(of(fans(array.shape()))));
  };
}

template <class Variance>
Initializer normal_variance(const Variance& of) {
  return [of](Array& array, Random& random) {
    normal(std::sqrt(of(fans(array.shape()))))(array, random);
  };
}

/// `count` orthonormal vectors of `size` >= count elements, by Gram-Schmidt applied twice, which
/// for random vectors is as accurate as Householder's method.
std::vector<std::vector<double>> orthonormal(int64_t count, int64_t size, Random& random) {
  std::vector<std::vector<double>> vectors;
  for (int64_t i = 0; i < count; ++i) {
    std::vector<double> v(static_cast<size_t>(size));
    for (double& value : v) value = random.normal();
    for (int pass = 0; pass < 2; ++pass) {
      for (const auto& u : vectors) {
        const double along = std::inner_product(u.begin(), u.end(), v.begin(), 0.0);
        for (size_t k = 0; k < v.size(); ++k) v[k] -= along * u[k];
      }
    }
    const double length = std::sqrt(std::inner_product(v.begin(), v.end(), v.begin(), 0.0));
    for (double& value : v) value /= length;
    vectors.push_back(std::move(v));
  }
  return vectors;
}

struct Named {
  std::string_view name;
  Initializer (*make)();
};

constexpr Named table[] = {
    {"zeros", [] { return constant(0); }},
    {"ones", [] { return constant(1); }},
    {"pytorch", [] { return kaiming_uniform(); }},
    {"kaiming_uniform", [] { return kaiming_uniform(0); }},
    {"kaiming_normal", kaiming_normal},
    {"kaiming_normal_fan_out", kaiming_normal_fan_out},
    {"lecun_normal", lecun_normal},
    {"xavier_uniform", xavier_uniform},
    {"xavier_normal", xavier_normal},
    {"orthogonal", orthogonal},
    {"dirac", [] { return dirac(); }},
    {"he_uniform", [] { return kaiming_uniform(0); }},
    {"he_normal", kaiming_normal},
    {"glorot_uniform", xavier_uniform},
    {"glorot_normal", xavier_normal},
};

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

Initializer truncated_normal(double std) {
  return [std](Array& array, Random& random) {
    fill(array, [&] {
      double value = random.normal();
      while (std::abs(value) > 2) value = random.normal();
      return std * value;
    });
  };
}

Initializer kaiming_uniform(double a) {
  return uniform_square([a](const Fans& f) { return 6 / ((1 + a * a) * f.in); });
}

Initializer kaiming_normal() {
  return normal_variance([](const Fans& f) { return 2 / f.in; });
}

Initializer kaiming_normal_fan_out() {
  return normal_variance([](const Fans& f) { return 2 / f.out; });
}

Initializer lecun_normal() {
  return normal_variance([](const Fans& f) { return 1 / f.in; });
}

Initializer xavier_uniform() {
  return uniform_square([](const Fans& f) { return 6 / (f.in + f.out); });
}

Initializer xavier_normal() {
  return normal_variance([](const Fans& f) { return 2 / (f.in + f.out); });
}

Initializer orthogonal() {
  return [](Array& array, Random& random) {
    const int64_t outs = array.shape().rank() == 0 ? 1 : array.shape()[0];
    if (array.numel() == 0) return;
    const int64_t ins = array.numel() / outs;
    const bool is_wide = outs <= ins;
    const auto vectors = orthonormal(std::min(outs, ins), std::max(outs, ins), random);
    for (int64_t i = 0; i < array.numel(); ++i) {
      const auto row = static_cast<size_t>(i / ins), column = static_cast<size_t>(i % ins);
      array.set(i, is_wide ? vectors[row][column] : vectors[column][row]);
    }
  };
}

Initializer dirac(Initializer rest) {
  return [rest = std::move(rest)](Array& array, Random& random) {
    rest(array, random);
    const Shape& shape = array.shape();
    if (shape.rank() < 2 || array.numel() == 0) return;
    const int64_t filter = shape.slice(1).numel(), pixels = shape.slice(2).numel();
    int64_t centre = 0;
    for (int axis = 2; axis < shape.rank(); ++axis) centre = centre * shape[axis] + shape[axis] / 2;
    for (int64_t o = 0; o < std::min(shape[0], shape[1]); ++o) {
      for (int64_t k = 0; k < filter; ++k) {
        array.set(o * filter + k, k == o * pixels + centre ? 1 : 0);
      }
    }
  };
}

Initializer unit_std(Initializer values) {
  return [values = std::move(values)](Array& array, Random& random) {
    values(array, random);
    const auto count = static_cast<double>(array.numel());
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < array.numel(); ++i) sum += array.at(i);
    for (int64_t i = 0; i < array.numel(); ++i) squares += std::pow(array.at(i) - sum / count, 2);
    const double std = std::sqrt(squares / (count - 1));
    if (!(std > 0)) return;
    for (int64_t i = 0; i < array.numel(); ++i) array.set(i, array.at(i) / std);
  };
}

Initializer by_name(std::string_view name) {
  for (const Named& entry : table) {
    if (entry.name == name) return entry.make();
  }
  throw unknown_name("initialiser", name, names());
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const Named& entry : table) all.emplace_back(entry.name);
  return all;
}

}  // namespace fovea::nn::init
