#include "fovea/predict/parity.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "error_text.h"
#include "fovea/core/random.h"
#include "fovea/models/registry.h"
#include "fovea/nn.h"
#include "fovea/ops.h"
#include "fovea/runtime/program.h"

namespace fovea {
namespace {

/// A convolution, a norm inside a block, and a head.
class Net : public nn::Module {
 public:
  explicit Net(nn::Scope s) : Module(s), block(at("block")), head(at("head"), 4, 3) {}
  Tensor forward(Tensor x) const override { return head(flatten(global_avg_pool(block(x)))); }

 private:
  struct Block : Module {
    explicit Block(nn::Scope s)
        : Module(s), conv(at("conv"), 2, 4, {.kernel = 3, .padding = 1}), bn(at("bn"), 4) {}
    Tensor forward(Tensor x) const override { return relu(bn(conv(x))); }
    nn::Conv2d conv;
    nn::BatchNorm2d bn;
  };
  Block block;
  nn::Linear head;
};

class ParityOfNet : public testing::Test {
 protected:
  ParityOfNet() {
    nn::declare(state_, net_, 3);
    Array x(DType::f32, {2, 2, 5, 5});
    for (int64_t i = 0; i < x.numel(); ++i) x.set(i, static_cast<double>(i % 13) / 7 - 0.8);
    const auto graph = nn::trace(net_, x.shape());
    Memory memory;
    const std::vector<Array> y = Program(*graph).run(memory, state_, {{"input", x}});
    trace_ = {{"input", x}, {"output", y[0].clone()}};
  }
  /// The trace of every layer, recorded from the model itself.
  void record(const std::string& name, const std::function<Tensor(Tensor)>& part) {
    const auto graph = Graph::make(Mode::eval);
    graph->output("y", part(graph->input("x", {DType::f32, trace_[0].second.shape()})));
    Memory memory;
    trace_.emplace_back(name,
                        Program(*graph).run(memory, state_, {{"x", trace_[0].second}})[0].clone());
  }
  Array& recorded(const std::string& name) {
    return std::ranges::find(trace_, name, &Trace::value_type::first)->second;
  }

  Net net_{nn::Scope("net")};
  State state_;
  Trace trace_;
};

std::vector<std::string> names(const Parity& parity) {
  std::vector<std::string> list;
  for (const LayerParity& layer : parity.layers) list.push_back(layer.name);
  return list;
}

TEST_F(ParityOfNet, EveryLayerOfBothSidesIsComparedInTheOrderOfExecution) {
  const nn::Module& block = *net_.children()[0];
  record("block", [&](Tensor x) { return block(x); });
  record("block.conv", [&](Tensor x) { return (*block.children()[0])(x); });
  record("block.bn", [&](Tensor x) { return (*block.children()[1])((*block.children()[0])(x)); });
  record("dropout", [&](Tensor x) { return relu(x); });
  Parity parity = compare(net_, state_, trace_);
  EXPECT_EQ(names(parity), (std::vector<std::string>{"block.conv", "block.bn", "block", "output"}));
  EXPECT_EQ(parity.unmatched, std::vector<std::string>{"dropout"});
  EXPECT_EQ(parity.first_departure(1e-5), nullptr);
  ASSERT_TRUE(parity.compiled);
  EXPECT_LE(parity.compiled->relative(), 1e-5);
  EXPECT_GT(parity.layers[0].largest, 0.1);

  // One number of one layer differs, while later layers agree: that layer is named.
  Array& bn = recorded("block.bn");
  bn.set(7, bn.at(7) + 0.5);
  parity = compare(net_, state_, trace_);
  ASSERT_NE(parity.first_departure(1e-3), nullptr);
  EXPECT_EQ(parity.first_departure(1e-3)->name, "block.bn");
  EXPECT_NEAR(parity.first_departure(1e-3)->difference, 0.5, 1e-6);
}

TEST_F(ParityOfNet, ALayerThatDoesNothingAndOneCalledTwiceAreCompared) {
  class Twice : public nn::Module {
   public:
    explicit Twice(const nn::Scope& s) : Module(s), act(at("act")), drop(at("drop")) {}
    Tensor forward(Tensor x) const override { return act(drop(act(x)) - 0.5); }
    nn::ReLU act;
    nn::Dropout drop;
  };
  const Twice net(nn::Scope("twice"));
  const auto once = [](const Tensor& x) { return relu(x); };
  record("drop", once);
  record("act", [&](const Tensor& x) { return relu(once(x) - 0.5); });  // the last call
  std::erase_if(trace_, [](const auto& entry) { return entry.first == "output"; });
  const Parity parity = compare(net, state_, trace_);
  EXPECT_EQ(names(parity), (std::vector<std::string>{"drop", "act"}));
  EXPECT_EQ(parity.first_departure(1e-6), nullptr);
}

TEST_F(ParityOfNet, OtherWeightsDifferWhereTheyAreFirstUsed) {
  const nn::Module& block = *net_.children()[0];
  record("block.conv", [&](Tensor x) { return (*block.children()[0])(x); });
  Array weight = state_.get("head.weight").clone();
  weight.set(0, weight.at(0) + 1);
  state_.set("head.weight", weight);
  const Parity parity = compare(net_, state_, trace_);
  EXPECT_EQ(parity.first_departure(1e-3)->name, "output");
}

TEST_F(ParityOfNet, NaNsAndOtherShapesDiffer) {
  recorded("output").set(1, std::numeric_limits<double>::quiet_NaN());
  EXPECT_NE(compare(net_, state_, trace_).first_departure(1), nullptr);
  recorded("output") = Array(DType::f32, {2, 4});
  const Parity parity = compare(net_, state_, trace_);
  const LayerParity* first = parity.first_departure(1);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->shape, (Shape{2, 3}));
  EXPECT_EQ(first->recorded, (Shape{2, 4}));
}

TEST_F(ParityOfNet, ATraceOfSomethingElseIsRefused) {
  expect_error(ErrorKind::data, "the trace has nothing that the model net has\n  found    fc1, fc2",
               [&] {
                 compare(net_, state_,
                         {{"input", trace_[0].second},
                          {"fc1", Array(DType::f32, {1})},
                          {"fc2", Array(DType::f32, {1})}});
               });
  expect_error(ErrorKind::data, "the trace has no array \"input\"", [&] {
    compare(net_, state_, {{"output", Array(DType::f32, {1})}});
  });
  expect_error(ErrorKind::usage, "channels", [&] {
    compare(net_, state_,
            {{"input", Array(DType::f32, {1, 5, 4, 4})}, {"output", Array(DType::f32, {1})}});
  });
}

}  // namespace
}  // namespace fovea
