#include "fovea/passes/tap.h"

#include "error_text.h"
#include "fovea/graph/print.h"
#include "fovea/graph/verify.h"
#include "fovea/nn.h"
#include "fovea/ops.h"
#include "fovea/passes/autodiff.h"
#include "fovea/passes/fold_batchnorm.h"
#include "fovea/passes/fuse.h"
#include "fovea/passes/pipeline.h"
#include "fovea/passes/simplify.h"
#include "laid_out.h"
#include "passes/nets.h"

namespace fovea::pass_test {
namespace {

/// conv, norm, relu, which passes fuse, then a layer called twice and one that does nothing in use.
class Net : public nn::Module {
 public:
  explicit Net(const nn::Scope& s)
      : Module(s),
        conv1(at("conv1"), 16, 16, {.kernel = 3, .padding = 1}),
        bn1(at("bn1"), 16),
        act(at("act")),
        conv2(at("conv2"), 16, 16, {.kernel = 1}),
        drop(at("drop")),
        unused(at("unused")) {}
  Tensor forward(Tensor x) const override {
    Tensor y = act(bn1(conv1(x)));
    (void)unused(y);
    y = conv2(relu(conv2(y)));
    return drop(y) * 0.5;
  }
  nn::Conv2d conv1;
  nn::BatchNorm2d bn1;
  nn::ReLU act;
  nn::Conv2d conv2;
  nn::Dropout drop;
  nn::Tanh unused;
};

const Net net(nn::Scope("net"));

std::shared_ptr<Graph> traced(Mode mode = Mode::eval) {
  return nn::trace(net, {2, 16, 4, 4}, mode, DType::f64);
}

std::vector<std::string> names(const std::vector<Tap>& taps) {
  std::vector<std::string> list;
  for (const Tap& tap : taps) list.push_back(tap.name);
  return list;
}

using Names = std::vector<std::string>;

TEST(Tap, GivesTheModulesOwnResultWhateverPassesDo) {
  EXPECT_EQ(count(*run_passes(*traced(), {}), "batch_norm_eval"), 0);  // folded
  for (const char* module : {"conv1", "bn1", "act", "conv2", "drop", "unused"}) {
    for (Mode mode : {Mode::eval, Mode::train}) {
      const auto graph = traced(mode);
      const std::vector<Tap> taps = tap(*graph, module);
      const auto compiled = run_passes(*graph, {});
      EXPECT_TRUE(same_results(*graph, *compiled)) << module;
      EXPECT_EQ(compiled->output(tap_name(taps[0].name)).type(), taps[0].value.type()) << module;
    }
  }
  // Only tapped values stay separate.
  const auto graph = traced();
  EXPECT_EQ(tap(*graph, "conv1")[0].value, graph->node(0).output(0));
  tap(*graph, "conv1");
  EXPECT_EQ(count(*run_passes(*graph, {}), "batch_norm_eval"), 1);
  const auto after = traced();
  tap(*after, "act");
  EXPECT_EQ(count(*run_passes(*after, {}), "batch_norm_eval"), 0);
}

TEST(Tap, AGlobGivesAllMatchesInOrderOfCompletion) {
  const auto graph = traced();
  EXPECT_EQ(names(tap(*graph, "*1")), (Names{"conv1", "bn1", "conv2#1"}));
  EXPECT_EQ(names(tap(*graph, "conv2")), (Names{"conv2#1", "conv2#2"}));
  EXPECT_EQ(names(tap(*graph, "conv2#2")), Names{"conv2#2"});
  EXPECT_EQ(names(tap(*graph, "*")),
            (Names{"conv1", "bn1", "act", "unused", "conv2#1", "conv2#2", "drop"}));
  EXPECT_EQ(graph->outputs().size(), 8u);  // each once, and the model's own
  EXPECT_EQ(graph->outputs()[1].first, "tap:conv1");
  verify(*graph);

  // A module inside another ends before it.
  nn::Sequential outer(nn::Scope("outer"));
  auto& inner = outer.add<nn::Sequential>();
  inner.add<nn::ReLU>();
  inner.add<nn::Identity>();
  EXPECT_EQ(names(tap(*nn::trace(outer, {1, 2}), "*")), (Names{"0.0", "0.1", "0"}));
}

TEST(Tap, OfALayerThatDoesNothingIsItsInput) {
  const auto graph = traced();
  EXPECT_EQ(tap(*graph, "drop")[0].value, tap(*graph, "conv2#2")[0].value);
  EXPECT_TRUE(same_results(*graph, *run_passes(*graph, {})));
}

TEST(Tap, SeveralResultsAreNumbered) {
  class Halves : public nn::Module {
   public:
    explicit Halves(const nn::Scope& s) : Module(s) {}
    using Module::forward;
    Tensors forward(const Tensor& x, double factor) const { return {x * factor, x / factor}; }
  };
  class Outer : public nn::Module {
   public:
    explicit Outer(const nn::Scope& s) : Module(s), halves(at("halves")) {}
    Tensor forward(Tensor x) const override {
      const Tensors parts = nn::call(halves, x, 2.0);
      return parts[0] + parts[1];
    }
    Halves halves;
  };
  EXPECT_EQ(names(tap(*nn::trace(Outer(nn::Scope("outer")), {1, 2}), "halves")),
            (Names{"halves[0]", "halves[1]"}));
}

TEST(Tap, AnUnknownNameSuggestsTheNearest) {
  EXPECT_EQ(error_text(ErrorKind::usage, [] { tap(*traced(), "conv"); }),
            "unknown module \"conv\"\n"
            "  nearest conv1, conv2#1, conv2#2\n"
            "  try     a path or a glob of paths as in fovea summary: \"layer1.*\"");
  expect_error(ErrorKind::usage, "unknown module \"layer9.*\"", [] { tap(*traced(), "layer9.*"); });
}

TEST(Tap, AValueThatWasFusedAwayIsNotMistakenForAnother) {
  const auto fused = fuse_epilogue(*fold_batchnorm(*simplify(*traced())));
  verify(*fused);
  EXPECT_EQ(
      error_text(ErrorKind::usage, [&] { tap(*fused, "conv1"); }),
      "tap: the result of conv1 is no longer in the graph\n"
      "  fused   into the conv of conv1 + bn1 + act\n"
      "  try     tap(graph, \"conv1\") before the passes, or before Program compiles the graph: "
      "a tapped value is kept");
  expect_error(ErrorKind::usage, "the result of bn1 is no longer in the graph",
               [&] { tap(*fused, "bn1"); });
  expect_error(ErrorKind::usage,
               "the result of unused is no longer in the graph\n"
               "  removed no output depended on it\n",
               [&] { tap(*fused, "unused"); });
  // What is still there is the same value as before.
  const auto graph = traced();
  for (const char* module : {"act", "conv2#2"}) {
    tap(*graph, module);
    tap(*fused, module);
  }
  EXPECT_TRUE(same_results(*graph, *fused));
}

TEST(Tap, InTrainingFusedNormsAreKnown) {
  const auto fused = fuse_norm(*traced(Mode::train));
  expect_error(ErrorKind::usage, "  fused   into the batch_norm of bn1 + act\n",
               [&] { tap(*fused, "bn1"); });
  const auto graph = traced(Mode::train);
  tap(*graph, "act");
  tap(*fused, "act");
  EXPECT_TRUE(same_results(*graph, *fused));
}

TEST(Tap, OfAGraphInOtherLayoutsIsPlain) {
  const auto with_layouts = laid_out(*traced(), [](const Type& type) {
    return fits(type, Layout::blocked16) ? Layout::blocked16 : Layout::plain;
  });
  const Call& call = with_layouts->call(with_layouts->node(1).origin.call);
  EXPECT_EQ(call.path, "conv1");
  EXPECT_EQ(with_layouts->value(call.outputs[0]).type.layout, Layout::blocked16);
  EXPECT_EQ(tap(*with_layouts, "conv1")[0].value.type().layout, Layout::plain);
  EXPECT_EQ(tap(*with_layouts, "conv1")[0].value,
            tap(*with_layouts, "conv1")[0].value);  // one reorder
  verify(*with_layouts);
}

TEST(Tap, TheGradientOfATappedValueIsItsCentralDifference) {
  for (Mode mode : {Mode::eval, Mode::train}) {
    const auto graph = traced(mode);
    const Tensor y = graph->output("output"), loss = mean(y * y);
    graph->output("loss", loss);
    const Tensor features = tap(*graph, "bn1")[0].value;
    graph->output("gradient", gradients(loss, {features})[0]);
    const auto compiled =
        run_passes(*graph, {.loss = mode == Mode::train ? "loss" : ""});  // and the weights' own
    const Leaves before = results(*graph), after = results(*compiled);
    EXPECT_EQ(after.at("gradient").size(), after.at("tap:bn1").size());
    for (size_t i = 0; i < before.at("gradient").size(); ++i)
      EXPECT_NEAR(before.at("gradient")[i], after.at("gradient")[i], 1e-12);

    // The rest of the net, from the tapped value on.
    const auto rest = Graph::make(mode, DType::f64);
    const Tensor x = rest->input("features", features.type());
    const Tensor z = net.drop(net.conv2(relu(net.conv2(net.act(x))))) * 0.5;
    rest->output("loss", mean(z * z));
    Leaves leaves;
    leaves["features"] = before.at("tap:bn1");
    constexpr double h = 1e-6;
    for (size_t i : {size_t{3}, size_t{100}, size_t{511}}) {
      Leaves up = leaves, down = leaves;
      up["features"][i] += h;
      down["features"][i] -= h;
      const double expected =
          (results(*rest, up).at("loss")[0] - results(*rest, down).at("loss")[0]) / (2 * h);
      EXPECT_NEAR(before.at("gradient")[i], expected, 1e-6) << i;
    }
  }
}

}  // namespace
}  // namespace fovea::pass_test
