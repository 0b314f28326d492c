#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

#include "error_text.h"
#include "fovea/formats/weight_file.h"
#include "fovea/nn.h"
#include "fovea/predict/predictor.h"
#include "fovea/tasks/classification.h"
#include "fovea/tasks/regression.h"
#include "fovea/weights/arguments.h"
#include "fovea/weights/assemble.h"
#include "fovea/weights/fit.h"
#include "golden_fill.h"
#include "temporary_folder.h"

namespace fovea {
namespace {

/// small_cnn for 3 classes of 8x8 gray images, filled by the rule of the golden files.
struct Trained {
  std::unique_ptr<nn::Module> model =
      models::make("small_cnn", {.outputs = 3, .input = Shape{1, 8, 8}});
  State state;
  Trained() { golden_fill::declare(state, *model, DType::f32); }
  ModelFile file() {
    return {
        .architecture = "small_cnn",
        .arguments = to_arguments(models::configure(
            "small_cnn", {.outputs = 3, .input = Shape{1, 8, 8}, .choices = {{"dropout", 0.25}}})),
        .preprocessing = Preprocessing{.height = 8,
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

std::vector<double> list(const Array& array) {
  std::vector<double> values;
  for (int64_t i = 0; i < array.numel(); ++i) values.push_back(array.at(i));
  return values;
}

TEST(Inference, NormalisesBytesAndTakesFloatsAsTheyAre) {
  Trained t;
  Inference inference(*t.model, t.state, {{0.5}, {0.25}});
  const Array bytes = pixels(5), first = inference.output(bytes).clone();
  EXPECT_EQ(first.shape(), (Shape{5, 3}));
  Array floats(DType::f32, {5, 1, 8, 8});
  for (int64_t i = 0; i < floats.numel(); ++i) floats.set(i, (bytes.at(i) / 255 - 0.5) / 0.25);
  const Array second = inference.output(floats);
  for (int64_t i = 0; i < 15; ++i) EXPECT_NEAR(second.at(i), first.at(i), 1e-4);
}

TEST(Inference, TapsGiveTheOutputsOfModules) {
  Trained t;
  Inference inference(*t.model, t.state, {{0.5}, {0.25}});
  const Array images = pixels(5), output = inference.output(images).clone();
  const Inference::Tapped tapped = inference.tapped(images, {"conv1", "head.*"});
  std::vector<std::string> names;
  for (const auto& [name, array] : tapped.taps) names.push_back(name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"conv1", "head.0", "head.1", "head.2", "head.3", "head.4"}));
  for (int64_t i = 0; i < 15; ++i) EXPECT_NEAR(tapped.output.at(i), output.at(i), 1e-4);
  EXPECT_EQ(list(tapped.taps[5].second), list(tapped.output));
  EXPECT_EQ(list(tapped.taps[4].second), list(tapped.taps[3].second));  // dropout in use

  // The convolution alone, without the norm and relu that are folded into it otherwise.
  const auto graph = Graph::make(Mode::eval);
  const Normalization normalization{{0.5}, {0.25}};
  const nn::Module& conv1 = *t.model->children()[0];
  graph->output("y", apply(conv1, graph->input("x", {DType::u8, images.shape()}), normalization));
  Memory memory;
  const Array alone = Program(*graph).run(memory, t.state, {{"x", images}})[0];
  const Array& conv = tapped.taps[0].second;
  ASSERT_EQ(conv.shape(), alone.shape());
  for (int64_t i = 0; i < conv.numel(); ++i) ASSERT_NEAR(conv.at(i), alone.at(i), 1e-4) << i;

  EXPECT_EQ(inference.output(images).shape(), output.shape());  // a Program of its own
  expect_error(ErrorKind::usage, "unknown module \"conv9\"",
               [&] { (void)inference.tapped(images, {"conv9"}); });
}

TEST(Inference, DoesNotDependOnTheBatch) {
  Trained t;
  Inference inference(*t.model, t.state, {{0.5}, {0.25}});
  const Array all = inference.output(pixels(7)).clone();
  for (int64_t n : {1, 3, 7}) {
    const Array some = inference.output(pixels(n));
    for (int64_t i = 0; i < some.numel(); ++i) EXPECT_NEAR(some.at(i), all.at(i), 1e-5);
  }
}

TEST(Inference, SaysWhereNumbersThatAreNotFiniteBegan) {
  Trained t;
  Inference inference(*t.model, t.state, {{0.5}, {0.25}});
  Array input(DType::f32, {2, 1, 8, 8});
  for (int64_t i = 0; i < input.numel(); ++i) input.set(i, 0.5);
  EXPECT_EQ(inference.nonfinite_origin(input), "");
  EXPECT_EQ(inference.finite_run(input)[0].shape(), (Shape{2, 3}));
  const std::string text_before = "the net's output is not finite\n  first   ";
  const auto first = [&](const Array& images) {
    const std::string text =
        error_text(ErrorKind::diverged, [&] { (void)inference.finite_run(images); });
    EXPECT_TRUE(text.starts_with(text_before)) << text;
    return text.substr(text_before.size(),
                       text.find('\n', text_before.size()) - text_before.size());
  };

  Array broken = input.clone();
  broken.set(70, -INFINITY);
  EXPECT_EQ(first(broken), "the input holds -inf");

  // For every weight, whatever comes after: fused activations and folded norms hide none.
  for (const nn::Variable* variable : t.model->variables()) {
    if (!is_float(t.state.type(variable->name()).dtype)) continue;
    for (const double number : {double{NAN}, double{INFINITY}}) {
      const Array original = t.state.get(variable->name()).clone();
      Array hurt = original.clone();
      hurt.set(hurt.numel() / 2, number);
      t.state.set(variable->name(), hurt);
      const std::string noun = variable->role() == Role::buffer ? "buffer " : "weight ";
      if (std::isnan(number)) {
        EXPECT_EQ(first(input), noun + variable->name() + " holds NaN");
      } else {  // relu(-inf) is 0: the logits may be finite
        EXPECT_EQ(inference.nonfinite_origin(input), noun + variable->name() + " holds inf");
      }
      t.state.set(variable->name(), original);
    }
  }

  for (int64_t i = 0; i < input.numel(); ++i) input.set(i, 3e38);  // finite, and too large
  EXPECT_NE(first(input).find(" computed a number that is not finite"), std::string::npos);
}

TEST(Inference, ThreadsWithOneEachShareAModelAndItsWeights) {
  Trained t;
  const auto logits = [&](Inference& inference, int64_t n) {
    return list(inference.output(pixels(n)));
  };
  Inference alone(*t.model, t.state, {{0.5}, {0.25}});
  std::vector<std::vector<double>> expected{{}};
  for (int64_t n = 1; n <= 12; ++n) expected.push_back(logits(alone, n));
  std::atomic<int> wrong{0};
  std::vector<std::jthread> threads;
  for (int k = 0; k < 3; ++k) {
    threads.emplace_back([&] {
      Inference own(*t.model, t.state, {{0.5}, {0.25}});
      for (int64_t i = 0; i < 24; ++i) {  // more shapes than are kept: some are compiled twice
        const int64_t n = i % 12 + 1;
        wrong += logits(own, n) != expected[static_cast<size_t>(n)];
      }
    });
  }
  threads.clear();
  EXPECT_EQ(wrong, 0);
}

TEST(Inference, SeesNewWeights) {
  Trained t;
  Inference inference(*t.model, t.state, {{0.5}, {0.25}});
  const Array before = inference.output(pixels(2)).clone();
  t.state.set("head.4.bias", Array::full(DType::f32, {3}, 100));
  EXPECT_NEAR(inference.output(pixels(2)).at(0), before.at(0) + 100, 1);
}

TEST(Inference, SaysWhatTheModelCannotTake) {
  Trained t;
  Inference inference(*t.model, t.state, {{0.5}, {0.25}});
  expect_error(ErrorKind::usage, "small_cnn.head.1 (src/fovea/models/small_cnn.cpp:", [&] {
    (void)inference.output(pixels(1, 12));
  });
  Inference colour(*t.model, t.state, {{0, 0, 0}, {1, 1, 1}});
  expect_error(ErrorKind::usage, "normalize_images", [&] { (void)colour.output(pixels(1)); });
}

TEST(Views, OutputsAreTheMeanOverMirroredAndMovedImages) {
  Trained t;
  const Normalization none{{0}, {1}};
  const Array images = pixels(2);
  const auto moved = [&](int64_t by, bool mirrored) {
    Array view = images.clone();
    const auto inside = [](int64_t at) { return at < 0 ? -at : at > 7 ? 14 - at : at; };
    for (int64_t i = 0; i < view.numel(); ++i) {
      const int64_t row = inside(i / 8 % 8 + by),
                    column = inside((mirrored ? 7 - i % 8 : i % 8) + by);
      view.set(i, images.at(i / 64 * 64 + row * 8 + column));
    }
    return view;
  };
  Inference plain(*t.model, t.state, none);
  for (const std::string text : {"flip", "shift", "flip,shift"}) {
    const TestViews views = TestViews::parse(text);
    EXPECT_EQ(views.text(), text);
    std::vector<double> expected(6);
    for (const int64_t by : {0, 1, -1}) {
      for (const bool mirrored : {false, true}) {
        if ((by != 0 && !views.shift) || (mirrored && !views.flip)) continue;
        const Array own = plain.output(moved(by, mirrored));
        // Those that are not moved count half.
        const double weight = views.shift ? (by == 0 ? 0.5 : 0.25) : 1;
        for (int64_t i = 0; i < 6; ++i) expected[static_cast<size_t>(i)] += weight * own.at(i);
      }
    }
    Inference mean(*t.model, t.state, none, DType::f32, nullptr, views);
    const Array got = mean.output(images);
    ASSERT_EQ(got.shape(), (Shape{2, 3}));
    for (int64_t i = 0; i < 6; ++i) {
      const double want = expected[static_cast<size_t>(i)] / (views.flip ? 2 : 1);
      EXPECT_NEAR(got.at(i), want, 1e-5) << text;
    }
  }
  EXPECT_EQ(TestViews::parse("shift,flip").count(), 6);
  for (const std::string text : {"flop", "flip,flip", "flip,", ","}) {
    EXPECT_EQ(error_text(ErrorKind::usage, [&] { (void)TestViews::parse(text); }),
              "views: \"" + text +
                  "\" is not a choice of views\n"
                  "  expected none, flip, shift, or flip,shift");
  }
}

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
    expect_error(ErrorKind::usage, "was trained on numbers, not on pictures",
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

TEST(Weights, AreConvertedToTheDtypeAndTheStateIsUnchangedWhenTheyDoNotFit) {
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

/// Weights of `model`, filled by the rule of the golden files, under other names.
std::vector<std::pair<std::string, Array>> renamed(
    const nn::Module& model, const std::vector<std::pair<std::string, std::string>>& parts) {
  State state;
  nn::declare(state, model, 0);
  auto weights = weights_of(model, state);
  for (auto& [name, array] : weights) {
    for (const auto& [ours, theirs] : parts) {
      if (const size_t at = name.find(ours); at != std::string::npos) {
        name.replace(at, ours.size(), theirs);
      }
    }
  }
  return weights;
}

TEST(Weights, NamesOfOtherVersionsAreUnderstood) {
  const auto resnet = models::make("resnet18_cifar");
  const auto theirs = renamed(*resnet, {{".downsample.", ".shortcut."}});
  const auto ours = renamed(*resnet, {});
  const auto is_theirs = [](const auto& w) { return w.first == "layer2.0.shortcut.0.weight"; };
  ASSERT_TRUE(std::any_of(theirs.begin(), theirs.end(), is_theirs));
  const auto fitted = fit_weights(*resnet, theirs);
  ASSERT_EQ(fitted.size(), ours.size());
  for (size_t i = 0; i < ours.size(); ++i) {
    EXPECT_EQ(fitted[i].first, ours[i].first);
    EXPECT_EQ(describe(fitted[i].second), describe(ours[i].second));
  }
}

/// A dense layer with the part names of torchvision's published DenseNets.
class DenseLayer : public nn::Module {
 public:
  explicit DenseLayer(const nn::Scope& s)
      : Module(s), norm1(at("norm1"), 4), conv2(at("conv2"), 4, 4, {.kernel = 1}) {}
  nn::BatchNorm2d norm1;
  nn::Conv2d conv2;
};
class DenseNet : public nn::Module {
 public:
  DenseNet() : Module(nn::Scope("dense")), layer(at("layer")) {}
  DenseLayer layer;
};

TEST(Weights, OldFilesLackCountersAndHaveOtherHeads) {
  const DenseNet net;
  auto weights = renamed(net, {{".norm1.", ".norm.1."}, {".conv2.", ".conv.2."}});
  EXPECT_EQ(weights[0].first, "layer.norm.1.weight");
  EXPECT_EQ(std::erase_if(weights, [](const auto& w) { return w.first.ends_with("tracked"); }), 1u);
  weights.emplace_back("aux1.fc1.weight", Array(DType::f32, {2}));
  const auto fitted = fit_weights(net, weights);
  ASSERT_EQ(fitted.size(), 7u);
  EXPECT_EQ(fitted[0].first, "layer.norm1.weight");
  EXPECT_EQ(fitted[4].first, "layer.norm1.num_batches_tracked");
  EXPECT_EQ(describe(fitted[4].second), "i64[]");
  EXPECT_EQ(fitted[4].second.item(), 0);
}

TEST(Weights, APrefixOfAllNamesIsRemovedIfTheRestFits) {
  const DenseNet net;
  for (const std::string prefix : {"model.", "backbone.", "net.module."}) {
    const MatchedNames matched = match_names(net, renamed(net, {{"layer.", prefix + "layer."}}));
    EXPECT_EQ(matched.note, "names without \"" + prefix + "\"");
    EXPECT_EQ(matched.weights[0].first, "layer.norm1.weight");
    EXPECT_EQ(fit_weights(net, renamed(net, {{"layer.", prefix + "layer."}})).size(), 7u);
  }
  // The names as they are fit best, though all begin alike; and one that the file lacks is added.
  EXPECT_EQ(match_names(net, renamed(net, {})).note, "");
  const MatchedNames added = match_names(net, renamed(net, {{"layer.", ""}}));
  EXPECT_EQ(added.note, "names with \"layer.\" before them");
  EXPECT_EQ(added.weights[0].first, "layer.norm1.weight");
  // Of names that do not all begin so nothing is guessed.
  auto mixed = renamed(net, {{"layer.", "model.layer."}});
  mixed.emplace_back("criterion.weight", Array(DType::f32, {1}));
  EXPECT_EQ(match_names(net, mixed).note, "");
  expect_error(ErrorKind::model, "layer.norm1.weight (there is model.layer.norm1.weight)",
               [&] { fit_weights(net, mixed); });
}

TEST(Weights, CountersMayHaveAnyShapeOfOneElement) {
  const DenseNet net;
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{1, 1}}) {
    auto weights = renamed(net, {});
    for (auto& [name, array] : weights) {
      if (name.ends_with("tracked")) array = Array::full(DType::i64, shape, 7);
    }
    const Array counter = fit_weights(net, weights)[4].second;
    EXPECT_EQ(describe(counter), "i64[]");
    EXPECT_EQ(counter.item(), 7);
    weights[4].second = Array::full(DType::i64, {2}, 7);
    expect_error(ErrorKind::model, "layer.norm1.num_batches_tracked is [2] instead of []",
                 [&] { fit_weights(net, weights); });
  }
}

TEST(Weights, OfManyThatDoNotFitTheFirstAreListed) {
  const auto resnet = models::make("resnet18_cifar");
  const std::string text = error_text(ErrorKind::model, [&] {
    fit_weights(*resnet, {{"conv1.weihgt", Array(DType::f32, {1})}});
  });
  EXPECT_EQ(text.substr(0, 160).find("the weights do not fit the model resnet18_cifar\n"
                                     "  missing    conv1.weight (there is conv1.weihgt)\n"
                                     "  missing    bn1.weight\n"),
            0u)
      << text;
  EXPECT_NE(text.find("\n  missing    and 97 more\n  unexpected conv1.weihgt"), std::string::npos)
      << text;
}

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
