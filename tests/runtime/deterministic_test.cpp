#include "fovea/kernels/deterministic.h"

#include <gtest/gtest.h>

#include <cstring>

#include "fovea/core/parallel.h"
#include "fovea/core/random.h"
#include "fovea/models/registry.h"
#include "fovea/nn.h"
#include "fovea/runtime/program.h"

namespace fovea::runtime_test {
namespace {

// Kernels and passes: by default the team decides which depthwise convolutions become blocks.
TEST(Deterministic, PredictionsAreTheSameForAnyNumberOfThreads) {
  const DeterministicScope scope(true);
  Array images(DType::f32, {1, 3, 64, 64});
  Random random(1, "images");
  for (float& v : images.data<float>()) v = static_cast<float>(random.normal());
  for (const char* name : {"resnet18", "resnext50_32x4d", "mobilenet_v2", "mobilenet_v3_small",
                           "efficientnet_b0", "shufflenet_v2_x0_5", "convnext_tiny"}) {
    const auto model = models::make(name);
    State state;
    nn::declare(state, *model, 1);
    const auto graph = nn::trace(*model, images.shape());
    const auto predict = [&](int threads) {
      const TeamScope team(threads);
      Memory memory;
      return Program(*graph).run(memory, state, {{"input", images}})[0].clone();
    };
    const Array one = predict(1);
    for (const int threads : {2, 3, 8}) {
      EXPECT_EQ(std::memcmp(predict(threads).raw(), one.raw(), one.bytes()), 0)
          << name << ", " << threads << " threads";
    }
  }
}

}  // namespace
}  // namespace fovea::runtime_test
