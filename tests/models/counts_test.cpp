#include <gtest/gtest.h>

#include <map>

#include "fovea/models/registry.h"
#include "fovea/nn.h"
#include "fovea/passes/summary.h"
#include "golden_fill.h"

namespace fovea {
namespace {

struct Counts {
  std::string_view name;
  int64_t parameters;
  int64_t buffers;  ///< running statistics, without the counters of batches
  int64_t macs;     ///< of convolutions and linear layers, one image of the model's own size
};

// As PyTorch and torchvision count the same nets: a difference is a net that is not the one its
// name says.
constexpr Counts counts[] = {
    {"small_cnn", 545'290, 192, 6'128'896},
    {"deeper_cnn", 410'826, 1'024, 77'269'504},
    {"keras_cnn", 94'730, 192, 10'323'200},
    {"simple_cnn_224", 15'231'912, 8'448, 3'837'169'664},
    {"simple_cnn_gap", 405'898, 896, 1'936'426'240},
    {"simple_cnn_deep", 1'149'770, 1'792, 152'766'976},
    {"lenet_cnn", 620'362, 0, 10'848'768},
    {"vgg_style_cnn", 1'806'154, 2'304, 190'581'248},
    {"lenet5", 61'706, 0, 416'520},
    {"alexnet", 61'100'840, 0, 714'188'480},
    {"vgg11", 132'863'336, 0, 7'609'090'048},
    {"vgg11_bn", 132'868'840, 5'504, 7'609'090'048},
    {"vgg13", 133'047'848, 0, 11'308'466'176},
    {"vgg13_bn", 133'053'736, 5'888, 11'308'466'176},
    {"vgg16", 138'357'544, 0, 15'470'264'320},
    {"vgg16_bn", 138'365'992, 8'448, 15'470'264'320},
    {"vgg19", 143'667'240, 0, 19'632'062'464},
    {"vgg19_bn", 143'678'248, 11'008, 19'632'062'464},
    {"googlenet", 6'624'904, 14'560, 1'498'376'192},
    {"inception_v3", 23'834'568, 34'432, 5'713'216'096},
    {"resnet18", 11'689'512, 9'600, 1'814'073'344},
    {"resnet34", 21'797'672, 17'024, 3'663'761'408},
    {"resnet50", 25'557'032, 53'120, 4'089'184'256},
    {"resnet101", 44'549'160, 105'344, 7'801'405'440},
    {"resnet152", 60'192'808, 151'424, 11'513'626'624},
    {"resnext50_32x4d", 25'028'904, 68'224, 4'230'479'872},
    {"resnext101_32x8d", 88'791'336, 202'880, 16'414'015'488},
    {"wide_resnet50_2", 68'883'240, 68'224, 11'398'021'120},
    {"wide_resnet101_2", 126'886'696, 137'856, 22'753'050'624},
    {"resnet18_cifar", 11'173'962, 9'600, 555'422'720},
    {"resnet34_cifar", 21'282'122, 17'024, 1'159'402'496},
    {"resnet50_cifar", 23'520'842, 53'120, 1'297'829'888},
    {"resnet101_cifar", 42'512'970, 105'344, 2'509'983'744},
    {"resnet152_cifar", 58'156'618, 151'424, 3'722'137'600},
    {"se_resnet18_cifar", 11'261'002, 9'600, 555'509'760},
    {"mini_resnet", 11'181'642, 9'600, 37'016'576},
    {"densenet121", 7'978'856, 83'648, 2'834'161'664},
    {"densenet161", 28'681'000, 219'936, 7'727'907'072},
    {"densenet169", 14'149'480, 158'400, 3'359'843'328},
    {"densenet201", 20'013'928, 229'056, 4'291'365'888},
    {"squeezenet1_0", 1'248'424, 0, 818'924'576},
    {"squeezenet1_1", 1'235'496, 0, 349'151'936},
    {"mobilenet_v1", 4'231'976, 21'888, 568'740'352},
    {"mobilenet_v2", 3'504'872, 34'112, 300'774'272},
    {"mobilenet_v3_large", 5'483'032, 24'400, 216'589'760},
    {"mobilenet_v3_small", 2'542'856, 12'112, 56'510'400},
    {"shufflenet_v2_x0_5", 1'366'792, 7'952, 40'476'448},
    {"shufflenet_v2_x1_0", 2'278'604, 16'180, 144'907'992},
    {"shufflenet_v2_x1_5", 3'503'624, 23'440, 295'759'392},
    {"shufflenet_v2_x2_0", 7'393'996, 33'716, 583'253'464},
    {"efficientnet_b0", 5'288'548, 42'016, 385'814'752},
    {"efficientnet_b1", 7'794'184, 62'048, 686'802'832},
    {"efficientnet_b2", 9'109'994, 67'568, 1'087'529'456},
    {"efficientnet_b3", 12'233'232, 87'296, 1'827'141'392},
    {"efficientnet_b4", 19'341'616, 125'200, 4'393'771'024},
    {"efficientnet_b5", 30'389'784, 172'736, 10'266'384'752},
    {"efficientnet_b6", 43'040'704, 224'432, 19'067'593'536},
    {"efficientnet_b7", 66'347'960, 310'720, 37'745'884'192},
    {"efficientnet_lite0", 4'652'008, 42'016, 385'187'552},
    {"regnet_y_400mf", 4'344'144, 27'152, 401'842'848},
    {"convnext_tiny", 28'589'128, 0, 4'455'531'264},
    {"convnext_small", 50'223'688, 0, 8'683'712'256},
    {"convnext_base", 88'591'464, 0, 15'354'729'472},
    {"convnext_large", 197'767'336, 0, 34'361'433'600},
};

int64_t elements(const std::vector<const nn::Variable*>& variables) {
  int64_t sum = 0;
  for (const nn::Variable* v : variables) {
    if (!v->name().ends_with("num_batches_tracked")) sum += v->shape().numel();
  }
  return sum;
}

Summary summary_of(const nn::Module& model, const Shape& image) {
  std::vector<std::string> parameters;
  for (const nn::Variable* v : model.parameters()) parameters.push_back(v->name());
  return summarize(*nn::trace(model, Shape{1}.concat(image)), parameters);
}

TEST(Registry, HasThePublishedNumbers) {
  EXPECT_EQ(models::list().size(), std::size(counts));
  for (const Counts& expected : counts) {
    const auto model = models::make(expected.name);
    EXPECT_EQ(elements(model->parameters()), expected.parameters) << expected.name;
    EXPECT_EQ(elements(model->buffers()), expected.buffers) << expected.name;
    const Summary s = summary_of(*model, models::entry(expected.name).defaults.input);
    EXPECT_EQ(s.parameters, expected.parameters) << expected.name;  // no layer is left unused
    EXPECT_EQ(s.buffers, expected.buffers) << expected.name;
    EXPECT_EQ(s.macs, expected.macs) << expected.name;
  }
}

TEST(Registry, CountsWithOtherChoices) {
  const auto parameters = [](std::string_view name, const models::Options& options) {
    return elements(models::make(name, options)->parameters());
  };
  EXPECT_EQ(parameters("googlenet", {.aux = true}), 13'004'888);
  EXPECT_EQ(parameters("inception_v3", {.aux = true}), 27'161'264);
  EXPECT_EQ(parameters("simple_cnn_224", {.classes = 10}), 14'724'042);
  EXPECT_EQ(parameters("resnet18", {.classes = 10}), 11'181'642);
  EXPECT_EQ(parameters("mobilenet_v2", {.width = 0.5}), 1'968'680);
  EXPECT_EQ(parameters("mobilenet_v1", {.width = 0.25}), 470'072);
}

TEST(Registry, MultiplyAddsOfOtherImages) {
  const auto macs = [](std::string_view name, int64_t classes, int64_t side) {
    const Shape image{3, side, side};
    return summary_of(*models::make(name, {.classes = classes, .input = image}), image).macs;
  };
  EXPECT_EQ(macs("simple_cnn_224", 10, 224), 3'836'662'784);
  EXPECT_EQ(macs("simple_cnn_gap", 10, 32), 39'552'256);
  EXPECT_EQ(macs("mini_resnet", 10, 224), 1'813'566'464);
}

TEST(Registry, HasThePublishedReceptiveFields) {
  struct Field {
    std::string_view name;
    int64_t size, jump;
  };
  for (const Field& expected : {Field{"small_cnn", 10, 4},
                                {"deeper_cnn", 24, 8},
                                {"simple_cnn_224", 299, 32},
                                {"simple_cnn_gap", 22, 8},
                                {"simple_cnn_deep", 32, 4},
                                {"lenet_cnn", 22, 8},
                                {"vgg_style_cnn", 44, 8},
                                {"resnet18_cifar", 109, 8},
                                {"vgg16", 212, 32}}) {
    const ReceptiveField field =
        summary_of(*models::make(expected.name), models::entry(expected.name).defaults.input).field;
    ASSERT_EQ(field.size(), 2u) << expected.name;
    EXPECT_EQ(field[0], field[1]) << expected.name;
    EXPECT_EQ(field[0].size, expected.size) << expected.name;
    EXPECT_EQ(field[0].jump, expected.jump) << expected.name;
  }
}

TEST(Registry, NamesShapesAndOrderOfArraysAreTorchvisions) {
  // Weights load by these names, both ways. scripts/golden/model_names.py has the same lines.
  const auto golden = golden_fill::file("model_names");
  EXPECT_EQ(golden.size(), 49u);
  for (const auto& [key, hash] : golden) {
    const bool aux = key.ends_with(" aux");
    models::Options options;
    if (aux) options.aux = true;
    const auto model = models::make(key.substr(0, key.find(' ')), options);
    std::string lines;
    for (const nn::Variable* v : model->variables())
      lines += v->name() + to_string(v->shape()) + "\n";
    EXPECT_EQ(golden_fill::fnv(lines), static_cast<uint64_t>(hash.data<int64_t>()[0]))
        << key << ":\n"
        << lines.substr(0, 2000);
  }
}

}  // namespace
}  // namespace fovea
