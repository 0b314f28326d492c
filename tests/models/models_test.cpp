#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "error_text.h"
#include "fovea/models/registry.h"
#include "fovea/nn.h"
#include "fovea/runtime/program.h"

namespace fovea {
namespace {

struct Counts {
  std::string_view name;
  int64_t parameters;
  int64_t buffers;  ///< running statistics, without the counters of batches
};

// As PyTorch counts the same nets: a difference is a net that is not the one its name says.
constexpr Counts counts[] = {
    {"small_cnn", 545'290, 192},
    {"deeper_cnn", 410'826, 1'024},
    {"lenet_cnn", 620'362, 0},
    {"vgg_style_cnn", 1'806'154, 2'304},
    {"resnet18_cifar", 11'173'962, 9'600},
    {"resnet34_cifar", 21'282'122, 17'024},
    {"resnet50_cifar", 23'520'842, 53'120},
    {"resnet101_cifar", 42'512'970, 105'344},
    {"resnet152_cifar", 58'156'618, 151'424},
    {"se_resnet18_cifar", 11'261'002, 9'600},
    {"simple_cnn_224", 15'231'912, 8'448},
};

TEST(Models, HaveThePublishedNumbersOfParametersAndBuffers) {
  EXPECT_EQ(models::list().size(), std::size(counts));
  for (const Counts& expected : counts) {
    const auto model = models::make(expected.name);
    int64_t parameters = 0, buffers = 0;
    for (const nn::Variable* v : model->parameters()) parameters += v->shape().numel();
    for (const nn::Variable* v : model->buffers()) {
      if (!v->name().ends_with("num_batches_tracked")) buffers += v->shape().numel();
    }
    EXPECT_EQ(parameters, expected.parameters) << expected.name;
    EXPECT_EQ(buffers, expected.buffers) << expected.name;
  }
}

TEST(Models, GiveLogitsInBothModes) {
  for (const models::Entry& entry : models::list()) {
    const auto model = models::make(entry.name, {.classes = 7});
    for (Mode mode : {Mode::eval, Mode::train}) {
      const auto graph = nn::trace(*model, Shape{2}.concat(entry.defaults.input), mode);
      EXPECT_EQ(graph->output("output").shape(), (Shape{2, 7})) << entry.name;
    }
  }
}

std::vector<std::string> names(const std::vector<const nn::Variable*>& variables) {
  std::vector<std::string> result;
  for (const nn::Variable* v : variables) result.push_back(v->name());
  return result;
}

/// The names that a batch norm adds behind `prefix`.
void add_norm(std::vector<std::string>& into, const std::string& prefix) {
  for (const char* array :
       {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}) {
    into.push_back(prefix + "." + array);
  }
}

TEST(Models, ResNet18IsNamedAndOrderedAsTorchvisions) {
  // Weights load by these names, both ways.
  std::vector<std::string> expected{"conv1.weight"};
  add_norm(expected, "bn1");
  for (int layer = 1; layer <= 4; ++layer) {
    for (int block = 0; block < 2; ++block) {
      const std::string at = "layer" + std::to_string(layer) + "." + std::to_string(block);
      expected.push_back(at + ".conv1.weight");
      add_norm(expected, at + ".bn1");
      expected.push_back(at + ".conv2.weight");
      add_norm(expected, at + ".bn2");
      if (layer == 1 || block == 1) continue;
      expected.push_back(at + ".downsample.0.weight");
      add_norm(expected, at + ".downsample.1");
    }
  }
  expected.insert(expected.end(), {"fc.weight", "fc.bias"});
  EXPECT_EQ(names(models::make("resnet18_cifar")->variables()), expected);
}

TEST(Models, OtherNetsKeepTheNamesTheyWerePublishedWith) {
  std::vector<std::string> small{"conv1.weight", "conv1.bias"};
  add_norm(small, "bn1");
  small.insert(small.end(), {"conv2.weight", "conv2.bias"});
  add_norm(small, "bn2");
  small.insert(small.end(), {"head.1.weight", "head.1.bias", "head.4.weight", "head.4.bias"});
  EXPECT_EQ(names(models::make("small_cnn")->variables()), small);

  const auto has = [](std::string_view model, const std::string& name) {
    const auto all = names(models::make(model)->variables());
    return std::find(all.begin(), all.end(), name) != all.end();
  };
  EXPECT_TRUE(has("deeper_cnn", "stem.0.weight"));
  EXPECT_TRUE(has("deeper_cnn", "stage2.0.1.running_var"));
  EXPECT_TRUE(has("deeper_cnn", "head.2.bias"));
  EXPECT_TRUE(has("lenet_cnn", "fc1.weight"));
  EXPECT_TRUE(has("vgg_style_cnn", "block3.2.conv.bias"));
  EXPECT_TRUE(has("vgg_style_cnn", "classifier.5.weight"));
  EXPECT_TRUE(has("simple_cnn_224", "features.12.block.1.weight"));
  EXPECT_TRUE(has("simple_cnn_224", "classifier.bias"));
  EXPECT_TRUE(has("resnet50_cifar", "layer1.0.downsample.1.weight"));
}

TEST(Models, SizesThatDependOnTheImageAreInferred) {
  const auto gray = models::make("small_cnn", {.input = Shape{1, 28, 28}});
  EXPECT_EQ(nn::trace(*gray, {4, 1, 28, 28})->output("output").shape(), (Shape{4, 10}));
  const auto flat = models::make("small_cnn", {.in_channels = 1, .input = Shape{28, 28}});
  EXPECT_EQ(names(gray->variables()), names(flat->variables()));
  for (size_t i = 0; i < gray->parameters().size(); ++i) {
    EXPECT_EQ(gray->parameters()[i]->shape(), flat->parameters()[i]->shape());
  }
  const auto wide = models::make("lenet_cnn", {.input = Shape{3, 40, 64}});
  EXPECT_EQ(nn::trace(*wide, {1, 3, 40, 64})->output("output").shape(), (Shape{1, 10}));
  // Nets that end in a mean take any image, whatever they were made for.
  const auto any = models::make("resnet18_cifar");
  EXPECT_EQ(nn::trace(*any, {1, 3, 57, 31})->output("output").shape(), (Shape{1, 10}));
}

/// The root of the mean square of one array's first values.
double spread(std::string_view name, const std::string& array_name) {
  const auto model = models::make(name);
  State state;
  nn::declare(state, *model, 1);
  const Array& array = state.get(array_name);
  double sum = 0;
  for (int64_t i = 0; i < array.numel(); ++i) sum += array.at(i) * array.at(i);
  return std::sqrt(sum / static_cast<double>(array.numel()));
}

TEST(Models, StartAsTheirAuthorsSay) {
  const double he = std::sqrt(2.0 / (64 * 9));
  EXPECT_NEAR(spread("resnet18_cifar", "conv1.weight"), he, 0.05 * he);
  EXPECT_NEAR(spread("resnet18_cifar", "layer1.0.conv1.weight"), he, 0.02 * he);
  const double torch = 1 / std::sqrt(3 * 512.0);
  EXPECT_NEAR(spread("resnet18_cifar", "fc.weight"), torch, 0.05 * torch);
  EXPECT_NEAR(spread("simple_cnn_224", "features.0.block.0.weight"), he, 0.05 * he);
  EXPECT_NEAR(spread("simple_cnn_224", "classifier.weight"), 0.01, 0.0001);
  EXPECT_EQ(spread("simple_cnn_224", "classifier.bias"), 0);
  EXPECT_GT(spread("small_cnn", "head.1.bias"), 0);
}

Array noise(const Shape& shape) {
  Array array(DType::f32, shape);
  Random random(5, "noise");
  for (int64_t i = 0; i < array.numel(); ++i) array.set(i, random.normal());
  return array;
}

TEST(Models, RunFromTheirFirstValues) {
  const Shape batch{4, 3, 32, 32};
  for (const char* name : {"small_cnn", "deeper_cnn", "lenet_cnn", "vgg_style_cnn"}) {
    const auto model = models::make(name);
    State state;
    nn::declare(state, *model, 1);
    Memory memory;
    const Program program(*nn::trace(*model, batch));
    const Array logits = program.run(memory, state, {{"input", noise(batch)}})[0];
    // Before training no class is far ahead: the loss is near ln(10).
    for (int64_t i = 0; i < logits.numel(); ++i) EXPECT_LT(std::abs(logits.at(i)), 2) << name;
    EXPECT_NE(logits.at(0), logits.at(1)) << name;
  }
}

TEST(Models, TrainingMovesTheRunningStatisticsAndOnlyThem) {
  const Shape batch{4, 3, 32, 32};
  const auto model = models::make("small_cnn", {.dropout = 0});
  State state;
  nn::declare(state, *model, 1);
  Memory memory;
  const Array weight = state.get("conv1.weight").clone();
  const Program eval_program(*nn::trace(*model, batch));
  (void)eval_program.run(memory, state, {{"input", noise(batch)}});
  EXPECT_EQ(state.get("bn1.running_var").at(0), 1);
  const Program train_program(*nn::trace(*model, batch, Mode::train));
  for (int i = 0; i < 3; ++i) (void)train_program.run(memory, state, {{"input", noise(batch)}});
  EXPECT_EQ(state.get("bn1.num_batches_tracked").item(), 3);
  EXPECT_EQ(state.get("bn2.num_batches_tracked").item(), 3);
  EXPECT_NE(state.get("bn1.running_mean").at(0), 0);
  EXPECT_NE(state.get("bn2.running_var").at(0), 1);
  for (int64_t i = 0; i < weight.numel(); ++i) {
    ASSERT_EQ(state.get("conv1.weight").at(i), weight.at(i));
  }
}

TEST(Models, AnImageThatIsTooSmallIsRefusedNamingTheLayer) {
  const auto text = [](std::string_view model, const Shape& image) {
    return error_text(ErrorKind::usage, [&] {
      const auto made = models::make(model, {.input = image});
      (void)nn::trace(*made, Shape{1}.concat(image));
    });
  };
  const auto expect = [&](std::string_view model, const Shape& image, const std::string& what,
                          const std::string& where) {
    const std::string all = text(model, image);
    EXPECT_EQ(all.substr(0, all.find('\n')), what);
    EXPECT_NE(all.find("at      " + where), std::string::npos) << all;
  };
  const std::string pool = "max_pool2d: the window spans 2, the padded input only 1 (axis ";
  expect("small_cnn", {1, 3, 28}, pool + "H)", "small_cnn.pool2 (src/fovea/models/small_cnn.cpp:");
  expect("lenet_cnn", {3, 32, 7}, pool + "W)", "lenet_cnn.pool3 (src/fovea/models/lenet_cnn.cpp:");
  expect("vgg_style_cnn", {3, 4, 4}, pool + "H)",
         "vgg_style_cnn.block3.3 (src/fovea/models/vgg_style_cnn.cpp:");
  expect("deeper_cnn", {3, 4, 4}, pool + "H)",
         "deeper_cnn.stage3.1 (src/fovea/models/deeper_cnn.cpp:");
}

TEST(Models, AnotherSizeThanTheNetWasMadeForIsRefusedNamingTheLayer) {
  const auto model = models::make("small_cnn");
  const std::string text = error_text(ErrorKind::usage, [&] {
    (void)nn::trace(*model, {1, 3, 28, 28});
  });
  EXPECT_EQ(text.substr(0, text.find('\n')),
            "linear: input has 3136 features, weight expects 4096");
  EXPECT_NE(text.find("small_cnn.head.1 (src/fovea/models/small_cnn.cpp:"), std::string::npos)
      << text;
}

TEST(Models, OptionsThatCannotBeAreRefused) {
  const auto says = [](const std::string& expected, const models::Options& options,
                       std::string_view model = "small_cnn") {
    EXPECT_EQ(error_text(ErrorKind::usage, [&] { (void)models::make(model, options); }), expected);
  };
  says(
      "unknown model \"resnet18-cifr\"\n"
      "  nearest resnet18_cifar, resnet34_cifar, resnet50_cifar\n"
      "  try     fovea models, which lists all",
      {}, "resnet18-cifr");
  says("small_cnn: the number of classes is 0, at least 1 is needed", {.classes = 0});
  says("small_cnn: the number of input channels is -1, at least 1 is needed", {.in_channels = -1});
  says("small_cnn: the input's height is 0, at least 1 is needed", {.input = Shape{3, 0, 9}});
  says("small_cnn: the input [4] has 1 axes; C, H, W or H, W are expected", {.input = Shape{4}});
  says(
      "small_cnn: the input [C=3, H=8, W=8] has 3 channels, in_channels is 1\n"
      "  try     one of the two alone",
      {.in_channels = 1, .input = Shape{3, 8, 8}});
  says("small_cnn: dropout is 1.000000, from 0 up to 1 is allowed", {.dropout = 1});
  says("small_cnn: dropout is nan, from 0 up to 1 is allowed", {.dropout = std::nan("")});
  says("resnet18_cifar: this model has no dropout", {.dropout = 0.5}, "resnet18_cifar");
}

TEST(Models, AHugeImageIsAnErrorNotAnAllocation) {
  EXPECT_NO_THROW((void)models::make("resnet18_cifar", {.classes = int64_t{1} << 40}));
  const int64_t huge = int64_t{1} << 31;
  expect_error(ErrorKind::memory, "a size is too large", [&] {
    (void)models::make("small_cnn", {.input = Shape{3, huge, huge}});
  });
}

TEST(Models, AConfigRebuildsTheSameModel) {
  // What a model file remembers.
  const models::Config config =
      models::configure("small_cnn", {.classes = 4, .input = Shape{1, 20, 24}, .dropout = 0});
  EXPECT_EQ(config.input, (Shape{1, 20, 24}));
  const auto model = models::make("small_cnn", config);
  EXPECT_EQ(nn::trace(*model, {2, 1, 20, 24}, Mode::train)->output("output").shape(),
            (Shape{2, 4}));
}

TEST(Models, EveryConfigIsAcceptedBack) {
  for (const models::Entry& entry : models::list()) {
    EXPECT_NO_THROW((void)models::make(entry.name, models::configure(entry.name))) << entry.name;
  }
}

TEST(Models, GlobsChooseFromTheList) {
  const auto found = [](std::string_view glob) {
    std::vector<std::string> result;
    for (const models::Entry& e : models::list(glob)) result.push_back(e.name);
    return result;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(found("res*"), (Names{"resnet18_cifar", "resnet34_cifar", "resnet50_cifar",
                                  "resnet101_cifar", "resnet152_cifar"}));
  EXPECT_EQ(found("*_cnn"), (Names{"small_cnn", "deeper_cnn", "lenet_cnn", "vgg_style_cnn"}));
  EXPECT_EQ(found("resnet??_cifar").size(), 3u);
  EXPECT_EQ(found("small_cnn").size(), 1u);
  EXPECT_TRUE(found("small").empty());
}

}  // namespace
}  // namespace fovea
