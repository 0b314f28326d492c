// A net that cannot learn four images by heart has a mistake in its gradients, its initial values
// or its structure, however plausible its shapes are.

#include <gtest/gtest.h>

#include "fovea/models/registry.h"
#include "fovea/optim/adamw.h"
#include "fovea/train/step.h"
#include "golden_fill.h"

namespace fovea::train {
namespace {

constexpr int64_t image_count = 4, largest_model = 1'200'000, largest_side = 32;

/// The loss after at most `steps` steps on the same images, without dropout.
double overfitted(const models::Entry& entry, const nn::Module& model, int64_t steps) {
  State state;
  nn::declare(state, model, 1);
  const auto optimizer = optim::adamw({.weight_decay = 0});
  optimizer->declare(state);
  TrainStep step(model, state, {.normalization = {}});
  const Array x =
      golden_fill::uniform("overfit", DType::f32, Shape{image_count}.concat(entry.input));
  const Array labels = Array::of(std::vector<int64_t>{0, 1, 2, 3});
  double loss = 0;
  for (int64_t i = 1; i <= steps; ++i) {
    loss = step.gradient(x, labels, i).loss;
    if (loss < 0.05) return loss;
    optimizer->update(state, {.lr = 3e-3});
  }
  return loss;
}

TEST(Overfit, EverySmallModelLearnsABatchByHeart) {
  int models_tried = 0;
  for (const models::Entry& entry : models::list()) {
    if (!entry.counts) continue;  // a net that another test registered
    if (entry.task != "classify" || entry.input.rank() != 3 || entry.input[1] > largest_side)
      continue;
    models::Options options;
    for (const Argument& choice : entry.choices) {
      if (choice.name == "dropout") options.choices.set("dropout", 0.0);
    }
    const auto model = models::make(entry.name, options);
    int64_t elements = 0;
    for (const nn::Variable* p : model->parameters()) elements += p->shape().numel();
    if (elements > largest_model) continue;
    ++models_tried;
    EXPECT_LT(overfitted(entry, *model, 150), 0.05) << entry.name;
  }
  EXPECT_GE(models_tried, 6);
}

}  // namespace
}  // namespace fovea::train
