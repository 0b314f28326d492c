#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "cpu_time.h"
#include "error_text.h"
#include "fovea/models/registry.h"
#include "fovea/nn.h"
#include "fovea/runtime/program.h"

namespace fovea {
namespace {

TEST(Models, GiveLogitsInBothModes) {
  for (const models::Entry& entry : models::list()) {
    const auto model = models::make(entry.name, {.outputs = 7});
    for (Mode mode : {Mode::eval, Mode::train}) {
      const auto graph = nn::trace(*model, Shape{2}.concat(entry.input), mode);
      const Tensor output = graph->output("output");
      // Boxes and, in some nets, their centerness follow the logits of a detection net.
      const int64_t boxes = entry.task == "detect" ? output.dim(1) - 7 : 0;
      EXPECT_EQ(output.shape().slice(0, 2), (Shape{2, 7 + boxes})) << entry.name;
      EXPECT_TRUE(boxes == 0 || boxes == 4 || boxes == 5) << entry.name;
    }
  }
}

std::vector<std::string> names(const std::vector<const nn::Variable*>& variables) {
  std::vector<std::string> result;
  for (const nn::Variable* v : variables) result.push_back(v->name());
  return result;
}

/// The names of a batch norm's arrays after `prefix`.
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
  EXPECT_EQ(names(models::make("resnet18")->variables()), expected);
  EXPECT_EQ(names(models::make("mini_resnet")->variables()), expected);
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
  EXPECT_TRUE(has("se_resnet18_cifar", "layer4.1.se.excitation.2.weight"));
  EXPECT_TRUE(has("simple_cnn_gap", "features.9.running_mean"));
  EXPECT_TRUE(has("simple_cnn_gap", "classifier.5.bias"));
  EXPECT_TRUE(has("simple_cnn_deep", "features.18.weight"));
  EXPECT_TRUE(has("simple_cnn_deep", "classifier.2.weight"));
  EXPECT_TRUE(has("efficientnet_lite0", "_conv_stem.weight"));
  EXPECT_TRUE(has("efficientnet_lite0", "_blocks.15._bn2.running_var"));
  EXPECT_TRUE(has("efficientnet_lite0", "_fc.bias"));
  EXPECT_FALSE(has("efficientnet_lite0", "_blocks.0._expand_conv.weight"));
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
  // Nets that end in global average pooling accept any image size.
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

TEST(Models, AreInitialisedAsPublished) {
  const double he = std::sqrt(2.0 / (64 * 9));
  EXPECT_NEAR(spread("resnet18_cifar", "conv1.weight"), he, 0.05 * he);
  EXPECT_NEAR(spread("resnet18_cifar", "layer1.0.conv1.weight"), he, 0.02 * he);
  const double torch = 1 / std::sqrt(3 * 512.0);
  EXPECT_NEAR(spread("resnet18_cifar", "fc.weight"), torch, 0.05 * torch);
  EXPECT_NEAR(spread("simple_cnn_224", "features.0.block.0.weight"), he, 0.05 * he);
  EXPECT_NEAR(spread("simple_cnn_224", "classifier.weight"), 0.01, 0.0001);
  EXPECT_EQ(spread("simple_cnn_224", "classifier.bias"), 0);
  EXPECT_GT(spread("small_cnn", "head.1.bias"), 0);
  const double glorot = std::sqrt(2.0 / (9 * 64 + 9 * 128));
  EXPECT_NEAR(spread("keras_cnn", "conv3.weight"), glorot, 0.02 * glorot);
  EXPECT_EQ(spread("keras_cnn", "fc.bias"), 0);
  EXPECT_NEAR(spread("vgg11", "features.0.weight"), he, 0.05 * he);
  EXPECT_EQ(spread("vgg11", "features.0.bias"), 0);
  EXPECT_NEAR(spread("mobilenet_v2", "classifier.1.weight"), 0.01, 0.0001);
  const double dense = std::sqrt(2.0 / 128);
  EXPECT_NEAR(spread("densenet121", "features.transition1.conv.weight"), std::sqrt(2) * dense / 2,
              0.02 * dense);
  EXPECT_NEAR(spread("convnext_tiny", "features.1.0.block.5.weight"), 0.0176, 0.0002);
  EXPECT_NEAR(spread("convnext_tiny", "features.1.0.layer_scale"), 1e-6, 1e-12);
  EXPECT_NEAR(spread("squeezenet1_1", "classifier.1.weight"), 0.01, 0.0001);
}

Array noise(const Shape& shape) {
  Array array(DType::f32, shape);
  Random random(5, "noise");
  for (int64_t i = 0; i < array.numel(); ++i) array.set(i, random.normal());
  return array;
}

TEST(Models, RunWithTheirInitialValues) {
  const Shape batch{4, 3, 32, 32};
  for (const char* name : {"small_cnn", "deeper_cnn", "lenet_cnn", "vgg_style_cnn"}) {
    const auto model = models::make(name);
    State state;
    nn::declare(state, *model, 1);
    Memory memory;
    const Program program(*nn::trace(*model, batch));
    const Array logits = program.run(memory, state, {{"input", noise(batch)}})[0];
    // Before training no class dominates: the loss is near ln(10).
    for (int64_t i = 0; i < logits.numel(); ++i) EXPECT_LT(std::abs(logits.at(i)), 2) << name;
    EXPECT_NE(logits.at(0), logits.at(1)) << name;
  }
}

TEST(Models, HaveFastKernelsOnly) {
  // The smallest of each family: the others consist of the same ops.
  for (const char* name : {"small_cnn",
                           "deeper_cnn",
                           "keras_cnn",
                           "simple_cnn_224",
                           "lenet_cnn",
                           "vgg_style_cnn",
                           "lenet5",
                           "alexnet",
                           "vgg11_bn",
                           "googlenet",
                           "inception_v3",
                           "resnet18",
                           "resnext50_32x4d",
                           "resnet50_cifar",
                           "se_resnet18_cifar",
                           "densenet121",
                           "squeezenet1_1",
                           "mobilenet_v1",
                           "mobilenet_v2",
                           "mobilenet_v3_small",
                           "shufflenet_v2_x0_5",
                           "efficientnet_b0",
                           "efficientnet_lite0",
                           "regnet_y_400mf",
                           "convnext_tiny",
                           "unet",
                           "autoencoder",
                           "denoising_autoencoder",
                           "deeplabv3_mobilenet_v3_large",
                           "lraspp_mobilenet_v3_large"}) {
    const auto model = models::make(name, {.input = Shape{3, 96, 96}});
    for (Mode mode : {Mode::train, Mode::eval}) {
      const auto graph = nn::trace(*model, {2, 3, 96, 96}, mode);
      CompileOptions options;
      if (mode == Mode::train) {
        graph->output("loss", mean(graph->output("output")));
        options.passes.loss = "loss";
      }
      const Program program(*graph, options);
      for (const StepInfo& step : program.reference_steps())
        ADD_FAILURE() << name << ": " << step.problem;
    }
  }
}

TEST(Models, TrainingMovesTheRunningStatisticsAndOnlyThem) {
  const Shape batch{4, 3, 32, 32};
  const auto model = models::make("small_cnn", {.choices = {{"dropout", 0}}});
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
  const std::string pool = "max_pool2d: the window spans 2, but the padded input only 1 (axis ";
  expect("small_cnn", {1, 3, 28}, pool + "H)", "small_cnn.pool2 (src/fovea/models/small_cnn.cpp:");
  expect("lenet_cnn", {3, 32, 7}, pool + "W)", "lenet_cnn.pool3 (src/fovea/models/lenet_cnn.cpp:");
  expect("vgg_style_cnn", {3, 4, 4}, pool + "H)",
         "vgg_style_cnn.block3.3 (src/fovea/models/vgg_style_cnn.cpp:");
  expect("deeper_cnn", {3, 4, 4}, pool + "H)",
         "deeper_cnn.stage3.1 (src/fovea/models/deeper_cnn.cpp:");
}

TEST(Models, AWrongInputSizeIsRefusedNamingTheLayer) {
  const auto model = models::make("small_cnn");
  const std::string text = error_text(ErrorKind::usage, [&] {
    (void)nn::trace(*model, {1, 3, 28, 28});
  });
  EXPECT_EQ(text.substr(0, text.find('\n')),
            "linear: input has 3136 features, weight expects 4096");
  EXPECT_NE(text.find("small_cnn.head.1 (src/fovea/models/small_cnn.cpp:"), std::string::npos)
      << text;
}

TEST(Models, ImpossibleOptionsAreRefused) {
  const auto says = [](const std::string& expected, const models::Options& options,
                       std::string_view model = "small_cnn") {
    EXPECT_EQ(error_text(ErrorKind::usage, [&] { (void)models::make(model, options); }), expected);
  };
  says(
      "unknown model \"resnet18-cifr\"\n"
      "  nearest resnet18_cifar, resnet34_cifar, resnet50_cifar\n"
      "  try     fovea models, which lists all; or a net of your own: NET.toml, or models::add in "
      "C++",
      {}, "resnet18-cifr");
  says("small_cnn: the number of outputs must be at least 1, not 0", {.outputs = 0});
  says("small_cnn: the number of input channels must be at least 1, not -1", {.in_channels = -1});
  says("small_cnn: the input's height must be at least 1, not 0", {.input = Shape{3, 0, 9}});
  says("small_cnn: the input [4] has 1 axes; C, H, W or H, W are expected", {.input = Shape{4}});
  says(
      "small_cnn: the input [C=3, H=8, W=8] has 3 channels, but in_channels is 1\n"
      "  try     only one of the two",
      {.in_channels = 1, .input = Shape{3, 8, 8}});
  const std::string probability = "must be a number of at least 0 and below 1, not ";
  says("small_cnn: dropout " + probability + "1", {.choices = {{"dropout", 1}}});
  says("small_cnn: dropout " + probability + "nan", {.choices = {{"dropout", std::nan("")}}});
  says("convnext_tiny: drop_path " + probability + "1", {.choices = {{"drop_path", 1}}},
       "convnext_tiny");
  says("mobilenet_v2: width must be a number above 0 and below 100, not 0",
       {.choices = {{"width", 0}}}, "mobilenet_v2");
  says("resnet18: stem must be \"imagenet\" or \"cifar\", not large",
       {.choices = {{"stem", "large"}}}, "resnet18");
  says("unknown choice of a model \"dropuot\"\n  nearest dropout", {.choices = {{"dropuot", 0.5}}});
}

TEST(Models, ChoicesThatAModelDoesNotHaveAreRefused) {
  const auto refusal = [](const char* model, const Arguments& choices) {
    return error_text(ErrorKind::usage, [&] { (void)models::make(model, {.choices = choices}); });
  };
  EXPECT_EQ(refusal("resnet18_cifar", {{"dropout", 0.5}}),
            "resnet18_cifar: this model has no choice \"dropout\"\n  choices stem");
  EXPECT_EQ(refusal("vgg16", {{"drop_path", 0.1}}),
            "vgg16: this model has no choice \"drop_path\"\n  choices dropout");
  EXPECT_EQ(refusal("lenet5", {{"width", 0.5}}),
            "lenet5: this model has no choice \"width\"\n  choices none");
  EXPECT_NE(refusal("lenet5", {{"width", 0}}), "");  // no model has that width
  EXPECT_NE(refusal("vgg16", {{"aux", true}}), "");
  EXPECT_NE(refusal("vgg16", {{"stem", "cifar"}}), "");
}

TEST(Models, AHugeImageIsAnErrorNotAnAllocation) {
  EXPECT_NO_THROW((void)models::make("resnet18_cifar", {.outputs = int64_t{1} << 40}));
  const int64_t huge = int64_t{1} << 31;
  expect_error(ErrorKind::memory, "a size is too large", [&] {
    (void)models::make("small_cnn", {.input = Shape{3, huge, huge}});
  });
}

TEST(Models, AConfigRebuildsTheSameModel) {
  // What a model file stores.
  const models::Config config = models::configure(
      "small_cnn", {.outputs = 4, .input = Shape{1, 20, 24}, .choices = {{"dropout", 0}}});
  EXPECT_EQ(config.input, (Shape{1, 20, 24}));
  const auto model = models::make("small_cnn", config);
  EXPECT_EQ(nn::trace(*model, {2, 1, 20, 24}, Mode::train)->output("output").shape(),
            (Shape{2, 4}));
}

TEST(Models, ChoicesThatAModelDoesNotHaveMayBeOff) {
  const models::Options options{.choices = {{"drop_path", 0}, {"aux", false}}};
  EXPECT_EQ(models::configure("vgg16", options).choices.values(),
            models::configure("vgg16").choices.values());
}

TEST(Models, ACifarStemKeepsTheSizeOfSmallImages) {
  // With the other one a 32x32 image is a single pixel at the end.
  const auto before_the_mean = [](const char* name, const std::string& scope) {
    const auto model = models::make(
        name, {.outputs = 10, .input = Shape{3, 32, 32}, .choices = {{"stem", "cifar"}}});
    const auto graph = nn::trace(*model, {1, 3, 32, 32});
    Shape shape;
    for (const Node& node : graph->nodes()) {
      if (node.scope().starts_with(scope)) shape = graph->value(node.outputs[0]).type.shape;
    }
    return shape;
  };
  EXPECT_EQ(before_the_mean("resnext50_32x4d", "layer4"), (Shape{1, 2048, 4, 4}));
  EXPECT_EQ(before_the_mean("densenet121", "features"), (Shape{1, 1024, 4, 4}));
  // The CIFAR nets are the others with that stem.
  const auto names = [](const char* name, const models::Options& options) {
    std::vector<std::pair<std::string, Shape>> all;
    const auto model = models::make(name, options);
    for (const nn::Variable* v : model->variables()) all.emplace_back(v->name(), v->shape());
    return all;
  };
  EXPECT_EQ(names("resnet50", {.outputs = 10, .choices = {{"stem", "cifar"}}}),
            names("resnet50_cifar", {}));
  EXPECT_EQ(names("resnet50_cifar", {.outputs = 1000, .choices = {{"stem", "imagenet"}}}),
            names("resnet50", {}));
}

TEST(Models, WidthsAreRoundedToEights) {
  const auto channels = [](double width, const std::string& array) {
    const auto model = models::make("mobilenet_v2", {.choices = {{"width", width}}});
    for (const nn::Variable* v : model->variables()) {
      if (v->name() == array) return v->shape()[0];
    }
    return int64_t{-1};
  };
  EXPECT_EQ(channels(1, "features.2.conv.3.weight"), 24);
  EXPECT_EQ(channels(0.75, "features.2.conv.3.weight"), 24);  // 18: 16 is more than a tenth less
  EXPECT_EQ(channels(0.5, "features.2.conv.3.weight"), 16);   // 12, rounded up
  EXPECT_EQ(channels(0.1, "features.2.conv.3.weight"), 8);
  EXPECT_EQ(channels(0.5, "features.18.0.weight"), 1280);  // the last is never less
  EXPECT_EQ(channels(1.4, "features.18.0.weight"), 1792);
}

TEST(Models, AuxiliaryHeadsAreOutputsOfTrainingOnly) {
  for (const auto& [name, heads] : {std::pair{"googlenet", 2}, {"inception_v3", 1}}) {
    const auto model = models::make(name, {.outputs = 7, .choices = {{"aux", true}}});
    const Shape batch = Shape{2}.concat(models::entry(name).input);
    EXPECT_EQ(nn::trace(*model, batch, Mode::eval)->outputs().size(), 1u) << name;
    const auto graph = nn::trace(*model, batch, Mode::train);
    ASSERT_EQ(graph->outputs().size(), 1u + static_cast<size_t>(heads)) << name;
    for (int i = 1; i <= heads; ++i)
      EXPECT_EQ(graph->output("aux" + std::to_string(i)).shape(), (Shape{2, 7})) << name;
    const auto bare = nn::trace(*models::make(name), batch, Mode::train);
    EXPECT_EQ(bare->outputs().size(), 1u) << name;
  }
}

TEST(Models, SegmentersGiveLogitsOfEveryPixel) {
  const auto output = [](const char* name, const Shape& image) {
    return nn::trace(*models::make(name, {.outputs = 4, .input = image}), Shape{1}.concat(image))
        ->output("output")
        .shape();
  };
  for (const char* name :
       {"unet", "fcn_resnet18", "deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"}) {
    EXPECT_EQ(output(name, {3, 64, 96}), (Shape{1, 4, 64, 96})) << name;
    EXPECT_EQ(output(name, {3, 75, 51}), (Shape{1, 4, 75, 51})) << name;  // not divisible
  }
  EXPECT_EQ(output("unet_paper", {1, 572, 572}), (Shape{1, 4, 388, 388}));
  EXPECT_EQ(output("unet_paper", {1, 188, 220}), (Shape{1, 4, 4, 36}));
}

TEST(Models, SegmentersOfVolumesGiveLogitsOfEveryVoxel) {
  const auto output = [](const char* name, const Shape& volume) {
    return nn::trace(*models::make(name, {.outputs = 4, .input = volume}), Shape{1}.concat(volume))
        ->output("output")
        .shape();
  };
  EXPECT_EQ(output("unet_3d", {1, 16, 24, 32}), (Shape{1, 4, 16, 24, 32}));
  EXPECT_EQ(output("unet_3d", {2, 13, 18, 27}), (Shape{1, 4, 13, 18, 27}));  // not divisible
  EXPECT_EQ(output("unet_3d_paper", {3, 116, 132, 132}), (Shape{1, 4, 28, 44, 44}));
}

TEST(Models, AutoencodersGiveBackImagesOfAnySize) {
  for (const char* name : {"autoencoder", "denoising_autoencoder"}) {
    for (const Shape& image : {Shape{3, 32, 32}, Shape{1, 28, 28}, Shape{3, 37, 50}}) {
      const auto net = models::make(name, {.outputs = image[0], .input = image});
      EXPECT_EQ(nn::trace(*net, Shape{2}.concat(image))->output("output").shape(),
                Shape{2}.concat(image))
          << name;
    }
  }
}

TEST(Models, VideoNetsTakeClipsOfAnySize) {
  for (const char* name : {"r3d_18", "mc3_18", "r2plus1d_18", "small_cnn_3d"}) {
    const auto net = models::make(name, {.outputs = 8, .input = Shape{1, 9, 40, 33}});
    EXPECT_EQ(nn::trace(*net, {2, 1, 9, 40, 33})->output("output").shape(), (Shape{2, 8})) << name;
  }
}

TEST(Models, ASegmentersAuxiliaryHeadIsAnOutputOfTrainingOnly) {
  const auto model = models::make("fcn_resnet50", {.choices = {{"aux", true}}});
  const Shape batch{2, 3, 64, 64};
  EXPECT_EQ(nn::trace(*model, batch, Mode::eval)->outputs().size(), 1u);
  const auto graph = nn::trace(*model, batch, Mode::train);
  EXPECT_EQ(graph->output("aux").shape(), (Shape{2, 21, 64, 64}));
}

TEST(Models, AFeaturePyramidIsBuiltOnAnyBackbone) {
  for (const char* name : {"resnet34", "mobilenet_v3_small", "regnet_y_400mf", "convnext_tiny"}) {
    for (const char* net : {"fcos_fpn", "retinanet_fpn"}) {
      const auto model =
          models::make(net, {.outputs = 5, .choices = {{"backbone", std::string(name)}}});
      // Of 100x70 pixels, padded to 128x96: 16x12, 8x6, 4x3, 2x2 and 1x1.
      const int64_t pixels = 192 + 48 + 12 + 4 + 1;
      const bool fcos = std::string(net) == "fcos_fpn";
      EXPECT_EQ(nn::trace(*model, {1, 3, 100, 70})->output("output").shape(),
                (Shape{1, fcos ? 10 : 9, fcos ? pixels : 9 * pixels}))
          << name;
    }
  }
  EXPECT_EQ(error_text(ErrorKind::usage,
                       [] {
                         (void)models::make("fcos_fpn",
                                            {.choices = {{"backbone", std::string("convnext_tiny")},
                                                         {"norm", std::string("frozen")}}});
                       }),
            "convnext: the net has layer norms, which see no batches\n"
            "  try     --norm batch");
}

TEST(Models, DeeperBlocksAreSkippedMoreOften) {
  for (const char* name : {"efficientnet_b0", "efficientnet_lite0", "convnext_tiny"}) {
    const auto probabilities = [&](double drop_path) {
      const auto model = models::make(name, {.choices = {{"drop_path", drop_path}}});
      const auto graph = nn::trace(*model, {2, 3, 64, 64}, Mode::train);
      std::vector<double> found;
      for (const Node& node : graph->nodes()) {
        const auto* drop = node.op.as<Dropout>();
        if (drop != nullptr && node.scope().find("classifier") == std::string::npos &&
            node.scope() != "dropout")
          found.push_back(drop->p);
      }
      return found;
    };
    const std::vector<double> p = probabilities(0.5);
    ASSERT_GT(p.size(), 5u) << name;
    EXPECT_TRUE(std::is_sorted(p.begin(), p.end())) << name;
    EXPECT_GT(p.back(), 0.4) << name;
    EXPECT_LE(p.back(), 0.5) << name;
    EXPECT_TRUE(probabilities(0).empty()) << name;
  }
}

TEST(Models, BuildingAndTracingTheDeepestTakesNoTime) {
  // Nothing is initialised or computed: 2 ms in release.
  EXPECT_TRUE(takes_less_than(0.05, [] {
    return cpu_seconds([] { (void)nn::trace(*models::make("resnet152"), {1, 3, 224, 224}); });
  }));
}

TEST(Models, EveryConfigIsAcceptedAsOptions) {
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
  EXPECT_EQ(found("res*"),
            (Names{"resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d",
                   "resnext101_32x8d", "resnet18_cifar", "resnet34_cifar", "resnet50_cifar",
                   "resnet101_cifar", "resnet152_cifar", "resnet_1d"}));
  Names ending;  // whatever models there are
  for (const models::Entry& e : models::list()) {
    if (e.name.ends_with("_cnn")) ending.push_back(e.name);
  }
  EXPECT_EQ(found("*_cnn"), ending);
  EXPECT_GE(ending.size(), 5u);
  EXPECT_EQ(found("resnet??_cifar").size(), 3u);
  EXPECT_EQ(found("small_cnn").size(), 1u);
  EXPECT_TRUE(found("small").empty());
}

}  // namespace
}  // namespace fovea
