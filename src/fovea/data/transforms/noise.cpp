#include "fovea/data/transforms/noise.h"

#include "fovea/core/parallel.h"
#include "fovea/core/text.h"
#include "fovea/data/transforms/builtin.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/shape_ops.h"

namespace fovea::data {

TransformEntry noise_entry() {
  return {
      .choice = {.name = "noise",
                 .arguments = {{.name = "std",
                                .default_value = 0.2,
                                .maximum = 100,
                                .help = "standard deviation, in the units of the net's inputs"}},
                 .help = "adds noise to the inputs of a batch, and none to what they are "
                         "compared with"},
      .example = "noise",
      .make = [](const Arguments& a) -> AnyTransform {
        return std::make_shared<GaussianNoise>(a.number("std"));
      }};
}

std::string GaussianNoise::text() const { return "noise:" + format_number(std_); }

std::vector<Array> GaussianNoise::draw(const Shape& inputs, Random& random) const {
  Array noise(DType::f32, inputs);
  const std::span<float> values = noise.data<float>();
  const uint64_t seed = random.bits64();
  const int64_t samples = inputs[0], each = inputs.slice(1).numel();
  parallel_for(samples, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Random own(seed, "noise", static_cast<uint64_t>(i));
      for (int64_t k = 0; k < each; ++k)
        values[static_cast<size_t>(i * each + k)] = static_cast<float>(std_ * own.normal());
    }
  });
  return {noise};
}

BatchTensors GaussianNoise::trace(const BatchTensors& batch, const Targets&,
                                  const Tensors& random) const {
  return {batch.inputs + cast(random[0], batch.inputs.dtype()), batch.targets};
}

}  // namespace fovea::data
