#include "fovea/nn/module.h"

#include <gtest/gtest.h>

#include <optional>
#include <tuple>

#include "error_text.h"
#include "fovea/nn.h"

namespace fovea {
namespace {

/// The identity where shapes agree, else a 1x1 convolution and a norm.
class Shortcut : public nn::Sequential {
 public:
  Shortcut(nn::Scope s, int in, int out, int stride) : Sequential(s) {
    if (in == out && stride == 1) return;
    add<nn::Conv2d>(in, out, nn::Conv2d::Options{.kernel = 1, .stride = stride, .bias = false});
    add<nn::BatchNorm2d>(out);
  }
};

// The manual's example of a model, verbatim: it must keep compiling.
class BasicBlock : public nn::Module {
 public:
  BasicBlock(nn::Scope s, int in, int out, int stride)
      : Module(s),
        conv1(at("conv1"), in, out, {.kernel = 3, .stride = stride, .padding = 1, .bias = false}),
        bn1(at("bn1"), out),
        conv2(at("conv2"), out, out, {.kernel = 3, .padding = 1, .bias = false}),
        bn2(at("bn2"), out),
        downsample(at("downsample"), in, out, stride) {}

  Tensor forward(Tensor x) const override {
    Tensor y = relu(bn1(conv1(x)));
    y = bn2(conv2(y));
    return relu(y + downsample(x));
  }

  nn::Conv2d conv1;
  nn::BatchNorm2d bn1;
  nn::Conv2d conv2;
  nn::BatchNorm2d bn2;
  Shortcut downsample;
};

std::vector<std::string> names(const std::vector<const nn::Variable*>& variables) {
  std::vector<std::string> result;
  for (const nn::Variable* v : variables) result.push_back(v->name());
  return result;
}

using Names = std::vector<std::string>;

TEST(Module, ArraysAreNamedAndOrderedAsPyTorchsStateDict) {
  const BasicBlock block(nn::Scope("block"), 4, 8, 2);
  EXPECT_EQ(names(block.variables()),
            (Names{"conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var",
                   "bn1.num_batches_tracked", "conv2.weight", "bn2.weight", "bn2.bias",
                   "bn2.running_mean", "bn2.running_var", "bn2.num_batches_tracked",
                   "downsample.0.weight", "downsample.1.weight", "downsample.1.bias",
                   "downsample.1.running_mean", "downsample.1.running_var",
                   "downsample.1.num_batches_tracked"}));
  EXPECT_EQ(block.parameters().size(), 9u);
  EXPECT_EQ(block.buffers().size(), 9u);
  EXPECT_EQ(block.downsample.children()[0]->path(), "downsample.0");
}

TEST(Module, ATraceReadsEachArrayOnceByItsFullName) {
  const BasicBlock block(nn::Scope("block"), 4, 8, 2);
  const auto graph = nn::trace(block, {2, 4, 6, 6}, Mode::train);
  EXPECT_EQ(graph->output("output").shape(), (Shape{2, 8, 3, 3}));
  int read = 0, trainable = 0;
  for (const Value& value : graph->values()) {
    read += value.leaf == Leaf::state;
    trainable += value.trainable;
  }
  EXPECT_EQ(read, 18);
  EXPECT_EQ(trainable, 9);
  EXPECT_EQ(graph->updates().size(), 9u);
  EXPECT_EQ(graph->node(0).scope(), "conv1");
}

TEST(Module, AnEvalTraceChangesNothing) {
  const BasicBlock block(nn::Scope("block"), 4, 4, 1);
  const auto graph = nn::trace(block, {1, 4, 6, 6});
  EXPECT_TRUE(graph->updates().empty());
  for (const Value& value : graph->values()) EXPECT_FALSE(value.trainable);
}

TEST(Module, AnF64GraphReadsF64WeightsAndI64Counters) {
  const BasicBlock block(nn::Scope("block"), 4, 4, 1);
  const auto graph = nn::trace(block, {1, 4, 6, 6}, Mode::train, DType::f64);
  for (const Value& value : graph->values()) {
    if (value.leaf != Leaf::state) continue;
    const bool counter = value.name.ends_with("num_batches_tracked");
    EXPECT_EQ(value.type.dtype, counter ? DType::i64 : DType::f64) << value.name;
  }
}

/// One layer, called twice.
class Twice : public nn::Module {
 public:
  explicit Twice(const nn::Scope& s) : Module(s), fc(at("fc"), 5, 5) {}
  Tensor forward(Tensor x) const override { return fc(relu(fc(x))); }
  nn::Linear fc;
};

TEST(Module, AModuleUsedTwiceSharesItsWeights) {
  const Twice net(nn::Scope("twice"));
  EXPECT_EQ(names(net.parameters()), (Names{"fc.weight", "fc.bias"}));
  State state;
  nn::declare(state, net, 1);
  EXPECT_EQ(state.count(Role::parameter), 30);
  int read = 0;
  const auto graph = nn::trace(net, {1, 5});
  for (const Value& v : graph->values()) read += v.leaf == Leaf::state;
  EXPECT_EQ(read, 2);
}

TEST(Module, MessagesNameTheLineOfANetsText) {
  // The author of the text has not seen the code of its blocks.
  const BasicBlock block(nn::Scope("block", Where("net.toml", 12)), 4, 8, 2);
  const std::string message = error_text(ErrorKind::usage, [&] {
    (void)nn::trace(block, {1, 3, 6, 6});
  });
  EXPECT_NE(message.find("\n  at      block.conv1 (net.toml:12)\n"), std::string::npos) << message;
}

TEST(Module, AMessageNamesTheLayerAndTheLineThatBuiltIt) {
  const BasicBlock block(nn::Scope("block"), 4, 8, 2);
  const std::string line = std::to_string(block.conv1.where().line);
  EXPECT_EQ(error_text(ErrorKind::usage,
                       [&] {
                         (void)nn::trace(block, {1, 3, 6, 6});
                       }),
            "conv2d: input has 3 channels, weight expects 4\n"
            "  input   f32[N=1, C=3, H=6, W=6]\n"
            "  weight  f32[O=8, I=4, H=3, W=3], groups=1\n"
            "  at      block.conv1 (tests/nn/module_test.cpp:" +
                line +
                ")\n"
                "  try     a layer with in_channels = 3, or input of 4 channels");
}

TEST(Module, APartTracedAloneHasItsFullPath) {
  const BasicBlock block(nn::Scope("block"), 4, 8, 2);
  const std::string text = error_text(ErrorKind::usage, [&] {
    (void)nn::trace(*block.downsample.children()[0], {1, 3, 6, 6});
  });
  EXPECT_NE(text.find("at      block.downsample.0 (tests/nn/module_test.cpp:"), std::string::npos)
      << text;
}

/// Two children with the same name.
class Clash : public nn::Module {
 public:
  explicit Clash(const nn::Scope& s) : Module(s), a(at("fc"), 2, 2), b(at("fc"), 2, 2) {}
  nn::Linear a, b;
};

class Named : public nn::Module {
 public:
  Named(const nn::Scope& s, const std::string& name) : Module(s), a(at(name)) {}
  nn::Identity a;
};

TEST(Module, NamesAreUniqueAndWithoutDots) {
  const auto says = [](const std::string& text, const auto& make) {
    expect_error(ErrorKind::usage, text, make);
  };
  says(
      "nn: \"fc\" is the name of two parts of the same module\n  in      c "
      "(tests/nn/module_test.cpp:",
      [] { Clash c(nn::Scope("c")); });
  says("nn: \"a.b\" is not a valid name: it is empty or contains a dot",
       [] { Named n(nn::Scope("n"), "a.b"); });
  says("nn: \"\" is not a valid name: it is empty or contains a dot",
       [] { Named n(nn::Scope("n"), ""); });
}

/// A head that can be replaced.
class Headed : public nn::Module {
 public:
  explicit Headed(const nn::Scope& s) : Module(s) { replace(10); }
  void replace(int64_t classes) {
    head.reset();
    head = std::make_unique<nn::Linear>(at("head"), 4, classes);
  }
  Tensor forward(Tensor x) const override { return (*head)(x); }
  std::unique_ptr<nn::Linear> head;
};

TEST(Module, ADestroyedPartFreesItsName) {
  Headed net(nn::Scope("net"));
  net.replace(3);
  EXPECT_EQ(net.children().size(), 1u);
  EXPECT_EQ(nn::trace(net, {2, 4})->output("output").shape(), (Shape{2, 3}));
}

/// Two inputs and two outputs.
class Pair : public nn::Module {
 public:
  explicit Pair(const nn::Scope& s) : Module(s), fc(at("fc"), 3, 3) {}
  using Module::forward;
  Tensors forward(const Tensor& a, const Tensor& b) const { return {fc(a) + b, a}; }
  nn::Linear fc;
};

class PairUser : public nn::Module {
 public:
  explicit PairUser(const nn::Scope& s) : Module(s), pair(at("pair")) {}
  Tensor forward(Tensor x) const override { return nn::call(pair, x, x)[0]; }
  Pair pair;
};

/// "path: type" of each call, and its numbers of inputs and outputs.
std::vector<std::string> calls(const Graph& graph) {
  std::vector<std::string> list;
  for (const Call& call : graph.calls()) {
    list.push_back(call.path + ": " + call.type + " " + std::to_string(call.inputs.size()) +
                   " -> " + std::to_string(call.outputs.size()));
  }
  return list;
}

TEST(Module, ATraceKnowsEachCallAndItsClass) {
  const Twice net(nn::Scope("twice"));
  const auto graph = nn::trace(net, {2, 5});
  EXPECT_EQ(calls(*graph), (Names{": Twice 1 -> 1", "fc: Linear 1 -> 1", "fc: Linear 1 -> 1"}));
  EXPECT_EQ(graph->call(2).parent, 0);
  EXPECT_EQ(graph->call(2).outputs, graph->call(0).outputs);
  EXPECT_NE(graph->call(1).outputs, graph->call(2).outputs);
  EXPECT_EQ(graph->call(1).where.line, net.fc.where().line);

  const PairUser pair(nn::Scope("net"));
  EXPECT_EQ(calls(*nn::trace(pair, {2, 3})),
            (Names{": PairUser 1 -> 1", "pair: Pair 2 -> 2", "pair.fc: Linear 1 -> 1"}));
}

TEST(Module, AnIdentityLayerIsRecordedAsACall) {
  nn::Sequential net(nn::Scope("net"));
  net.add<nn::Identity>();
  net.add<nn::Dropout>(0.5);
  net.add<nn::ReLU>();
  const auto graph = nn::trace(net, {2, 3});
  EXPECT_EQ(calls(*graph), (Names{": Sequential 1 -> 1", "0: Identity 1 -> 1", "1: Dropout 1 -> 1",
                                  "2: ReLU 1 -> 1"}));
  EXPECT_EQ(graph->call(2).inputs, graph->call(2).outputs);
  EXPECT_EQ(graph->nodes().size(), 1u);
}

TEST(Module, InputsOfACallAreFoundInContainers) {
  class Mixed : public nn::Module {
   public:
    explicit Mixed(const nn::Scope& s) : Module(s) {}
    using Module::forward;
    std::pair<Tensor, std::tuple<Tensors, std::optional<Tensor>>> forward(
        const Tensor& x, const std::string&, const Tensors& more,
        const std::optional<Tensor>& last) const {
      return {relu(x), {more, last}};
    }
  };
  const Mixed mixed(nn::Scope("mixed"));
  const auto graph = Graph::make(Mode::eval);
  Tensors x;
  for (const char* name : {"a", "b", "c", "d"}) x.push_back(graph->input(name, {DType::f32, {2}}));
  (void)nn::call(mixed, x[0], "a text", Tensors{x[1], Tensor(), x[2]}, std::optional(x[3]));
  EXPECT_EQ(graph->call(0).inputs, (std::vector{0, 1, 2, 3}));
  EXPECT_EQ(graph->call(0).outputs, (std::vector{4, 1, 2, 3}));
}

TEST(Module, OtherSignaturesAreCalledThroughCall) {
  const PairUser net(nn::Scope("net"));
  const auto graph = nn::trace(net, {2, 3});
  EXPECT_EQ(graph->node(0).scope(), "pair.fc");
  EXPECT_EQ(graph->node(1).scope(), "pair");
  expect_error(ErrorKind::internal, "nn: \"pair\" has no forward for a single Tensor", [&] {
    (void)nn::trace(net.pair, {2, 3});
  });
}

TEST(Module, DeclaredArraysDependOnSeedAndNameOnly) {
  const BasicBlock block(nn::Scope("block"), 4, 8, 2), again(nn::Scope("other"), 4, 8, 2);
  State a, b, c, d;
  nn::declare(a, block, 7);
  nn::declare(b, again, 7, DType::f64);
  nn::declare(c, block, 8);
  (void)a.get("bn1.weight");  // the order of first use does not matter
  for (const nn::Variable* v : block.variables()) {
    const Array& x = a.get(v->name());
    const Array& y = b.get(v->name());
    for (int64_t i = 0; i < x.numel(); ++i) {
      EXPECT_EQ(x.at(i), static_cast<float>(y.at(i))) << v->name();
    }
  }
  EXPECT_NE(a.get("conv1.weight").at(0), c.get("conv1.weight").at(0));
  EXPECT_NE(a.get("conv1.weight").at(0), a.get("conv2.weight").at(0));
  EXPECT_EQ(a.get("bn1.running_var").at(3), 1);
  EXPECT_EQ(a.get("bn1.num_batches_tracked").dtype(), DType::i64);
  EXPECT_EQ(a.names(Role::parameter), names(block.parameters()));
}

}  // namespace
}  // namespace fovea
