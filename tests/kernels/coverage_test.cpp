#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>

#include "fovea/nn.h"
#include "fovea/ops.h"
#include "fovea/passes/pipeline.h"
#include "kernels/harness.h"
#include "laid_out.h"
#include "ops/samples.h"

/// Nothing that a net trains with may fall back to a reference: it would be a hundred times slower.
namespace fovea {
namespace {

/// The problems of a graph that only a reference accepts, one per line. Views and empty values take
/// no work.
std::string references(const Graph& graph) {
  std::string list;
  for (const Node& node : graph.nodes()) {
    Problem problem{.op = node.op, .in = {}, .out = {}, .threads = 2};
    for (int id : node.inputs) problem.in.push_back(graph.value(id).type);
    for (int id : node.outputs) problem.out.push_back(graph.value(id).type);
    bool empty = node.op.traits().view;
    for (const Types* types : {&problem.in, &problem.out}) {
      for (const Type& type : *types) empty = empty || type.numel() == 0;
    }
    if (empty) continue;
    const KernelChoice choice = choose_kernel(problem);
    if (choice.name != "reference") continue;
    list += describe(problem) + "\n";
    for (const auto& [rule, why] : choice.refused) list += "    " + rule + ": " + why + "\n";
  }
  return list;
}

/// In the layouts of a machine with AVX-512, and of one without.
const std::vector<std::function<Layout(const Type&)>> preferences{
    [](const Type& type) {
      return fits(type, Layout::blocked16) ? Layout::blocked16 : Layout::plain;
    },
    [](const Type& type) {
      return fits(type, Layout::channels_last) ? Layout::channels_last : Layout::plain;
    }};

/// What is wrong with the kernels of a family: problems that only a reference takes or, where its
/// row says that it has no fast kernel yet, that it has one by now.
std::string uncovered(const harness::Family& family) {
  bool found = false;
  for (const harness::Sample& sample : family.make(DType::f32)) {
    Random random(1, sample.name);
    const harness::Traced traced = harness::trace(sample, random);
    std::string list = references(*traced.graph);
    for (const auto& preferred : preferences)
      if (list.empty()) list = references(*laid_out(*traced.graph, preferred));
    if (family.without_kernel.empty() && !list.empty()) return list;
    found = found || !list.empty();
  }
  return found || family.without_kernel.empty() ? ""
                                                : "there is a kernel: " + family.without_kernel;
}

class Coverage : public ::testing::TestWithParam<harness::Family> {};

TEST_P(Coverage, EveryOpAndItsGradientHaveAKernel) {
  EXPECT_EQ(uncovered(GetParam()), "")
      << "no kernel but the reference takes these problems: add a kernel, or say in the row of "
         "tests/ops/samples.cpp why there is none, as without_kernel (docs/adding-an-op.md)";
}

INSTANTIATE_TEST_SUITE_P(Ops, Coverage, ::testing::ValuesIn(harness::families()),
                         [](const auto& family) { return family.param.name; });

/// y = x^2, without a kernel.
struct Square {
  static constexpr std::string_view name = "square";
  Types infer(const Types& in) const { return in; }
  Tensors gradient(const Node& node, const Tensors& dy) const {
    return {dy[0] * node.input(0) * 2.0};
  }
  void reference(const Views& v) const {
    for (int64_t i = 0; i < v.in[0].numel(); ++i) v.out[0][i] = v.in[0][i] * v.in[0][i];
  }
};

// A new op starts on its reference: its row says so only as long as that is true.
TEST(CoverageOfAFamily, IsItsKernelsOrAReasonToHaveNone) {
  const auto of = [](const Op& op, std::string reason) {
    const harness::SampleInput input{
        {DType::f32, {4}}, [](Random&, const View& x) { std::fill_n(x.data, x.numel(), 1.0); }};
    harness::Family family{"family", [=](DType) {
                             return std::vector<harness::Sample>{{"sample", op, {input}}};
                           }};
    family.without_kernel = std::move(reason);
    return uncovered(family);
  };
  EXPECT_EQ(of(Square{}, ""), "square f32[4] -> f32[4]\n");
  EXPECT_EQ(of(Square{}, "new"), "");
  EXPECT_EQ(of(Unary{}, ""), "");
  EXPECT_EQ(of(Unary{}, "new"), "there is a kernel: new");
}

/// The problems in a step on `f` of an image and one number per channel that only a reference
/// accepts: forward, and the gradients of both.
using Function = std::function<Tensor(const Tensor& x, const Tensor& channels)>;
std::string of_a_step(const Function& f, const Shape& image) {
  const auto graph = Graph::make(Mode::train);
  const Tensor x = graph->read("x", {DType::f32, image}, true);
  const Tensor y = f(x, graph->read("channels", {DType::f32, {image[1]}}, true));
  graph->output("loss", mean(y * y));
  return references(*run_passes(*graph, {.loss = "loss"}));
}

Tensor zeros(const Tensor& like) {
  return like.graph().constant(Array::zeros(DType::f32, like.shape()));
}
Tensor no_labels(const Tensor& logits) {
  const Shape pixels = logits.shape().slice(0, 1).concat(logits.shape().slice(2));
  return logits.graph().constant(Array::zeros(DType::i64, pixels));
}

struct Row {
  std::string name;
  Function f;
};
void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

class CoverageOfFunctions : public ::testing::TestWithParam<Row> {};

TEST_P(CoverageOfFunctions, AStepMeetsNoReference) {
  for (const Shape& image : {Shape{2, 16, 8, 8}, Shape{3, 12, 7, 9}, Shape{2, 32, 20}})
    EXPECT_EQ(of_a_step(GetParam().f, image), "") << to_string(image);
}

/// Functions of several ops, which the harness of ops does not see as one.
const std::vector<Row> rows{
    {"group_norm", [](const Tensor& x, const Tensor& c) { return group_norm(x, 4, c, c); }},
    {"instance_norm", [](const Tensor& x, const Tensor& c) { return instance_norm(x, c, c); }},
    {"layer_norm_channels",
     [](const Tensor& x, const Tensor& c) { return layer_norm_channels(x, c, c); }},
    {"global_response_norm",
     [](const Tensor& x, const Tensor& c) { return global_response_norm(x, c, c); }},
    {"layer_scale", [](const Tensor& x, const Tensor& c) { return layer_scale(x, c); }},
    {"prelu", [](const Tensor& x, const Tensor& c) { return prelu(x, c); }},
    {"spatial_dropout", [](const Tensor& x, const Tensor&) { return spatial_dropout(x, 0.3); }},
    {"drop_path", [](const Tensor& x, const Tensor&) { return drop_path(x, 0.3); }},
    {"channel_shuffle", [](const Tensor& x, const Tensor&) { return channel_shuffle(x, 4); }},
    {"pixel_shuffle",
     [](const Tensor& x, const Tensor&) {
       return x.rank() == 4 && x.dim(1) % 4 == 0 ? pixel_shuffle(x, 2) : x;
     }},
    {"pixel_unshuffle",
     [](const Tensor& x, const Tensor&) {
       return x.rank() == 4 && x.dim(2) % 2 == 0 ? pixel_unshuffle(x, 2) : x;
     }},
    {"split",
     [](const Tensor& x, const Tensor&) {
       const Tensors parts = split(x, {x.dim(1) - 5, 5}, 1);
       return concat({parts[1], parts[0], parts[1]}, 1);
     }},
    {"sum_and_mean",
     [](const Tensor& x, const Tensor&) {
       return sum(x, {0, 2}, true) * mean(x, {1}, true) + x;
     }},
    {"max",
     [](const Tensor& x, const Tensor&) {
       return max(x, {0, -1}, true) * x;
     }},
    {"attention_over_pixels",
     [](const Tensor& x, const Tensor&) {
       const Tensor maps = concat({max(x, {1}, true), mean(x, {1}, true)}, 1);
       return x * sigmoid(mean(maps, {1}, true));
     }},
    {"softmax_of_channels", [](const Tensor& x, const Tensor&) { return softmax(x); }},
    {"log_softmax_of_columns", [](const Tensor& x, const Tensor&) { return log_softmax(x, -1); }},
    {"cross_entropy_of_pixels",
     [](const Tensor& x, const Tensor&) {
       return cross_entropy(x, no_labels(x), {.label_smoothing = 0.1, .ignore_index = 255});
     }},
    {"cross_entropy_with_weights",
     [](const Tensor& x, const Tensor& c) {
       const Tensor logits = mean(x, {-1});
       return cross_entropy(logits, zeros(logits), {.class_weights = c});
     }},
    {"binary_cross_entropy",
     [](const Tensor& x, const Tensor&) { return binary_cross_entropy_with_logits(x, zeros(x)); }},
    {"focal_loss", [](const Tensor& x, const Tensor&) { return focal_loss(x, zeros(x)); }},
    {"dice_loss", [](const Tensor& x, const Tensor&) { return dice_loss(sigmoid(x), zeros(x)); }},
    {"mse_loss", [](const Tensor& x, const Tensor&) { return mse_loss(x, zeros(x)); }},
    {"smooth_l1_loss", [](const Tensor& x, const Tensor&) { return smooth_l1_loss(x, zeros(x)); }},
    {"kl_div",
     [](const Tensor& x, const Tensor&) { return kl_div(log_softmax(x), log_softmax(zeros(x))); }},
    {"unpooling",
     [](const Tensor& x, const Tensor&) {
       const Tensors pooled = max_pool_with_indices(x, {.kernel = 2});
       return max_unpool(relu(pooled[0]), pooled[1], x.shape().slice(2));
     }},
    {"reflected_borders",
     [](const Tensor& x, const Tensor&) { return pad(x, 2, PadMode::reflect) * 2.0; }},
    {"bilinear",
     [](const Tensor& x, const Tensor&) {
       return upsample(x, 2, {.mode = UpsampleMode::linear, .align_corners = true});
     }},
    {"bilinear_by_fractions",
     [](const Tensor& x, const Tensor&) {
       const UpsampleOptions linear{.mode = UpsampleMode::linear};
       return x.rank() == 4 ? upsample(x, {1.5, 0.75}, linear) : upsample(x, 1.5, linear);
     }},
};

INSTANTIATE_TEST_SUITE_P(Functions, CoverageOfFunctions, ::testing::ValuesIn(rows),
                         [](const auto& row) { return row.param.name; });

/// The problems in a step on a block of layers that only a reference accepts.
template <class Block, class... Arguments>
std::string of_a_step_on(const Shape& image, const Arguments&... arguments) {
  const Block block(nn::Scope("block"), arguments...);
  const auto graph = Graph::make(Mode::train);
  const Tensor y = block(graph->input("input", {DType::f32, image}));
  graph->output("loss", mean(y * y));
  return references(*run_passes(*graph, {.loss = "loss"}));
}

TEST(CoverageOfBlocks, AStepMeetsNoReference) {
  const Shape image{4, 64, 8, 8};
  EXPECT_EQ((of_a_step_on<nn::ConvNormAct<>>({4, 3, 8, 8}, 3, 64)), "");
  EXPECT_EQ((of_a_step_on<nn::MultiScale>(image, 64, 24)), "");
  EXPECT_EQ((of_a_step_on<nn::DepthwiseSeparable>(image, 64, 128)), "");
  EXPECT_EQ((of_a_step_on<nn::ChannelMixer>(image, 64, 10)), "");
  EXPECT_EQ((of_a_step_on<nn::BasicBlock>(image, 64, 128, 2)), "");
  EXPECT_EQ((of_a_step_on<nn::Bottleneck>(image, 64, 64, 2)), "");
  EXPECT_EQ((of_a_step_on<nn::SEBasicBlock>(image, 64, 64)), "");
  EXPECT_EQ((of_a_step_on<nn::MBConv>(image, 64, 64)), "");
  EXPECT_EQ((of_a_step_on<nn::DenseBlock>(image, 4, 64, 32)), "");
  EXPECT_EQ((of_a_step_on<nn::DenseBlock>(image, 2, 64, 12)), "");
  EXPECT_EQ((of_a_step_on<nn::ConvNeXtBlock>(image, 64)), "");
}

TEST(CoverageOfBlocks, AStepInOneAndThreeDimensionsMeetsNoReference) {
  const nn::ConvOptions borders{.kernel = 3, .padding = 1, .padding_mode = PadMode::circular};
  EXPECT_EQ((of_a_step_on<nn::Conv1d>({4, 3, 50}, 3, 8, borders)), "");
  EXPECT_EQ((of_a_step_on<nn::Conv3d>({2, 1, 8, 8, 8}, 1, 8, borders)), "");
  const nn::ConvOptions strides{.kernel = 3, .stride = 2, .dilation = 2, .groups = 2};
  EXPECT_EQ((of_a_step_on<nn::Conv1d>({4, 32, 50}, 32, 64, strides)), "");
  EXPECT_EQ((of_a_step_on<nn::Conv2d>({4, 32, 9, 9}, 32, 64, strides)), "");
  EXPECT_EQ((of_a_step_on<nn::Conv3d>({2, 32, 8, 8, 8}, 32, 64, strides)), "");
  const nn::ConvTransposeOptions back{.kernel = 3, .stride = 2, .padding = 1, .output_padding = 1};
  EXPECT_EQ((of_a_step_on<nn::ConvTranspose1d>({4, 16, 20}, 16, 8, back)), "");
  EXPECT_EQ((of_a_step_on<nn::ConvTranspose2d>({4, 64, 8, 8}, 64, 32, back)), "");
  EXPECT_EQ((of_a_step_on<nn::ConvTranspose3d>({2, 16, 4, 4, 4}, 16, 16, back)), "");
  const nn::ConvTransposeOptions dilated{
      .kernel = 3, .padding = 1, .output_padding = 2, .dilation = 3};
  EXPECT_EQ((of_a_step_on<nn::ConvTranspose2d>({4, 64, 8, 8}, 64, 32, dilated)), "");
}

}  // namespace
}  // namespace fovea
