// What `fovea train` does with autoencoders: see also tests/tasks/reconstruction_test.cpp.

#include "fovea/core/random.h"
#include "fovea/data/unlabelled.h"
#include "fovea/nn.h"
#include "fovea/ops.h"
#include "fovea/train/fit.h"
#include "train/training.h"

namespace fovea::train {
namespace {

/// Gray images of a bright rectangle on a dark ground, with labels that do not matter.
data::DataSets rectangles(int64_t channels = 1) {
  constexpr int64_t count = 32, side = 16;
  Array images(DType::u8, {count, side, side, channels});
  const Array labels = Array::full(DType::i64, {count}, 0);
  Random random(1, "rectangles");
  for (int64_t i = 0; i < count; ++i) {
    const auto below = [&](uint64_t n) { return static_cast<int64_t>(random.below(n)); };
    const int64_t top = below(8), left = below(8), height = 4 + below(4), width = 4 + below(4);
    for (int64_t p = 0; p < side * side; ++p) {
      const int64_t y = p / side - top, x = p % side - left;
      const bool inside = y >= 0 && y < height && x >= 0 && x < width;
      for (int64_t c = 0; c < channels; ++c)
        images.set((i * side * side + p) * channels + c, inside ? 220 : 40);
    }
  }
  const auto all =
      std::make_shared<data::ArrayDataset>(images, labels, data::class_targets({"any"}));
  return {.name = "rectangles", .train = all, .test = all};
}

Settings autoencoder_settings(int64_t epochs) {
  Settings settings;
  settings.task = "reconstruct";
  settings.choices.set("width", 0.25);
  settings.epochs = epochs;
  settings.batch = 8;
  settings.optimizer = "adamw";
  settings.lr = 0.01;
  settings.augment = "none";
  settings.val = 0;
  return settings;
}

TEST(Reconstruct, AutoencodersGiveBackWhatTheyTake) {
  for (const char* net : {"autoencoder", "denoising_autoencoder"}) {
    const History history = fit(net, rectangles(), autoencoder_settings(40));
    EXPECT_LT(tasks::find(history.test, "mse").value_or(1), 0.02) << net;
    EXPECT_GT(tasks::find(history.test, "ssim").value_or(0), 0.6) << net;
    const auto again = history.model->evaluate(tasks::sets_for("reconstruct", rectangles()).test);
    EXPECT_NEAR(*tasks::find(again, "mse"), *tasks::find(history.test, "mse"), 1e-6) << net;
  }
}

TEST(Reconstruct, EveryLossAndAugmentationTrains) {
  for (const char* loss : {"l1", "ssim", "mse+ssim"}) {
    Settings settings = autoencoder_settings(2);
    settings.loss = loss;
    settings.augment = "crop:2,flip,noise:0.3";
    const History history = fit("denoising_autoencoder", rectangles(3), settings);
    EXPECT_LT(tasks::find(history.test, "mse").value_or(9), 1) << loss;
  }
}

TEST(Reconstruct, NoiseIsInTheInputAndNotInWhatItIsComparedWith) {
  // A net that gives back what it takes has the error of the noise.
  class Copy : public nn::Module {
   public:
    explicit Copy(const nn::Scope& s) : Module(s), scale(at("scale"), {1}, nn::init::constant(1)) {}
    Tensor forward(Tensor x) const override { return x * reshape(scale(x), {1, 1, 1, 1}); }
    nn::Parameter scale;
  };
  const Copy net(nn::Scope("copy"));
  State state;
  nn::declare(state, net, 1);
  const data::DataSets sets = tasks::sets_for("reconstruct", rectangles());
  const auto task = tasks::make("reconstruct", sets.targets());
  const auto noise = data::Augmentation::parse("noise:0.5").batch;
  TrainStep step(net, state,
                 {.normalization = {{0}, {1}},
                  .mixing = {noise, {DType::f32, {1, 16, 16}}, sets.targets()},
                  .learns_inputs = true,
                  .loss = [&](const Tensor& y, const Tensor& x) { return task->loss(y, x, {}); }});
  data::Loader loader(sets.train, {.batch = 32});
  loader.start(0);
  const data::Batch batch = *loader.next();
  EXPECT_NEAR(step.gradient(batch.inputs, batch.targets, 1).loss, 0.25, 0.02);
}

}  // namespace
}  // namespace fovea::train
