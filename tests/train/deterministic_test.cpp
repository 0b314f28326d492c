// --deterministic: the same bits for any number of threads.

#include "fovea/kernels/deterministic.h"

#include "train/training.h"

namespace fovea::train {
namespace {

class Deterministic : public Training {
 protected:
  Deterministic() {
    settings_.deterministic = true;
    settings_.epochs = 1;
    settings_.limit = 40;
  }
  std::string weights(int64_t threads) {
    settings_.threads = threads;
    const std::string out = "threads-" + std::to_string(threads);
    run(out, settings_);
    return contents(out + "/last.safetensors");
  }
};

TEST_F(Deterministic, TrainingGivesTheSameFileForAnyNumberOfThreads) {
  settings_.model = "mini_resnet";  // whose gradients of weights oneDNN divides
  const std::string one = weights(1);
  for (const int64_t threads : {2, 3, 4, 8}) EXPECT_EQ(weights(threads) == one, true) << threads;
  EXPECT_FALSE(deterministic()) << "only while the run lasts";
}

}  // namespace
}  // namespace fovea::train
