#include <gtest/gtest.h>

#include <array>
#include <set>

#include "error_text.h"
#include "fovea/core/random.h"
#include "fovea/models/registry.h"
#include "fovea/nn.h"
#include "fovea/ops.h"
#include "fovea/passes/autodiff.h"
#include "fovea/passes/cost.h"
#include "fovea/passes/receptive_field.h"
#include "fovea/passes/summary.h"
#include "summaries.h"

namespace fovea {
namespace {

struct Expected {
  std::string_view name;
  int64_t parameters, buffers, macs, field, jump;
};

TEST(Summary, HasThePublishedNumbers) {
  const Expected models[] = {
      {"small_cnn", 545'290, 192, 6'128'896, 10, 4},
      {"deeper_cnn", 410'826, 1'024, 77'269'504, 24, 8},
      {"lenet_cnn", 620'362, 0, 10'848'768, 22, 8},
      {"vgg_style_cnn", 1'806'154, 2'304, 190'581'248, 44, 8},
      {"resnet18_cifar", 11'173'962, 9'600, 555'422'720, 109, 8},
      {"resnet34_cifar", 21'282'122, 17'024, 1'159'402'496, 225, 8},
      {"resnet50_cifar", 23'520'842, 53'120, 1'297'829'888, 107, 8},
      {"simple_cnn_224", 15'231'912, 8'448, 3'837'169'664, 299, 32},
  };
  for (const Expected& e : models) {
    for (Mode mode : {Mode::eval, Mode::train}) {
      const auto model = models::make(e.name);
      const Summary s = summary_of(*model, models::entry(e.name).input, mode);
      EXPECT_EQ(s.parameters, e.parameters) << e.name;
      EXPECT_EQ(s.trainable, e.parameters) << e.name;
      EXPECT_EQ(s.buffers, e.buffers) << e.name;
      EXPECT_EQ(s.macs, e.macs) << e.name;
      ASSERT_EQ(s.field.size(), 2u) << e.name;
      EXPECT_EQ(s.field[0], s.field[1]) << e.name;
      EXPECT_EQ(s.field[0].size, e.field) << e.name;
      EXPECT_EQ(s.field[0].jump, e.jump) << e.name;
      EXPECT_EQ(s.output.shape, (Shape{1, models::entry(e.name).outputs})) << e.name;
    }
  }
}

TEST(Summary, ColumnsAddUpToTheTotals) {
  const auto model = models::make("resnet50_cifar");
  const Summary s = summary_of(*model, {3, 32, 32}, Mode::train);
  int64_t parameters = 0, buffers = 0, macs = 0;
  for (const LayerSummary& layer : s.layers) {
    parameters += layer.parameters;
    buffers += layer.buffers;
    macs += layer.macs;
  }
  EXPECT_EQ(parameters, s.parameters);
  EXPECT_EQ(buffers, s.buffers);
  EXPECT_EQ(macs, s.macs);
  EXPECT_EQ(s.parameter_bytes, 4u * static_cast<size_t>(s.parameters));
}

TEST(Summary, WeightsOfAModuleUsedTwiceCountOnce) {
  const Twice model(nn::Scope("twice"));
  const Summary s = summary_of(model, {4, 8, 8});
  EXPECT_EQ(s.parameters, 4 * 4 * 9 + 4);
  EXPECT_EQ(s.macs, 4 * 4 * 9 * (6 * 6 + 4 * 4));  // but both calls cost
  ASSERT_EQ(s.layers.size(), 3u);
  EXPECT_FALSE(s.layers[1].recursive);
  EXPECT_TRUE(s.layers[2].recursive);
  EXPECT_EQ(s.layers[1].output.shape, (Shape{1, 4, 6, 6}));
  EXPECT_EQ(s.layers[2].output.shape, (Shape{1, 4, 4, 4}));
  EXPECT_EQ(s.layers[2].parameters, 0);
}

TEST(Summary, ALayerThatDoesNothingInUseHasARow) {
  // torchinfo 1.8.0 has the same rows: Conv2d 148, ReLU, Dropout, Conv2d (recursive), ReLU,
  // Identity, all but the first without parameters.
  class Net : public nn::Module {
   public:
    explicit Net(const nn::Scope& s)
        : Module(s),
          conv(at("conv"), 4, 4, {.kernel = 3}),
          act(at("act")),
          drop(at("drop")),
          last(at("last")) {}
    Tensor forward(Tensor x) const override { return last(act(conv(drop(act(conv(x)))))); }
    nn::Conv2d conv;
    nn::ReLU act;
    nn::Dropout drop;
    nn::Identity last;
  };
  const Net model(nn::Scope("net"));
  for (Mode mode : {Mode::eval, Mode::train}) {
    const Summary s = summary_of(model, {4, 8, 8}, mode);
    std::vector<std::string> rows;
    for (const LayerSummary& layer : s.layers) {
      rows.push_back(layer.path + " " + layer.type + " " + to_string(layer.output.shape) + " " +
                     std::to_string(layer.parameters) + (layer.recursive ? " recursive" : ""));
    }
    EXPECT_EQ(rows,
              (std::vector<std::string>{
                  " Net [1, 4, 4, 4] 0", "conv Conv2d [1, 4, 6, 6] 148", "act ReLU [1, 4, 6, 6] 0",
                  "drop Dropout [1, 4, 6, 6] 0", "conv Conv2d [1, 4, 4, 4] 0 recursive",
                  "act ReLU [1, 4, 4, 4] 0", "last Identity [1, 4, 4, 4] 0"}));
    EXPECT_EQ(s.layers[6].field, s.layers[5].field);
  }
}

TEST(Summary, AnAuxiliaryHeadHasARowForEachOfItsLayers) {
  class Net : public nn::Module {
   public:
    explicit Net(const nn::Scope& s)
        : Module(s), fc(at("fc"), 4, 2), aux(at("aux")), apart(at("apart")) {
      aux.add<nn::Dropout>();
      aux.add<nn::Linear>(4, 2);
    }
    Tensor forward(Tensor x) const override {
      x = flatten(x);
      if (x.graph().mode() == Mode::train) x.graph().output("aux", aux(apart(x)));
      return fc(x);
    }
    nn::Linear fc;
    nn::Sequential aux;
    nn::Identity apart;
  };
  const Net model(nn::Scope("net"));
  Summary s = summary_of(model, {1, 2, 2});
  add_training_layers(s, summary_of(model, {1, 2, 2}, Mode::train));
  std::vector<std::string> rows;
  for (const LayerSummary& layer : s.layers) rows.push_back(layer.path);
  EXPECT_EQ(rows, (std::vector<std::string>{"", "fc", "aux", "aux.0", "aux.1"}));
  EXPECT_EQ(s.parameters, 20);
  EXPECT_EQ(s.training_macs, 8);
}

TEST(Summary, OpsOutsideModulesCountTowardsTheModel) {
  const auto graph = Graph::make(Mode::eval, DType::f32, "ops");
  const Tensor x = graph->input("input", {DType::f32, {1, 2, 4, 4}});
  graph->output("output", conv2d(x, graph->read("w", {DType::f32, {3, 2, 1, 1}})));
  const Summary s = summarize(*graph, std::array<std::string, 1>{"w"});
  ASSERT_EQ(s.layers.size(), 1u);
  EXPECT_EQ(s.layers[0].ops, "conv");
  EXPECT_EQ(s.layers[0].output.shape, (Shape{1, 3, 4, 4}));
  EXPECT_EQ(s.layers[0].parameters, 6);
  EXPECT_EQ(s.parameters, 6);
}

TEST(Summary, ABlockUsedTwiceShowsTwice) {
  class Block : public nn::Module {
   public:
    explicit Block(const nn::Scope& s)
        : Module(s), a(at("a"), 2, 2, {.kernel = 1}), b(at("b"), 2, 2, {.kernel = 1}) {}
    Tensor forward(Tensor x) const override { return b(relu(a(x))); }
    nn::Conv2d a, b;
  };
  class Net : public nn::Module {
   public:
    explicit Net(const nn::Scope& s)
        : Module(s), block(at("block")), last(at("last"), 2, 2, {.kernel = 1}) {}
    Tensor forward(Tensor x) const override { return last(block(relu(block(x)))); }
    Block block;
    nn::Conv2d last;
  };
  const Summary s = summary_of(Net(nn::Scope("net")), {2, 4, 4});
  std::vector<std::string> rows;
  for (const LayerSummary& layer : s.layers) {
    rows.push_back(layer.path + (layer.recursive ? " again" : ""));
  }
  EXPECT_EQ(rows, (std::vector<std::string>{"", "block", "block.a", "block.b", "block again",
                                            "block.a again", "block.b again", "last"}));
  EXPECT_EQ(s.parameters, 3 * 6);
}

TEST(Summary, ANormUsedTwiceShowsItsOutputs) {
  class Twice : public nn::Module {
   public:
    explicit Twice(const nn::Scope& s) : Module(s), bn(at("bn"), 4) {}
    Tensor forward(Tensor x) const override { return bn(relu(bn(x))); }
    nn::BatchNorm2d bn;
  };
  const Summary s = summary_of(Twice(nn::Scope("twice")), {4, 8, 8}, Mode::train);
  ASSERT_EQ(s.layers.size(), 3u);
  EXPECT_EQ(s.layers[1].ops, "batch_norm");
  EXPECT_EQ(s.layers[2].ops, "batch_norm");
  EXPECT_TRUE(s.layers[2].recursive);
  EXPECT_EQ(s.layers[2].output.shape, (Shape{1, 4, 8, 8}));
  EXPECT_EQ(s.buffers, 8);
}

TEST(Summary, NeedsAnImage) {
  auto graph = Graph::make(Mode::eval);
  graph->output("output", relu(graph->input("x", {DType::f32, {1, 2}})));
  expect_error(ErrorKind::usage, "summary: the graph has no input named \"input\"",
               [&] { (void)summarize(*graph, {}); });
}

/// The field of f's result for an image of this shape.
template <class F>
ReceptiveField field_of(const Shape& image, const F& f) {
  auto graph = Graph::make(Mode::eval);
  const Tensor x = graph->input("input", {DType::f32, image});
  const Tensor y = f(x);
  return receptive_fields(*graph, x)[static_cast<size_t>(y.id())];
}

/// A convolution that keeps the number of channels, C = 2.
Tensor convolved(const Tensor& x, const Dims& kernel, const ConvOptions& options = {}) {
  Shape weight{2, 2};
  weight = weight.concat(Shape(kernel.expand(x.rank() - 2, "conv", "kernel")));
  const std::string name = "w" + std::to_string(x.graph().values().size());
  return conv(x, x.graph().read(name, {x.dtype(), weight}), {}, options);
}

using Field = ReceptiveField;

TEST(ReceptiveField, FollowsKernelStrideDilationAndPaddingOfEachAxis) {
  const auto f = field_of({1, 2, 64, 64}, [](Tensor x) {
    x = convolved(x, {3, 5}, {.stride = {2, 1}, .padding = {1, 2}});
    x = relu(x);
    x = max_pool2d(x, {.kernel = 2});
    return convolved(x, 3, {.dilation = {1, 2}});
  });
  EXPECT_EQ(f, (Field{{3 + 2 + 2 * 4, 4, -1}, {5 + 1 + 4 * 2, 2, -2}}));
}

TEST(ReceptiveField, KnownChains) {
  // A stack of 3x3 convolutions of dilation 1, 2, 4 sees 15; without dilation it would be 7.
  EXPECT_EQ(field_of({1, 2, 32, 32},
                     [](Tensor x) {
                       for (int64_t d : {1, 2, 4})
                         x = convolved(x, 3, {.padding = d, .dilation = d});
                       return x;
                     })[0],
            (FieldAxis{15, 1, -7}));
  // VGG-16's five stages: 212 after the last pooling.
  EXPECT_EQ(field_of({1, 2, 224, 224},
                     [](Tensor x) {
                       for (int depth : {2, 2, 3, 3, 3}) {
                         for (int i = 0; i < depth; ++i) x = convolved(x, 3, {.padding = 1});
                         x = max_pool2d(x, {.kernel = 2});
                       }
                       return x;
                     })[0],
            (FieldAxis{212, 32, -90}));
}

/// Kernel and stride of each layer of a textbook, and the textbook's sizes after them.
struct Textbook {
  std::vector<std::pair<int64_t, int64_t>> layers;
  std::vector<int64_t> sizes;
  int64_t jump;
};

TEST(ReceptiveField, ListsOfTheTextbooks) {
  const Textbook lists[] = {
      {{{3, 1}, {3, 1}, {2, 2}, {3, 1}, {3, 1}, {2, 2}, {3, 1}, {3, 1}, {3, 1}},
       {3, 5, 6, 10, 14, 16, 24, 32, 40},
       4},
      {{{7, 2}, {3, 2}, {1, 1}, {3, 1}, {1, 1}}, {7, 11, 11, 19, 19}, 4},
      {{{3, 1}, {3, 1}, {2, 2}, {3, 1}}, {3, 5, 6, 10}, 2},
      {{{3, 1}, {3, 1}, {3, 1}}, {3, 5, 7}, 1},
      {{{3, 1}, {3, 1}, {2, 2}, {3, 1}, {3, 1}, {2, 2}}, {3, 5, 6, 10, 14, 16}, 4},
      {{{3, 2}, {3, 2}, {3, 2}, {3, 2}}, {3, 7, 15, 31}, 16},
  };
  for (const Textbook& list : lists) {
    for (size_t depth = 1; depth <= list.layers.size(); ++depth) {
      const ReceptiveField field = field_of({1, 2, 256, 256}, [&](Tensor x) {
        for (size_t i = 0; i < depth; ++i) {
          x = convolved(x, list.layers[i].first, {.stride = list.layers[i].second});
        }
        return x;
      });
      EXPECT_EQ(field[0].size, list.sizes[depth - 1]) << depth;
      if (depth < list.layers.size()) continue;
      EXPECT_EQ(field[0].jump, list.jump);
    }
  }
}

TEST(ReceptiveField, WorksInOneAndThreeDimensions) {
  EXPECT_EQ(field_of({1, 2, 50}, [](Tensor x) { return convolved(x, 7, {.stride = 3}); }),
            (Field{{7, 3, 0}}));
  EXPECT_EQ(field_of({1, 2, 9, 9, 9},
                     [](Tensor x) {
                       return convolved(x, {1, 3, 5});
                     }),
            (Field{{1, 1, 0}, {3, 1, 0}, {5, 1, 0}}));
}

TEST(ReceptiveField, SpansAllBranches) {
  const auto f = field_of({1, 2, 32, 32}, [](Tensor x) {
    const Tensor left = convolved(x, 3, {.stride = 2, .padding = 1});
    const Tensor right = convolved(x, 1, {.stride = 2});
    return concat({right, left + right}, 1);
  });
  EXPECT_EQ(f[0], (FieldAxis{3, 2, -1}));
}

TEST(ReceptiveField, BranchesOfDifferentStridesSpanBothEverywhere) {
  const auto f = field_of({1, 2, 5, 5}, [](Tensor x) {
    return convolved(x, 3) + convolved(x, 1, {.stride = 2});  // both 3x3; jumps 1 and 2
  });
  // Position p sees p to p + 2 on one way, 2p on the other.
  for (const FieldAxis& axis : f) {
    for (int64_t p = 0; p < 3; ++p) {
      EXPECT_LE(p * axis.jump + axis.start, p);
      EXPECT_GT(p * axis.jump + axis.start + axis.size, p + 2);
      EXPECT_GT(p * axis.jump + axis.start + axis.size, 2 * p);
    }
  }
}

TEST(ReceptiveField, EndsAfterGlobalPoolingAndFlatten) {
  const auto stem = [](const Tensor& x) { return convolved(x, 3); };
  EXPECT_TRUE(field_of({1, 2, 9, 9}, [&](Tensor x) { return global_avg_pool(stem(x)); }).empty());
  EXPECT_TRUE(field_of({1, 2, 9, 9}, [&](Tensor x) { return flatten(stem(x)); }).empty());
  EXPECT_TRUE(
      field_of({1, 2, 9, 9}, [&](Tensor x) { return adaptive_avg_pool2d(stem(x), 2); }).empty());
  // A gate made of the global mean leaves the positions that it scales as they were.
  EXPECT_EQ(field_of({1, 2, 9, 9},
                     [&](Tensor x) {
                       const Tensor y = stem(x);
                       return y * sigmoid(global_avg_pool(y));
                     })[0]
                .size,
            3);
  EXPECT_EQ(size_text({{3, 1, 0}, {5, 1, 0}}), "3x5");
  EXPECT_EQ(jump_text({{3, 2, 0}, {5, 2, 0}}), "2");
}

TEST(ReceptiveField, NeedsSpatialAxes) {
  auto graph = Graph::make(Mode::eval);
  const Tensor x = graph->input("input", {DType::f32, {4, 5}});
  expect_error(ErrorKind::usage, "receptive_field: the image has no spatial axes",
               [&] { (void)receptive_fields(*graph, x); });
}

/// Which pixels change one position of f's result, found by counting paths with weights of one.
TEST(ReceptiveField, IsWhatAPixelCanReachInRandomNets) {
  Random random(11, "receptive field");
  for (int trial = 0; trial < 200; ++trial) {
    const auto size = static_cast<int64_t>(20 + random.below(20));
    // seen[p] is the pixels that position p of the current value sees, beyond the edges too.
    std::vector<std::pair<int64_t, int64_t>> seen;
    for (int64_t p = 0; p < size; ++p) seen.emplace_back(p, p);
    auto graph = Graph::make(Mode::eval);
    const Tensor x = graph->input("input", {DType::f32, {1, 2, size}});
    Tensor y = x;
    for (int layer = 0; layer < 4; ++layer) {
      const auto k = static_cast<int64_t>(1 + random.below(3));
      const auto s = static_cast<int64_t>(1 + random.below(2));
      const auto d = static_cast<int64_t>(1 + random.below(2));
      if (y.dim(2) < d * (k - 1) + 1) break;
      y = convolved(y, k, {.stride = s, .dilation = d});
      std::vector<std::pair<int64_t, int64_t>> next;
      for (int64_t p = 0; p < y.dim(2); ++p) {
        next.emplace_back(seen[static_cast<size_t>(p * s)].first,
                          seen[static_cast<size_t>(p * s + d * (k - 1))].second);
      }
      seen = next;
    }
    const FieldAxis axis = receptive_field(*graph, x)[0];
    for (size_t p = 0; p < seen.size(); ++p) {
      const int64_t begin = static_cast<int64_t>(p) * axis.jump + axis.start;
      EXPECT_EQ(begin, seen[p].first);
      EXPECT_EQ(begin + axis.size - 1, seen[p].second);
    }
  }
}

TEST(Cost, IsOfEachModuleAndKindOfOp) {
  const auto model = models::make("lenet_cnn");
  const auto graph = nn::trace(*model, {2, 3, 32, 32});
  const std::vector<OpCost> costs = cost(*graph);
  std::vector<std::string> convolutions;
  int64_t macs = 0;
  for (const OpCost& c : costs) {
    macs += c.macs;
    const bool counts = c.op == "conv" || c.op == "linear";
    EXPECT_EQ(c.macs > 0, counts) << c.op;
    if (c.op == "conv") convolutions.push_back(c.module);
    EXPECT_FALSE(c.backward) << c.op;
  }
  EXPECT_EQ(convolutions.size(), 3u);
  EXPECT_EQ(std::set(convolutions.begin(), convolutions.end()).size(), 3u);
  EXPECT_EQ(macs, 2 * 10'848'768);  // two images
  EXPECT_EQ(costs[0].flops, 2.0 * static_cast<double>(costs[0].macs));
}

/// A user's op with the name of one of Fovea's.
struct OtherRelu {
  static constexpr std::string_view name = "relu";
  static constexpr Traits traits{.differentiable = false};
  Types infer(const Types& in) const { return {in[0]}; }
  void reference(const Views& v) const {
    for (int64_t i = 0; i < v.out[0].numel(); ++i) v.out[0][i] = v.in[0][i];
  }
};

TEST(Cost, DistinguishesOpsOfOneNameAndTheBackwardPass) {
  const auto graph = Graph::make(Mode::train, DType::f32);
  const Tensor w = graph->read("w", {DType::f32, {3}}, true);
  graph->enter("act", {}, "ReLU", {w});
  Tensor y = relu(relu(w));
  (void)graph->add(OtherRelu{}, {y});
  graph->leave({y});
  graph->output("loss", mean(y));
  std::vector<std::string> sums;
  for (const OpCost& c : cost(*autodiff(*graph, "loss")))
    if (c.module == "act")
      sums.push_back(c.op + (c.backward ? " backward " : " ") + std::to_string(c.calls));
  EXPECT_EQ(sums, (std::vector<std::string>{"relu 2", "relu 1", "relu_backward backward 2"}));
}

TEST(Cost, GroupsAndDepthwiseCountWhatTheyMultiply) {
  class Depthwise : public nn::Module {
   public:
    explicit Depthwise(const nn::Scope& s)
        : Module(s), conv(at("conv"), 8, 8, {.kernel = 3, .padding = 1, .groups = 8}) {}
    Tensor forward(Tensor x) const override { return conv(x); }
    nn::Conv2d conv;
  };
  const Depthwise model(nn::Scope("depthwise"));
  EXPECT_EQ(cost(*nn::trace(model, {1, 8, 10, 10}))[0].macs, 8 * 9 * 100);
}

}  // namespace
}  // namespace fovea
