#include "fovea/data/transforms/mixing.h"

#include <cmath>
#include <numeric>

#include "fovea/core/error.h"

namespace fovea::data {
namespace {

Array one_hot(const Array& labels, int64_t classes) {
  Array rows = Array::zeros(DType::f32, {labels.dim(0), classes});
  for (int64_t i = 0; i < labels.dim(0); ++i) {
    rows.set(i * classes + static_cast<int64_t>(labels.at(i)), 1);
  }
  return rows;
}

template <class T>
Array mixed_rows(const Array& array, const std::vector<size_t>& other, float share) {
  Array result(array.dtype(), array.shape());
  const std::span<const T> from = array.data<T>();
  const std::span<T> to = result.data<T>();
  const size_t row = other.empty() ? 0 : from.size() / other.size();
  for (size_t i = 0; i < other.size(); ++i) {
    for (size_t k = 0; k < row; ++k) {
      const float value = share * static_cast<float>(from[i * row + k]) +
                          (1 - share) * static_cast<float>(from[other[i] * row + k]);
      to[i * row + k] = static_cast<T>(std::is_integral_v<T> ? std::lround(value) : value);
    }
  }
  return result;
}

}  // namespace

/// Jöhnk's method: for the alphas of mixing, at most 1, a few turns.
double random_share(double alpha, Random& random) {
  for (;;) {
    const double x = std::pow(random.uniform(), 1 / alpha);
    const double y = std::pow(random.uniform(), 1 / alpha);
    if (x + y > 0 && x + y <= 1) return x / (x + y);
  }
}

std::vector<size_t> random_partners(int64_t count, Random& random) {
  std::vector<size_t> partners(static_cast<size_t>(count));
  std::iota(partners.begin(), partners.end(), size_t{0});
  for (size_t i = partners.size(); i > 1; --i)
    std::swap(partners[i - 1], partners[random.below(i)]);
  return partners;
}

Targets mixable(std::string_view who, const Targets& targets) {
  if (targets.type.dtype == DType::f32) return targets;
  if (targets.type != class_targets({}).type) {
    throw Error(ErrorKind::usage, std::string(who) + " needs targets that are classes or numbers")
        .with("found", to_string(targets.type));
  }
  return {.type = {DType::f32, {std::ssize(targets.names)}}, .names = targets.names};
}

Array mixed(const Array& array, const std::vector<size_t>& partners, float share) {
  return array.dtype() == DType::u8 ? mixed_rows<uint8_t>(array, partners, share)
                                    : mixed_rows<float>(array, partners, share);
}

Array mixed_targets(const Array& given, const Targets& targets, const std::vector<size_t>& partners,
                    float share) {
  return mixed(targets.type.dtype == DType::f32 ? given : one_hot(given, std::ssize(targets.names)),
               partners, share);
}

}  // namespace fovea::data
