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

void Mixup::operator()(Batch& batch, const Targets& targets, Random& random) const {
  const auto share = static_cast<float>(random_share(alpha_, random));
  const std::vector<size_t> partners = random_partners(batch.size(), random);
  batch.inputs = mixed(batch.inputs, partners, share);
  batch.targets = mixed_targets(batch.targets, targets, partners, share);
}

}  // namespace fovea::data
