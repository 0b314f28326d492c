#include "fovea/weights/assemble.h"

#include <gtest/gtest.h>

#include "error_text.h"
#include "fovea/formats/weight_file.h"
#include "fovea/predict/inference.h"
#include "fovea/predict/predictor.h"
#include "fovea/tasks/classification.h"
#include "predict/trained.h"
#include "temporary_folder.h"

namespace fovea {
namespace {

/// small_cnn's weights alone, as PyTorch keeps them.
class Bare : public testing::Test {
 protected:
  void SetUp() override {
    write_weights(folder_ / "w.pth", weights_of(*trained_.model, trained_.state));
  }
  TemporaryFolder folder_;
  Trained trained_;
};

TEST_F(Bare, WeightsAndANameAreAModel) {
  std::vector<std::string> said;
  const ModelFile file = assemble_model("small_cnn", {.input = Shape{1, 8, 8}}, folder_ / "w.pth",
                                        [&](const std::string& text) { said.push_back(text); });
  EXPECT_EQ(said,
            std::vector<std::string>{
                (folder_ / "w.pth").string() +
                ": images are prepared as for most ImageNet models; class names are unknown"});
  EXPECT_EQ(file.arguments.at("classes"), "3");  // the weights say so
  EXPECT_EQ(file.preprocessing->mean, std::vector<double>{0.5});
  EXPECT_EQ(file.preprocessing->resize, std::nullopt);
  Predictor predictor(file, "w.pth");
  Inference inference(*trained_.model, trained_.state, {{0.5}, {0.5}});
  const Array logits = inference.output(pixels(1)).clone();
  EXPECT_EQ(predictor.output(pixels(1)).at(2), logits.at(2));
  const auto prediction = predictor.predict(Image{8, 8, 1, std::vector<uint8_t>(64, 9)});
  const auto& classes = dynamic_cast<const tasks::ClassPrediction&>(*prediction).classes;
  ASSERT_EQ(classes.size(), 3u);
  EXPECT_EQ(classes[0].first.size(), 1u);
  EXPECT_LT(classes[0].first, "3");
}

models::Options net(const std::string& text) {
  return {.net = std::make_shared<const models::NetText>(
              models::NetText{.file = "net.toml", .text = text})};
}

// A convolution's array, being the last, used to be mistaken for the classes'.
TEST(NetOfAText, ItsLastArrayNeedNotBeTheClasses) {
  TemporaryFolder folder;
  const models::Options options =
      net("input = [3, 8, 8]\nclasses = 32\nlayers = [{ name = \"conv\", type = \"Conv2d\", "
          "out_channels = 8, kernel_size = 3, padding = 1 }, { type = \"AdaptiveAvgPool2d\", "
          "output_size = 2 }, \"Flatten\"]");
  write_weights(folder / "w.pth", {{"conv.weight", Array::full(DType::f32, {8, 3, 3, 3}, 0.5)},
                                   {"conv.bias", Array::full(DType::f32, {8}, 0)}});
  Predictor predictor(assemble_model("net", options, folder / "w.pth"), "w.pth");
  EXPECT_EQ(predictor.task().outputs(), 32);
  EXPECT_EQ(predictor.output(Array::full(DType::f32, {2, 3, 8, 8}, 1)).shape(), (Shape{2, 32}));
}

// There used to be no last array.
TEST(NetOfAText, NeedNotHaveWeights) {
  TemporaryFolder folder;
  const models::Options options =
      net("input = [2, 4, 4]\nclasses = 8\n"
          "layers = [{ type = \"MaxPool2d\", kernel_size = 2 }, \"Flatten\"]");
  write_weights(folder / "w.safetensors", {});
  const ModelFile file = assemble_model("net", options, folder / "w.safetensors");
  EXPECT_TRUE(file.weights.empty());
  save_model(folder / "m.safetensors", file);
  Predictor predictor(folder / "m.safetensors");
  const Array logits = predictor.output(Array::full(DType::f32, {3, 2, 4, 4}, 5));
  EXPECT_EQ(logits.shape(), (Shape{3, 8}));
  EXPECT_EQ(logits.at(23), 5);
}

// The model's own input is RGB; a net that was trained on gray images takes them as gray.
TEST(BareWeights, OfGrayImagesNeedNoInput) {
  const auto model = models::make("small_cnn", {.outputs = 3, .input = Shape{1, 32, 32}});
  State state;
  golden_fill::declare(state, *model, DType::f32);
  TemporaryFolder folder;
  write_weights(folder / "w.pth", weights_of(*model, state));
  const ModelFile file = assemble_model("small_cnn", {}, folder / "w.pth");
  EXPECT_EQ(file.arguments.at("in_channels"), "1");
  EXPECT_EQ(file.preprocessing->channels, 1);
  Predictor predictor(file, "w.pth");
  EXPECT_NE(predictor.predict(Image::black(9, 9, 3))->text(), "");
}

TEST_F(Bare, WeightsForAnotherModelAreRefused) {
  expect_error(ErrorKind::model, "conv1.weight is [32, 1, 3, 3] instead of [32, 3, 3, 3]", [&] {
    assemble_model("small_cnn", {.input = Shape{3, 8, 8}}, folder_ / "w.pth");
  });
  expect_error(
      ErrorKind::model,
      "head.4.bias is [3] instead of [4]\n  file    " + (folder_ / "w.pth").string(), [&] {
        assemble_model("small_cnn", {.outputs = 4, .input = Shape{1, 8, 8}}, folder_ / "w.pth");
      });
  expect_error(ErrorKind::usage, "unknown model",
               [&] { assemble_model("small", {}, folder_ / "w.pth"); });
}

TEST_F(Bare, AModelFileKeepsItsMetadata) {
  save_model(folder_ / "m.safetensors", trained_.file());
  const ModelFile file = assemble_model("small_cnn", {}, folder_ / "m.safetensors");
  EXPECT_EQ(file.class_names[1], "bee");
  EXPECT_EQ(file.preprocessing->std, std::vector<double>{0.25});
  EXPECT_EQ(file.arguments.at("dropout"), "0.25");
  expect_error(ErrorKind::model, "its weights are for another model",
               [&] { assemble_model("lenet_cnn", {}, folder_ / "m.safetensors"); });
}

}  // namespace
}  // namespace fovea
