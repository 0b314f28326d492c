#include "fovea/data/unlabelled.h"

namespace fovea::data {

Targets no_targets(DType input) {
  return {.type = {is_pixel(input) ? DType::u8 : DType::f32, Shape{0}},
          .names = {},
          .task = "reconstruct"};
}

Unlabelled::Unlabelled(std::shared_ptr<const Dataset> dataset)
    : DatasetView(std::move(dataset)), meaning_(no_targets(dataset_->dtype())) {}

DataSets unlabelled(const DataSets& sets) {
  const auto part = [](const auto& split) -> std::shared_ptr<const Dataset> {
    return split ? std::make_shared<Unlabelled>(split) : nullptr;
  };
  DataSets all{
      .name = sets.name, .train = part(sets.train), .test = part(sets.test), .index = sets.index};
  all.val = sets.val == sets.test ? all.test : part(sets.val);
  return all;
}

}  // namespace fovea::data
