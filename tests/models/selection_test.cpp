#include "fovea/models/selection.h"

#include <gtest/gtest.h>

#include "error_text.h"

namespace fovea {
namespace {

models::ArrayNames select(std::string_view flag, std::string_view text, const char* name,
                          const models::Config& config) {
  return models::select(flag, text, *models::make(name, config), models::head(name, config));
}

TEST(Selection, GlobsNameTheArraysOfANet) {
  const models::Config config = models::configure("efficientnet_lite0", {.outputs = 10});
  const models::ArrayNames norms =
      select("--freeze", "*bn*,_conv_stem*", "efficientnet_lite0", config);
  int kept = 0, trained = 0;
  const auto model = models::make("efficientnet_lite0", config);
  for (const nn::Variable* v : model->variables()) {
    const bool named =
        v->name().find("bn") != std::string::npos || v->name().starts_with("_conv_stem");
    EXPECT_EQ(norms.contains(v->name()), named) << v->name();
    (named ? kept : trained) += 1;
  }
  EXPECT_GT(kept, 100);
  EXPECT_GT(trained, 40);
  expect_error(ErrorKind::usage, "unknown --freeze \"bm*\"",
               [&] { (void)select("--freeze", "*bn*,bm*", "efficientnet_lite0", config); });
}

TEST(Selection, AGlobThatMatchesNothingListsNames) {
  const models::Config config = models::configure("lenet5", {.outputs = 10});
  const std::string text =
      error_text(ErrorKind::usage, [&] { (void)select("--group", "cnv1.*", "lenet5", config); });
  EXPECT_TRUE(text.starts_with("unknown --group \"cnv1.*\"\n")) << text;
  EXPECT_NE(text.find("\n  arrays  conv1.weight, conv1.bias, "), std::string::npos) << text;
  EXPECT_NE(text.find(" and 2 more\n  try     backbone, head, norms, vectors, or globs"),
            std::string::npos)
      << text;
}

TEST(Selection, TheBackboneIsAllThatDoesNotDependOnTheClasses) {
  const models::Config config = models::configure("resnet18", {.outputs = 10});
  EXPECT_EQ(models::head("resnet18", config),
            (std::set<std::string, std::less<>>{"fc.bias", "fc.weight"}));
  const auto frozen = [&](const char* text) {
    return select("--freeze", text, "resnet18", config);
  };
  const models::ArrayNames backbone = frozen("backbone"), vectors = frozen("vectors,fc.*");
  EXPECT_TRUE(backbone.contains("conv1.weight"));
  EXPECT_TRUE(backbone.contains("bn1.running_mean"));
  EXPECT_FALSE(backbone.contains("fc.weight"));
  EXPECT_EQ(frozen("head"), models::head("resnet18", config));
  EXPECT_TRUE(vectors.contains("layer1.0.bn1.weight"));
  EXPECT_FALSE(vectors.contains("layer1.0.conv1.weight"));
  EXPECT_TRUE(vectors.contains("fc.weight"));
  const models::ArrayNames norms = frozen("norms");  // the shortcuts' are not named bn
  EXPECT_EQ(norms.size(), 20u * 5);
  EXPECT_TRUE(norms.contains("layer2.0.downsample.1.running_var"));
  EXPECT_TRUE(frozen("").empty());
}

// The message was that the net's output is [33] instead of [32].
TEST(Selection, ANetWhoseTextFixesTheClassesHasNoHead) {
  const models::Options options{
      .net = std::make_shared<const models::NetText>(models::NetText{
          .file = "net.toml",
          .text = "input = [3, 8, 8]\nclasses = 64\nlayers = [\"ReLU\", { type = \"MaxPool2d\", "
                  "kernel_size = 2 }, { type = \"Conv2d\", out_channels = 4, kernel_size = 1 }, "
                  "\"Flatten\"]"})};
  const models::Config config = models::configure("net", options);
  EXPECT_TRUE(models::head("net", config).empty());
  expect_error(ErrorKind::usage, "no array of the net is known to depend on the number of outputs",
               [&] { (void)select("--freeze", "backbone", "net", config); });
}

}  // namespace
}  // namespace fovea
