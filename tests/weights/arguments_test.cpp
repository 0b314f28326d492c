#include "fovea/weights/arguments.h"

#include <gtest/gtest.h>

#include <tuple>

#include "fovea/models/registry.h"

namespace fovea {
namespace {

TEST(Arguments, RebuildTheSameModel) {
  const models::Config config = models::configure(
      "small_cnn", {.outputs = 7, .input = Shape{2, 9, 11}, .choices = {{"dropout", 0.125}}});
  const models::Config again = models::configure("small_cnn", from_arguments(to_arguments(config)));
  EXPECT_EQ(again.outputs, 7);
  EXPECT_EQ(again.input, (Shape{2, 9, 11}));
  EXPECT_EQ(again.choices.number("dropout"), 0.125);
  // A default that is switched off is remembered, too.
  const auto kept = [](const char* name, const models::Options& options) {
    return models::configure(name, from_arguments(to_arguments(models::configure(name, options))));
  };
  for (const auto& [name, choice, value] :
       std::vector<std::tuple<const char*, const char*, ArgumentValue>>{
           {"small_cnn", "dropout", 0.0},
           {"convnext_tiny", "drop_path", 0.0},
           {"convnext_tiny", "drop_path", 0.25},
           {"mobilenet_v2", "width", 0.35},
           {"googlenet", "aux", true},
           {"googlenet", "aux", false},
           {"resnet50", "stem", "cifar"}})
    EXPECT_EQ(kept(name, {.choices = {{choice, value}}}).choices.value(choice), value) << name;
  EXPECT_EQ(kept("vgg16", {}).choices.values(), models::configure("vgg16").choices.values());
}

}  // namespace
}  // namespace fovea
