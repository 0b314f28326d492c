#include <gtest/gtest.h>

#include "fovea/models/registry.h"
#include "fovea/nn.h"
#include "fovea/passes/summary.h"
#include "golden_fill.h"

namespace fovea {
namespace {

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

// A difference means that a net is not the one that its name claims.
TEST(Registry, EveryModelHasTheCountsThatItsEntryStates) {
  const std::vector<models::Entry> entries = models::list();
  EXPECT_GE(entries.size(), 80u);
  for (const models::Entry& entry : entries) {
    ASSERT_TRUE(entry.counts) << entry.name << ": its entry has no .counts";
    const models::Counts& expected = *entry.counts;
    const auto model = models::make(entry.name);
    EXPECT_EQ(elements(model->parameters()), expected.parameters) << entry.name;
    EXPECT_EQ(elements(model->buffers()), expected.buffers) << entry.name;
    const Summary s = summary_of(*model, entry.input);
    EXPECT_EQ(s.parameters, expected.parameters) << entry.name;  // no layer is left unused
    EXPECT_EQ(s.buffers, expected.buffers) << entry.name;
    EXPECT_EQ(s.macs, expected.macs) << entry.name;
  }
}

// The order of `fovea models` is that of models/CMakeLists.txt.
TEST(Registry, ListsModelsInOrder) {
  std::vector<std::string> names;
  for (const models::Entry& entry : models::list("res*18*")) names.push_back(entry.name);
  EXPECT_EQ(names, (std::vector<std::string>{"resnet18", "resnet18_cifar"}));
  EXPECT_EQ(models::list().front().name, "small_cnn");
  EXPECT_EQ(models::list("alex*").size(), 1u);
}

TEST(Registry, CountsWithOtherChoices) {
  const auto parameters = [](std::string_view name, const models::Options& options) {
    return elements(models::make(name, options)->parameters());
  };
  EXPECT_EQ(parameters("googlenet", {.choices = {{"aux", true}}}), 13'004'888);
  EXPECT_EQ(parameters("inception_v3", {.choices = {{"aux", true}}}), 27'161'264);
  EXPECT_EQ(parameters("fcn_resnet50", {.choices = {{"aux", true}}}), 35'322'218);
  EXPECT_EQ(parameters("deeplabv3_resnet50", {.choices = {{"aux", true}}}), 42'004'074);
  EXPECT_EQ(parameters("retinanet_resnet50_fpn", {.choices = {{"norm", std::string("frozen")}}}),
            34'014'999);
  EXPECT_EQ(parameters("fcos_resnet50_fpn", {.choices = {{"norm", std::string("frozen")}}}),
            32'269'600);
  EXPECT_EQ(parameters("simple_cnn_224", {.outputs = 10}), 14'724'042);
  EXPECT_EQ(parameters("resnet18", {.outputs = 10}), 11'181'642);
  EXPECT_EQ(parameters("mobilenet_v2", {.choices = {{"width", 0.5}}}), 1'968'680);
  EXPECT_EQ(parameters("mobilenet_v1", {.choices = {{"width", 0.25}}}), 470'072);
}

TEST(Registry, MultiplyAddsOfOtherImages) {
  const auto macs = [](std::string_view name, int64_t classes, int64_t side) {
    const Shape image{3, side, side};
    return summary_of(*models::make(name, {.outputs = classes, .input = image}), image).macs;
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
        summary_of(*models::make(expected.name), models::entry(expected.name).input).field;
    ASSERT_EQ(field.size(), 2u) << expected.name;
    EXPECT_EQ(field[0], field[1]) << expected.name;
    EXPECT_EQ(field[0].size, expected.size) << expected.name;
    EXPECT_EQ(field[0].jump, expected.jump) << expected.name;
  }
}

TEST(Registry, NamesShapesAndOrderOfArraysAreTorchvisions) {
  // Weights load by these names, both ways. scripts/golden/model_names.py has the same lines.
  const auto golden = golden_fill::file("model_names");
  EXPECT_EQ(golden.size(), 63u);
  for (const auto& [key, hash] : golden) {
    const bool aux = key.ends_with(" aux");
    models::Options options;
    if (aux) options.choices.set("aux", true);
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
