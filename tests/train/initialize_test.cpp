#include "fovea/train/initialize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "error_text.h"
#include "fovea/models/registry.h"
#include "fovea/nn.h"

namespace fovea::train {
namespace {

/// Smooth random images, u8 [n, 8, 8, 3].
Array images(int64_t n) {
  Array all(DType::u8, {n, 8, 8, 3});
  Random random(5, "images");
  for (int64_t i = 0; i < all.numel(); ++i) {
    const double before = i % 24 >= 3 ? all.at(i - 3) : 128;
    all.set(i, std::clamp(before + std::round(20 * random.normal()), 0.0, 255.0));
  }
  return all;
}

TEST(InitializeFromData, TheFirstLayerWhitensTheImages) {
  // A model that says so starts from the data, and the user does nothing for it.
  const auto model = models::make("airbench94", {.input = Shape{3, 32, 32}});
  State state;
  nn::declare(state, *model, 1);
  const Normalization normalization{{0.5, 0.5, 0.5}, {0.25, 0.25, 0.25}};
  int64_t asked = 0;
  const auto filled = initialize_from_data(*model, state, normalization, [&](int64_t n) {
    asked = n;
    Array all(DType::u8, {20, 32, 32, 3});
    const Array small = images(320);
    std::copy_n(small.raw(), all.bytes(), all.raw());
    return all;
  });
  EXPECT_EQ(asked, 5000);
  EXPECT_EQ(filled, std::vector<std::string>{"whiten.weight"});
  const Array& weight = state.get("whiten.weight");
  for (int64_t i = 0; i < 12 * 12; ++i) EXPECT_EQ(weight.at(i + 144), -weight.at(i));
  // The filters are orthogonal, the first is the smallest: it is for the largest variance.
  std::vector<double> lengths;
  for (int64_t a = 0; a < 12; ++a) {
    for (int64_t b = 0; b <= a; ++b) {
      double product = 0;
      for (int64_t k = 0; k < 12; ++k) product += weight.at(a * 12 + k) * weight.at(b * 12 + k);
      if (a == b) {
        lengths.push_back(product);
      } else {
        EXPECT_NEAR(product, 0, 1e-3 * lengths[static_cast<size_t>(b)]);
      }
    }
  }
  EXPECT_TRUE(std::ranges::is_sorted(lengths));
}

TEST(InitializeFromData, OtherModelsDoNotAskForData) {
  const auto model = models::make("small_cnn");
  State state;
  nn::declare(state, *model, 1);
  EXPECT_TRUE(initialize_from_data(*model, state, {}, [](int64_t) -> Array {
                ADD_FAILURE();
                return {};
              }).empty());
}

/// A layer that its owner never uses.
class Unused : public nn::Module {
 public:
  explicit Unused(const nn::Scope& s)
      : Module(s), fc(at("fc"), 4, 2), spare(at("spare"), 1, 2, {.kernel = 2}) {
    spare.weight.initialize(nn::init::whitening());
  }
  Tensor forward(Tensor x) const override { return fc(x); }

 private:
  nn::Linear fc;
  nn::Conv2d spare;
};

TEST(InitializeFromData, ALayerThatIsNeverCalledIsNamed) {
  const Unused model(nn::Scope("unused"));
  State state;
  nn::declare(state, model, 1);
  expect_error(
      ErrorKind::usage, "initial values from data: the model never calls \"spare\" with an input",
      [&] {
        initialize_from_data(model, state, {}, [](int64_t) { return Array(DType::f32, {3, 4}); });
      });
}

}  // namespace
}  // namespace fovea::train
