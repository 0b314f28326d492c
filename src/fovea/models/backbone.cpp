#include "fovea/models/backbone.h"

#include <fmt/format.h>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/models/registry.h"

namespace fovea::models {

Tensors LayeredBackbone::forward(const Tensor& x, Stages) const {
  Tensor y = x;
  Tensors stages;
  for (size_t i = 0; i < layers_.size(); ++i) {
    y = (*layers_[i])(y);
    if (i == ends_[stages.size()]) stages.push_back(y);
  }
  return stages;
}

void LayeredBackbone::end_stage(int64_t channels) {
  ends_.push_back(layers_.size() - 1);
  channels_.push_back(channels);
}

std::unique_ptr<Backbone> make_backbone(std::string_view name, const nn::Scope& scope,
                                        const BackboneOptions& options) {
  const Entry model = entry(name);
  if (model.backbone) return model.backbone(scope, options);
  std::vector<std::string> names;
  for (const Entry& other : list()) {
    if (other.backbone) names.push_back(other.name);
  }
  throw Error(ErrorKind::usage, fmt::format("{} is not a backbone of other nets", name))
      .with("known", join(names));
}

}  // namespace fovea::models
