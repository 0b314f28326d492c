#include "fovea/predict/predictor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "error_text.h"
#include "fovea/data/registry.h"
#include "fovea/predict/inference.h"
#include "fovea/tasks/classification.h"
#include "fovea/tasks/regression.h"
#include "jpeg_file.h"
#include "predict/trained.h"
#include "temporary_folder.h"

namespace fovea {
namespace {

TEST(Predictor, NeedsOnlyTheFile) {
  TemporaryFolder folder;
  Trained t;
  save_model(folder / "m.safetensors", t.file());
  Predictor predictor(folder / "m.safetensors");
  EXPECT_EQ(predictor.model().name(), "small_cnn");
  Inference inference(*t.model, t.state, {{0.5}, {0.25}});
  const Array images = pixels(1), logits = inference.output(images).clone();
  for (int64_t i = 0; i < 3; ++i) EXPECT_EQ(predictor.output(images).at(i), logits.at(i));

  const auto bytes = images.data<uint8_t>();
  const Image image{8, 8, 1, std::vector<uint8_t>(bytes.begin(), bytes.end())};
  const auto prediction = predictor.predict(image);
  const auto& classes = dynamic_cast<const tasks::ClassPrediction&>(*prediction).classes;
  ASSERT_EQ(classes.size(), 3u);
  double sum = 0, norm = 0;
  for (int64_t k = 0; k < 3; ++k) norm += std::exp(logits.at(k));
  for (size_t i = 0; i < 3; ++i) {
    sum += classes[i].second;
    EXPECT_LE(classes[i].second, classes[i == 0 ? 0 : i - 1].second);
    const int64_t k = classes[i].first == "ant" ? 0 : classes[i].first == "bee" ? 1 : 2;
    EXPECT_NEAR(classes[i].second, std::exp(logits.at(k)) / norm, 1e-12);
  }
  EXPECT_NEAR(sum, 1, 1e-12);
  EXPECT_EQ(predictor.predict(image, 1)->text(), predictor.predict(images, 1)[0]->text());
}

TEST(Predictor, TakesEverySizeThatTheNetCan) {
  const auto model = models::make("resnet18", {.outputs = 3, .input = Shape{3, 64, 64}});
  State state;
  nn::declare(state, *model, 1);
  const auto task = tasks::make("classify", data::class_targets({"a", "b", "c"}));
  TemporaryFolder folder;
  save_model(folder / "m.safetensors", *model,
             models::configure("resnet18", {.outputs = 3, .input = Shape{3, 64, 64}}), state, *task,
             Preprocessing{.height = 64,
                           .width = 64,
                           .channels = 3,
                           .resize = 72,
                           .filter = Filter::bilinear,
                           .mean = {0.5, 0.5, 0.5},
                           .std = {0.25, 0.25, 0.25}});
  Predictor predictor(folder / "m.safetensors");
  const Image image = Image::black(100, 80, 3);
  for (const int side : {96, 64, 32, 96}) {
    predictor.resize(side, side);
    EXPECT_EQ(predictor.file().preprocessing->resize, side * 72 / 64);
    EXPECT_EQ(predictor.output(Array::zeros(DType::f32, {1, 3, side, side})).shape(),
              (Shape{1, 3}));
    EXPECT_EQ(predictor.predict(image)->text().substr(0, 2), "  ");
  }
}

TEST(Predictor, OfNumbersSaysNumbers) {
  const auto net = std::make_shared<const models::NetText>(models::NetText{
      .file = "line.toml",
      .text =
          "layers = [\"Flatten\", { name = \"fc\", type = \"Linear\", out_features = \"classes\" "
          "}]"});
  for (const Shape& input : {Shape{5}, Shape{1, 6}, Shape{2, 3, 4}, Shape{1, 2, 3, 4}}) {
    const models::Config config = models::configure("", {.outputs = 2, .input = input, .net = net});
    EXPECT_EQ(config.input, input);
    const auto model = models::make("", config);
    State state;
    nn::declare(state, *model, 1);
    const auto task =
        tasks::make("regress", {.type = {DType::f32, {2}}, .names = {"width", "height"}});
    TemporaryFolder folder;
    save_model(folder / "m.safetensors", *model, config, state, *task);
    Predictor predictor(folder / "m.safetensors");
    EXPECT_EQ(predictor.task().name(), "regress");
    EXPECT_EQ(predictor.input(), input);
    const Array x = Array::full(DType::f32, Shape{3}.concat(input), 0.5);
    const Array y = predictor.output(x).clone();
    const auto predictions = predictor.predict(x);
    ASSERT_EQ(predictions.size(), 3u);
    const auto& numbers = dynamic_cast<const tasks::NumbersPrediction&>(*predictions[2]).numbers;
    EXPECT_EQ(numbers[1].first, "height");
    EXPECT_EQ(numbers[1].second, y.at(5));
    expect_error(ErrorKind::usage, "takes numbers, not images",
                 [&] { (void)predictor.predict(Image::black(4, 4, 1)); });
  }
}

/// The error for opening a model file that `spoil` changed.
template <class Spoil>
std::string complaint(const Spoil& spoil) {
  TemporaryFolder folder;
  Trained t;
  ModelFile file = t.file();
  spoil(file);
  save_model(folder / "m.safetensors", file);
  std::string text =
      error_text(ErrorKind::model, [&] { Predictor predictor(folder / "m.safetensors"); });
  const size_t at = text.find("\n  file");
  EXPECT_NE(at, std::string::npos) << text;
  return text.substr(0, at);
}

TEST(Predictor, SaysWhatIsWrongWithAFile) {
  EXPECT_EQ(complaint([](ModelFile& f) { f.architecture = "smal_cnn"; }).substr(0, 44),
            "unknown model \"smal_cnn\"\n  nearest small_cnn");
  EXPECT_EQ(complaint([](ModelFile& f) { f.arguments.erase("classes"); }),
            "model file: its argument classes is missing");
  EXPECT_EQ(complaint([](ModelFile& f) { f.arguments["height"] = "1e99"; }),
            "model file: its argument height must be an integer from 1 to 1000000, not \"1e99\"");
  EXPECT_EQ(complaint([](ModelFile& f) { f.arguments["dropout"] = "1"; }),
            "model file: its argument dropout must be a number of at least 0 and below 1, not "
            "\"1\"");
  EXPECT_EQ(complaint([](ModelFile& f) { f.class_names.pop_back(); }),
            "model file: 2 class names for 3 classes");
  EXPECT_EQ(complaint([](ModelFile& f) {
              f.weights[0].second = Array::zeros(DType::f32, {32, 3, 3, 3});
              f.weights[1].first = "conv1.bais";
            }),
            "the weights do not fit the model small_cnn\n"
            "  missing    conv1.bias (there is conv1.bais)\n"
            "  shape      conv1.weight is [32, 3, 3, 3] instead of [32, 1, 3, 3]\n"
            "  unexpected conv1.bais");
}

TEST(Predictor, BuildsTheNetWhoseTextItsFileHolds) {
  // Even if the registry has another net of that name.
  const auto net = std::make_shared<const models::NetText>(models::NetText{
      .file = "some/folder/small_cnn.toml",
      .text = "layers = [\"Flatten\", { name = \"fc\", type = \"Linear\", out_features = 3 }]"});
  const models::Config config =
      models::configure("", {.outputs = 3, .input = Shape{1, 8, 8}, .net = net});
  const auto model = models::make("", config);
  State state;
  golden_fill::declare(state, *model, DType::f32);
  ModelFile file = Trained().file();
  file.arguments = to_arguments(config);
  EXPECT_EQ(file.arguments.at("net_file"), "small_cnn.toml");  // no folder of this machine
  file.weights = weights_of(*model, state);
  TemporaryFolder folder;
  save_model(folder / "net.safetensors", file);
  Predictor predictor(folder / "net.safetensors");
  EXPECT_EQ(predictor.model().variables().size(), 2u);
  EXPECT_EQ(predictor.output(pixels(4)).shape(), (Shape{4, 3}));

  // A file from elsewhere may contain any text.
  const auto says = [&](const std::string& text) {
    file.arguments["net"] = text;
    return error_text(ErrorKind::model, [&] { Predictor{file, "it"}; });
  };
  EXPECT_EQ(says("layers = [\"Flaten\"]"),
            "unknown layer type \"Flaten\"\n"
            "  nearest Flatten\n"
            "  at      small_cnn.toml:1\n"
            "  try     fovea layers, which lists all\n"
            "  file    it");
  EXPECT_NE(says("layers = [\"ReLU\"]").find("the net's output is [1, 8, 8]"), std::string::npos);
  file.arguments["net_file"] = "../..\n/\x1b[31m.toml";
  EXPECT_NE(says("layers = [\"ReLU\"]"), "");
  file.arguments.erase("net_file");
  EXPECT_NE(says("[").find("net.toml:1"), std::string::npos);
}

// Or what `predict` finds would not be what `eval` measures.
TEST(Predictor, ReadsPicturesAsDataSetsDo) {
  TemporaryFolder folder;
  std::filesystem::create_directories(folder / "images");
  std::filesystem::create_directories(folder / "labels");
  const auto detector =
      models::configure("fcos_resnet18_fpn",
                        {.outputs = 2, .input = Shape{3, 32, 32}, .choices = {{"width", 0.125}}});
  const auto model = models::make("fcos_resnet18_fpn", detector);
  State state;
  nn::declare(state, *model, 1);
  save_model(folder / "m.safetensors", *model, detector, state,
             *tasks::make("detect", data::box_targets({"cat"}, 1)),
             Preprocessing{.height = 32,
                           .width = 32,
                           .channels = 3,
                           .resize = {},
                           .letterbox = letterbox_gray,
                           .mean = {0.5, 0.5, 0.5},
                           .std = {0.25, 0.25, 0.25}});
  const Predictor predictor(folder / "m.safetensors");
  for (const auto& [height, width] : {std::pair{128, 192}, {100, 140}, {99, 131}, {20, 30}}) {
    Image image = Image::black(height, width, 3);
    for (size_t i = 0; i < image.pixels.size(); ++i)
      image.pixels[i] = static_cast<uint8_t>(i * 37 % 251);
    for (const char* name : {"a", "b"}) {
      encode_jpeg(folder / ("images/" + std::string(name) + ".jpg"), image);
      put(folder / ("labels/" + std::string(name) + ".txt"), "0 0.5 0.5 0.5 0.5\n");
    }
    const auto samples = predictor.prepared(data::open("yolo:" + (folder / "").string()).train);
    const Predictor::Input input = predictor.read(samples->name(0));
    EXPECT_TRUE(
        std::ranges::equal(input.pixels.data<uint8_t>(), samples->sample(0).input.data<uint8_t>()))
        << height << "x" << width;
    EXPECT_EQ(input.place.picture_height, height);
    EXPECT_EQ(input.place.picture_width, width);
    EXPECT_EQ(input.place.picture_x(7), samples->boxed_picture(0)->place.picture_x(7));
  }
}

}  // namespace
}  // namespace fovea
