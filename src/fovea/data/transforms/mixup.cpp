#include "fovea/data/transforms/mixup.h"

#include "fovea/core/text.h"
#include "fovea/data/transforms/builtin.h"
#include "fovea/data/transforms/mixing.h"

namespace fovea::data {
TransformEntry mixup_entry() {
  return {
      .choice = {.name = "mixup",
                 .arguments = {{.name = "alpha",
                                .default_value = 0.2,
                                .minimum = 0.01,
                                .maximum = 1,
                                .help = "both parameters of the Beta distribution of the ratio"}},
                 .help = "mixes each sample of a batch with another, in a random ratio"},
      .example = "mixup",
      .make = [](const Arguments& a) -> AnyTransform {
        return std::make_shared<Mixup>(a.number("alpha"));
      }};
}

std::string Mixup::text() const { return "mixup:" + format_number(alpha_); }

Targets Mixup::output(const Targets& targets) const { return mixable(text(), targets); }

std::vector<Array> Mixup::draw(const Shape&, Random& random) const {
  return {Array::full(DType::f32, {}, random_share(alpha_, random))};
}

BatchTensors Mixup::trace(const BatchTensors& batch, const Targets& targets,
                          const Tensors& random) const {
  return {mixed(batch.inputs, random[0]), mixed(as_mixable(batch.targets, targets), random[0])};
}

}  // namespace fovea::data
