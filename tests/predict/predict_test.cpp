#include <cmath>

#include "error_text.h"
#include "fovea/predict/predictor.h"
#include "golden_fill.h"
#include "temporary_folder.h"

namespace fovea {
namespace {

/// small_cnn for 3 classes of 8x8 gray images, filled by the rule of the golden files.
struct Trained {
  std::unique_ptr<nn::Module> model =
      models::make("small_cnn", {.classes = 3, .input = Shape{1, 8, 8}});
  State state;
  Trained() { golden_fill::declare(state, *model, DType::f32); }
  ModelFile file() {
    return {.architecture = "small_cnn",
            .arguments = to_arguments(models::configure(
                "small_cnn", {.classes = 3, .input = Shape{1, 8, 8}, .dropout = 0.25})),
            .preprocessing = {.height = 8,
                              .width = 8,
                              .channels = 1,
                              .resize = {},
                              .filter = Filter::bilinear,
                              .mean = {0.5},
                              .std = {0.25}},
            .class_names = {"ant", "bee", "cat"},
            .training = {},
            .weights = weights_of(*model, state)};
  }
};

Array pixels(int64_t count, int64_t side = 8) {
  Array images(DType::u8, {count, side, side, 1});
  const golden_fill::Words words("pixels");
  for (int64_t i = 0; i < images.numel(); ++i) images.set(i, static_cast<double>(words[i] % 256));
  return images;
}

TEST(Inference, NormalisesBytesAndTakesFloatsAsTheyAre) {
  Trained t;
  Inference inference(*t.model, t.state, {{0.5}, {0.25}});
  const Array bytes = pixels(5), first = inference.logits(bytes).clone();
  EXPECT_EQ(first.shape(), (Shape{5, 3}));
  Array floats(DType::f32, {5, 1, 8, 8});
  for (int64_t i = 0; i < floats.numel(); ++i) floats.set(i, (bytes.at(i) / 255 - 0.5) / 0.25);
  const Array second = inference.logits(floats);
  for (int64_t i = 0; i < 15; ++i) EXPECT_NEAR(second.at(i), first.at(i), 1e-4);
}

TEST(Inference, DoesNotDependOnTheBatch) {
  Trained t;
  Inference inference(*t.model, t.state, {{0.5}, {0.25}});
  const Array all = inference.logits(pixels(7)).clone();
  for (int64_t n : {1, 3, 7}) {
    const Array some = inference.logits(pixels(n));
    for (int64_t i = 0; i < some.numel(); ++i) EXPECT_NEAR(some.at(i), all.at(i), 1e-5);
  }
}

TEST(Inference, SeesNewWeights) {
  Trained t;
  Inference inference(*t.model, t.state, {{0.5}, {0.25}});
  const Array before = inference.logits(pixels(2)).clone();
  t.state.set("head.4.bias", Array::full(DType::f32, {3}, 100));
  EXPECT_NEAR(inference.logits(pixels(2)).at(0), before.at(0) + 100, 1);
}

TEST(Inference, SaysWhatTheModelCannotTake) {
  Trained t;
  Inference inference(*t.model, t.state, {{0.5}, {0.25}});
  expect_error(ErrorKind::usage, "small_cnn.head.1 (src/fovea/models/small_cnn.cpp:", [&] {
    (void)inference.logits(pixels(1, 12));
  });
  Inference colour(*t.model, t.state, {{0, 0, 0}, {1, 1, 1}});
  expect_error(ErrorKind::usage, "normalize_images", [&] { (void)colour.logits(pixels(1)); });
}

TEST(Softmax, GivesProbabilitiesWithoutOverflow) {
  const Array logits = Array::of(std::vector<float>{0, 0, 1000, 1001, -1000, 3}, {3, 2});
  EXPECT_EQ(softmax(logits, 0), (std::vector<double>{0.5, 0.5}));
  EXPECT_NEAR(softmax(logits, 1)[1], 1 / (1 + std::exp(-1.0)), 1e-15);
  EXPECT_EQ(softmax(logits, 2), (std::vector<double>{0, 1}));
}

TEST(Predictor, NeedsNothingButTheFile) {
  TemporaryFolder folder;
  Trained t;
  save_model(folder / "m.safetensors", t.file());
  Predictor predictor(folder / "m.safetensors");
  EXPECT_EQ(predictor.model().name(), "small_cnn");
  Inference inference(*t.model, t.state, {{0.5}, {0.25}});
  const Array images = pixels(1), logits = inference.logits(images).clone();
  for (int64_t i = 0; i < 3; ++i) EXPECT_EQ(predictor.logits(images).at(i), logits.at(i));

  const auto bytes = images.data<uint8_t>();
  const std::vector<Guess> guesses =
      predictor.classify({8, 8, 1, std::vector<uint8_t>(bytes.begin(), bytes.end())});
  ASSERT_EQ(guesses.size(), 3u);
  const std::vector<double> p = softmax(logits, 0);
  double sum = 0;
  for (size_t i = 0; i < 3; ++i) {
    sum += guesses[i].probability;
    EXPECT_LE(guesses[i].probability, guesses[i == 0 ? 0 : i - 1].probability);
    const size_t k = guesses[i].name == "ant" ? 0 : guesses[i].name == "bee" ? 1 : 2;
    EXPECT_EQ(guesses[i].probability, p[k]);
  }
  EXPECT_NEAR(sum, 1, 1e-12);
}

/// What opening a model file says that `spoil` changed.
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
            "model file: its argument \"classes\" is missing, a whole number from 1 to 1000000 is "
            "expected");
  EXPECT_EQ(complaint([](ModelFile& f) { f.arguments["height"] = "1e99"; }),
            "model file: its argument \"height\" is \"1e99\", a whole number from 1 to 1000000 is "
            "expected");
  EXPECT_EQ(complaint([](ModelFile& f) { f.arguments["dropout"] = "1"; }),
            "model file: its argument \"dropout\" is \"1\", from 0 up to 1 is expected");
  EXPECT_EQ(complaint([](ModelFile& f) { f.class_names.pop_back(); }),
            "model file: 2 class names for 3 classes");
  EXPECT_EQ(complaint([](ModelFile& f) {
              f.weights[0].second = Array::zeros(DType::f32, {32, 3, 3, 3});
              f.weights[1].first = "conv1.other";
            }),
            "the weights do not fit the model small_cnn\n"
            "  missing    conv1.bias\n"
            "  shapes     conv1.weight is f32[32, 3, 3, 3] instead of f32[32, 1, 3, 3]\n"
            "  unexpected conv1.other");
}

TEST(Weights, AreReadInAnotherDtypeAndLeftAloneWhenTheyDoNotFit) {
  Trained t;
  State wide;
  nn::declare(wide, *t.model, 0, DType::f64);
  load_weights(*t.model, wide, weights_of(*t.model, t.state));
  EXPECT_EQ(wide.get("conv2.weight").at(77), t.state.get("conv2.weight").at(77));
  State other;
  nn::declare(other, *t.model, 1);
  const double before = other.get("conv1.weight").at(0);
  auto part = weights_of(*t.model, t.state);
  part.pop_back();
  EXPECT_THROW(load_weights(*t.model, other, part), Error);
  EXPECT_EQ(other.get("conv1.weight").at(0), before);
}

TEST(Arguments, MakeTheSameModelAgain) {
  const models::Config config =
      models::configure("small_cnn", {.classes = 7, .input = Shape{2, 9, 11}, .dropout = 0.125});
  const models::Config again = models::configure("small_cnn", from_arguments(to_arguments(config)));
  EXPECT_EQ(again.classes, 7);
  EXPECT_EQ(again.input, (Shape{2, 9, 11}));
  EXPECT_EQ(again.dropout, 0.125);
}

}  // namespace
}  // namespace fovea
