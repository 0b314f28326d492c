#include "fovea/weights/fit.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "error_text.h"
#include "predict/trained.h"

namespace fovea {
namespace {

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

}  // namespace
}  // namespace fovea
