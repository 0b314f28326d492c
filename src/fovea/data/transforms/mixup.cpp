#include "fovea/data/transforms/mixup.h"

#include <cmath>
#include <numeric>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/data/transforms/builtin.h"

namespace fovea::data {
namespace {

/// Jöhnk's method: for the alphas of mixup, mostly below 1, a few turns.
double beta(double alpha, Random& random) {
  for (;;) {
    const double x = std::pow(random.uniform(), 1 / alpha);
    const double y = std::pow(random.uniform(), 1 / alpha);
    if (x + y > 0 && x + y <= 1) return x / (x + y);
  }
}

Array one_hot(const Array& labels, int64_t classes) {
  Array rows = Array::zeros(DType::f32, {labels.dim(0), classes});
  for (int64_t i = 0; i < labels.dim(0); ++i) {
    rows.set(i * classes + static_cast<int64_t>(labels.at(i)), 1);
  }
  return rows;
}

/// Each row of `array` mixed with the row that `other` names.
template <class T>
Array mixed(const Array& array, const std::vector<size_t>& other, float share) {
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

TransformEntry mixup_entry() {
  return {
      .choice = {.name = "mixup",
                 .arguments = {{.name = "alpha",
                                .default_value = 0.2,
                                .minimum = 0.01,
                                .maximum = 1,
                                .help = "both parameters of the Beta distribution of the ratio"}},
                 .help = "each sample of a batch mixed with another one, in a random ratio"},
      .make = [](const Arguments& a) -> AnyTransform {
        return std::make_shared<Mixup>(a.number("alpha"));
      }};
}

std::string Mixup::text() const { return "mixup:" + format_number(alpha_); }

Targets Mixup::output(const Targets& targets) const {
  if (targets.type.dtype == DType::f32) return targets;
  if (targets.type != class_targets({}).type) {
    throw Error(ErrorKind::usage, text() + " is for targets that are classes or numbers")
        .with("found", to_string(targets.type));
  }
  return {.type = {DType::f32, {std::ssize(targets.names)}}, .names = targets.names};
}

void Mixup::operator()(Batch& batch, const Targets& targets, Random& random) const {
  const auto share = static_cast<float>(beta(alpha_, random));
  std::vector<size_t> other(static_cast<size_t>(batch.size()));
  std::iota(other.begin(), other.end(), size_t{0});
  for (size_t i = other.size(); i > 1; --i) std::swap(other[i - 1], other[random.below(i)]);
  batch.inputs = batch.inputs.dtype() == DType::u8 ? mixed<uint8_t>(batch.inputs, other, share)
                                                   : mixed<float>(batch.inputs, other, share);
  if (targets.type.dtype != DType::f32)
    batch.targets = one_hot(batch.targets, std::ssize(targets.names));
  batch.targets = mixed<float>(batch.targets, other, share);
}

}  // namespace fovea::data
