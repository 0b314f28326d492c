#pragma once

#include <gtest/gtest.h>

#include "fovea/data/arrays.h"
#include "fovea/explain/explainer.h"
#include "fovea/models/registry.h"
#include "fovea/nn.h"
#include "fovea/ops.h"
#include "fovea/optim/adamw.h"
#include "fovea/train/step.h"
#include "golden_fill.h"

// Models to explain.
namespace fovea::explain {

/// A model of the registry, filled by the rule of the golden files.
struct Filled {
  std::unique_ptr<nn::Module> model;
  State state;
  Explainer explainer;
  explicit Filled(const std::string& name,
                  const models::Options& options = {.input = Shape{3, 32, 32}})
      : model(models::make(name, options)), explainer(*model, state) {
    golden_fill::declare(state, *model, DType::f32);
  }
};

/// Two 3x3 convolutions with pooling, a third, the mean, one linear layer.
class CornerNet : public nn::Module {
 public:
  explicit CornerNet(const nn::Scope& s)
      : Module(s),
        conv1(at("conv1"), 1, 8, {.kernel = 3, .padding = 1}),
        conv2(at("conv2"), 8, 16, {.kernel = 3, .padding = 1}),
        conv3(at("conv3"), 16, 16, {.kernel = 3, .padding = 1}),
        fc(at("fc"), 16, 2) {}
  Tensor forward(Tensor x) const override {
    for (const nn::Conv2d* conv : {&conv1, &conv2}) x = max_pool2d(relu((*conv)(x)), {.kernel = 2});
    return fc(flatten(global_avg_pool(relu(conv3(x)))));
  }
  nn::Conv2d conv1, conv2, conv3;
  nn::Linear fc;
};

/// A net trained on 32x32 noise, half of which (class 1) has a bright square in the upper left
/// quarter.
struct Corner {
  CornerNet model{nn::Scope("corner")};
  State state;
  Explainer explainer{model, state};

  Array images(int64_t count, int64_t first) const {
    Array all(DType::f32, {count, 1, 32, 32});
    for (int64_t i = 0; i < count; ++i) {
      Random random(1, "corner", static_cast<uint64_t>(first + i));
      for (int64_t p = 0; p < 1024; ++p) all.set(i * 1024 + p, 0.5 * random.normal());
      if ((first + i) % 2 == 0) continue;
      const auto y = static_cast<int64_t>(2 + random.below(6)),
                 x = static_cast<int64_t>(2 + random.below(6));
      for (int64_t k = 0; k < 36; ++k) all.set(i * 1024 + (y + k / 6) * 32 + x + k % 6, 2);
    }
    return all;
  }
  std::vector<int64_t> labels(int64_t count, int64_t first) const {
    std::vector<int64_t> all;
    for (int64_t i = 0; i < count; ++i) all.push_back((first + i) % 2);
    return all;
  }
  Corner() {
    nn::declare(state, model, 1);
    const auto optimizer = optim::adamw({});
    optimizer->declare(state);
    train::TrainStep step(model, state, {.normalization = {}});
    for (int64_t i = 1; i <= 40; ++i) {
      step.gradient(images(32, 32 * i), Array::of(labels(32, 32 * i)), i);
      optimizer->update(state, {.lr = 3e-3});
    }
  }
};

}  // namespace fovea::explain
