#include "fovea/kernels/simd/direct.h"
#include "fovea/core/random.h"
#include "fovea/graph/print.h"
#include "fovea/kernels/amx/tiles.h"
#include "fovea/kernels/fixed_weights.h"
#include "fovea/kernels/rules.h"
#include "fovea/ops/conv.h"
#include "fovea/ops/images.h"
#include "fovea/ops/linear.h"
#include "fovea/passes/pipeline.h"
#include "kernels/convolutions.h"

namespace fovea::kernel_test {
namespace {

TEST(Direct, EqualsItsReferenceForAnyGeometryLayoutAndEpilogue) {
  const FixedWeightsScope fixed(true);
  Random random(1, "direct");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const DType dtype = trial % 3 == 2 ? DType::bf16 : DType::f32;
    const Problem problem = random_convolution(random, trial % 4 == 0 ? 1 : 2, {.dtype = dtype});
    const int64_t products = problem.in[1].numel() / problem.in[1].dim(0);
    ASSERT_TRUE(
        check("simd:direct", problem, random_inputs(problem, random), bound_of_sums(products)));
  }
}

TEST(Direct, GradientsEqualTheirReferenceForAnyStrideAndLayout) {
  Random random(1, "gradients");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const DType dtype = trial % 3 == 2 ? DType::bf16 : DType::f32;
    const Problem problem =
        random_gradient(random, trial % 4 == 0 ? 1 : 2, false, {.dtype = dtype});
    const int64_t products = problem.in[0].numel() / problem.in[0].dim(1);
    ASSERT_TRUE(
        check("simd:direct", problem, random_inputs(problem, random), bound_of_sums(products)));
  }
}

TEST(Direct, GradientsOfWeightsEqualTheirReferenceForAnyTypeAndLayout) {
  Random random(1, "weights");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const Problem problem = random_gradient(random, trial % 4 == 0 ? 1 : 2, true,
                                            {.dtype = value_dtypes[trial / 4 % 3]});
    const int64_t positions = problem.in[1].numel() / problem.in[1].dim(1);
    ASSERT_TRUE(
        check("simd:direct", problem, random_inputs(problem, random), bound_of_sums(positions)));
  }
}

TEST(Direct, AStrideBetweenMapsOfOnePositionLeadsNowhere) {
  const FixedWeightsScope fixed(true);
  Random random(1, "one position");
  constexpr Layout layouts[] = {Layout::channels_last, Layout::blocked16};
  for (const Shape& map : {Shape{1}, Shape{2}, Shape{1, 1}, Shape{2, 2}, Shape{1, 3}}) {
    const auto axes = static_cast<size_t>(map.rank());
    const std::vector<int64_t> zeros(axes, 0), twos(axes, 2);
    const ConvGeometry g{twos, std::vector<int64_t>(axes, 1), zeros, zeros, 1};
    const Shape kernel = axes == 1 ? Shape{1} : Shape{1, 1};
    Shape half = map;
    for (int axis = 0; axis < map.rank(); ++axis) half.set(axis, (map[axis] + 1) / 2);
    for (const Layout of_x : layouts) {
      for (const Layout of_y : layouts) {
        const Type x{DType::f32, Shape{3, 16}.concat(map), of_x};
        const Type y{DType::f32, Shape{3, 32}.concat(half), of_y};
        const Type w{DType::f32, Shape{32, 16}.concat(kernel)};
        for (const Problem& problem : {Problem{Conv{.geometry = g, .kernel = kernel}, {x, w}, {y}},
                                       Problem{ConvBackwardData{g, x.shape}, {w, y}, {x}},
                                       Problem{ConvBackwardWeights{g, w.shape}, {x, y}, {w}}}) {
          ASSERT_TRUE(
              check("simd:direct", problem, random_inputs(problem, random), bound_of_sums(32)));
        }
      }
    }
  }
}

TEST(Direct, RowsOfTapsOfFewChannelsEqualTheirReferenceForAnyWindow) {
  Random random(1, "rows of taps");
  for (int trial = 0; trial < shapes_per_op; ++trial) {
    const int axes = trial % 2 + 1;
    const DType dtype = value_dtypes[trial / 2 % 3];
    const std::vector<int64_t> ones(static_cast<size_t>(axes), 1);
    ConvGeometry g{{}, ones, {}, {}, 1};
    Type x{dtype, {pick(random, 1, 4), pick(random, 1, 15)}};
    Type weight{dtype, {16 * pick(random, 1, 3), x.dim(1)}};
    Type y{dtype, {x.dim(0), weight.dim(0)}, Layout::blocked16};
    for (int axis = 0; axis < axes; ++axis) {
      const int64_t kernel = pick(random, 2, axes == 1 ? 80 : 7),
                    size = kernel + random.below(300 / kernel);
      g.stride.push_back(pick(random, 1, 5)), g.padding_begin.push_back(pick(random, 0, kernel));
      g.padding_end.push_back(pick(random, 0, kernel));
      const int64_t padded = size + g.padding_begin.back() + g.padding_end.back();
      weight.shape = weight.shape.concat({kernel}), x.shape = x.shape.concat({size});
      y.shape = y.shape.concat({(padded - kernel) / g.stride.back() + 1});
    }
    x.layout = random.below(2) == 0 ? Layout::plain : Layout::channels_last;
    const Problem gradient{.op = ConvBackwardWeights{g, weight.shape, true},
                           .in = {x, y},
                           .out = {{DType::f32, weight.shape}, {DType::f32, {weight.dim(0)}}}};
    ASSERT_TRUE(check("simd:direct", gradient, random_inputs(gradient, random),
                      bound_of_sums(y.numel() / y.dim(1))));
    if (dtype == DType::f16) continue;
    const Problem forward{
        .op = Conv{.geometry = g, .kernel = weight.shape.slice(2)}, .in = {x, weight}, .out = {y}};
    ASSERT_TRUE(check("simd:direct", forward, random_inputs(forward, random),
                      bound_of_sums(weight.numel() / weight.dim(0))));
  }
}

TEST(Direct, LargeGradientsOfWeightsAreCutIntoBlocksOfChannelsAndPositions) {
  Random random(1, "blocks");
  const auto run = [&](Shape x, Shape weight, int64_t padding, int64_t stride, Layout layout) {
    const ConvGeometry g{{stride, stride}, {1, 1}, {padding, padding}, {padding, padding}, 1};
    const int64_t side = (x[2] + 2 * padding - weight[2]) / stride + 1;
    const Problem problem{
        .op = ConvBackwardWeights{g, weight, true},
        .in = {{DType::f32, x, layout}, {DType::f32, {x[0], weight[0], side, side}, layout}},
        .out = {{DType::f32, weight}, {DType::f32, {weight[0]}}},
        .threads = 1};
    EXPECT_TRUE(check("simd:direct", problem, random_inputs(problem, random),
                      bound_of_sums(x[0] * side * side)));
  };
  for (const Layout layout : {Layout::channels_last, Layout::blocked16}) {
    run({2, 272, 5, 5}, {528, 272, 1, 1}, 0, 1, layout);  // channels
    run({3, 32, 24, 24}, {48, 32, 1, 1}, 0, 1, layout);   // positions, and rows of three images
    run({2, 80, 24, 24}, {144, 80, 3, 3}, 1, 2, layout);
  }
  run({3, 24, 23, 23}, {136, 24, 1, 1}, 0, 1, Layout::channels_last);  // few, without copies
  run({3, 200, 23, 23}, {8, 200, 1, 1}, 0, 1, Layout::channels_last);
}

TEST(Direct, LargeProblemsAreCutIntoTasksOverImagesRowsPixelsAndChannels) {
  const FixedWeightsScope fixed(true);
  Random random(1, "cut");
  const auto run = [&](Shape x, Shape weight, int64_t padding, int64_t stride, Layout layout) {
    Conv op{.geometry = {{stride, stride}, {1, 1}, {padding, padding}, {padding, padding}, 1},
            .kernel = weight.slice(2)};
    Problem problem = make_problem(op, {{DType::f32, x}, {DType::f32, weight}}, layout);
    problem.in[1].layout = Layout::plain;
    EXPECT_TRUE(check("simd:direct", problem, random_inputs(problem, random),
                      bound_of_sums(weight[1] * weight[2] * weight[3])));
  };
  for (const Layout layout : {Layout::channels_last, Layout::blocked16}) {
    run({3, 32, 17, 19}, {48, 32, 3, 3}, 1, 1, layout);   // images
    run({1, 16, 40, 40}, {32, 16, 3, 3}, 1, 1, layout);   // rows
    run({1, 64, 40, 40}, {48, 64, 1, 1}, 0, 1, layout);   // pixels
    run({1, 256, 7, 7}, {272, 256, 1, 1}, 0, 1, layout);  // channels; conflicting steps
    run({1, 256, 9, 9}, {64, 256, 1, 1}, 0, 2, layout);
  }
}

TEST(Direct, ThreadsGetEqualSharesOfOneImage) {
  using namespace simd::direct;
  Convolution c{.in = 64, .out = 128, .height = 56, .width = 56, .rows = 28, .columns = 28};
  c.kernel[0] = c.kernel[1] = 3, c.stride[0] = c.stride[1] = 2, c.padded = true;
  const Registers registers{.lanes = 16, .longest = 7, .together = 2};
  EXPECT_EQ(make_plan(c, registers, 2).bands, 14);  // of two rows, instead of seven of four
  Convolution pixels{.in = 96, .out = 24, .height = 1, .width = 196, .columns = 196};
  EXPECT_EQ(make_plan(pixels, registers, 2).tasks() % 2, 1);  // too little for two threads
  pixels.in = 384, pixels.out = 64;
  EXPECT_EQ(make_plan(pixels, registers, 2).tasks() % 2, 0);
}

constexpr UnaryKind smooth[] = {UnaryKind::gelu, UnaryKind::gelu_tanh, UnaryKind::silu,
                                UnaryKind::sigmoid};

TEST(Direct, LinearLayersOfAnyNumberOfRowsEqualTheReference) {
  const FixedWeightsScope fixed(true);
  Random random(1, "linear");
  for (int trial = 0; trial < shapes_per_op; ++trial) {
    const DType dtype = trial % 4 == 3 ? DType::bf16 : DType::f32;
    const int64_t in = pick(random, 1, 300), out = pick(random, 1, 80);
    Shape rows = trial % 3 == 0 ? Shape{pick(random, 1, 3)} : Shape{pick(random, 1, 3), 17};
    const Type x{dtype, rows.concat({in})}, y{dtype, rows.concat({out})};
    Types types{x, {dtype, {out, in}}};
    Linear op{.bias = random.below(2) == 0};
    if (op.bias) types.push_back({DType::f32, {out}});
    for (int64_t steps = pick(random, 0, dtype == DType::f32 ? 3 : 1); steps > 0; --steps) {
      EpilogueStep step;
      if (random.below(2) == 0) step.activation = smooth[random.below(std::size(smooth))];
      op.epilogue.append(step);
    }
    types.insert(types.end(), op.epilogue.residuals(), y);
    op.sums = !op.epilogue.empty() && random.below(2) == 0;
    const Problem problem{.op = op, .in = types, .out = Types(op.sums ? 2 : 1, y), .threads = 1};
    ASSERT_TRUE(check("simd:direct", problem, random_inputs(problem, random), bound_of_sums(in)));
  }
}

TEST(Direct, ProductsOfMatricesEqualTheirReference) {
  Random random(1, "products");
  for (int trial = 0; trial < shapes_per_op; ++trial) {
    const DType dtype = trial % 4 == 3 ? DType::bf16 : DType::f32;
    const int64_t m = pick(random, 1, 60), n = pick(random, 1, 80), k = pick(random, 1, 300);
    const auto matrix = [&](int64_t rows, int64_t columns, bool transposed) -> Type {
      return {dtype, transposed ? Shape{columns, rows} : Shape{rows, columns}};
    };
    MatMul op{.transpose_a = trial % 3 == 1, .transpose_b = trial % 3 == 2};
    op.wide_result = op.transpose_a && dtype != DType::f32;
    op.sums = op.transpose_a && random.below(2) == 0;
    Types in{matrix(m, k, op.transpose_a), matrix(k, n, op.transpose_b)};
    if (!op.transpose_a && random.below(2) == 0) {
      op.slope = smooth[random.below(std::size(smooth))];
      op.value = random.below(2) == 0;
      in.push_back(matrix(m, n, false));
    }
    const Problem problem{.op = op, .in = in, .out = op.infer(in), .threads = 1};
    ASSERT_TRUE(check("simd:direct", problem, random_inputs(problem, random), bound_of_sums(k)));
  }
}

TEST(Direct, IsChosenForGradientsOfManyWeightsAndForRowsThatConflictInTheCaches) {
  const auto product = [](int64_t rows, int64_t columns, int64_t inner = 768) {
    const Type dy{DType::f32, {rows, inner}}, w{DType::f32, {inner, columns}};
    return choose_kernel({MatMul{}, {dy, w}, {{DType::f32, {rows, columns}}}}).name;
  };
  EXPECT_EQ(product(784, 3072), amx::available() ? "amx" : "simd:direct");
  EXPECT_EQ(product(784, 1000, 1024), "onednn");
  EXPECT_EQ(product(16, 3072), "onednn");
  const Type x{DType::f32, {4, 1024, 14, 14}, Layout::channels_last};
  const Type dy{DType::f32, {4, 256, 14, 14}, Layout::channels_last};
  const ConvBackwardWeights op{{{1, 1}, {1, 1}, {0, 0}, {0, 0}, 1}, {256, 1024, 1, 1}};
  EXPECT_EQ(choose_kernel({op, {x, dy}, {{DType::f32, op.weight}}}).name, "simd:direct");
}

/// Two convolutions, from wide to narrow and back, after all passes for training.
std::string laid_out_for_training(int64_t narrow, int64_t wide, int64_t kernel) {
  const auto graph = Graph::make(Mode::train, DType::f32);
  const auto weight = [&](const char* name, int64_t out, int64_t in) {
    return graph->input(name, {DType::f32, {out, in, kernel, kernel}});
  };
  const Tensor x = graph->input("x", {DType::f32, {2, wide, 8, 8}});
  const Tensor hidden = conv2d(x, weight("reduce", narrow, wide));
  graph->output("y", conv2d(hidden, weight("expand", wide, narrow)));
  return print(*run_passes(*graph, {}));
}

TEST(Direct, PixelsGoFromBlocksOfChannelsToOthersWithoutAReorder) {
  if (preferred_layout({DType::f32, {2, 32, 8, 8}}) != Layout::blocked16)
    GTEST_SKIP() << "blocks of channels are for AVX-512";
  const auto count = [](const std::string& text, const std::string& what) {
    int n = 0;
    for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; ++at) ++n;
    return n;
  };
  const std::string pixels = laid_out_for_training(24, 144, 1);
  EXPECT_EQ(count(pixels, "= reorder("), 2) << pixels;  // of x and y, which are plain
  EXPECT_EQ(count(pixels, "f32[2, 24, 8, 8]{channels_last}"), 1) << pixels;
  // oneDNN's windows are worth one layout for both sides.
  EXPECT_EQ(count(laid_out_for_training(24, 144, 3), "{blocked16}"), 0);
}

TEST(Direct, InInferenceReadsImagesChannelsLast) {
  const auto graph = Graph::make(Mode::eval, DType::f32);
  const Tensor x =
      normalize_images(graph->input("x", {DType::u8, {2, 8, 8, 3}}), {0.5f, 0.5f, 0.5f}, {1, 1, 1});
  const Tensor weight = graph->input("w", {DType::f32, {32, 3, 3, 3}});
  graph->output("y", conv2d(x, weight, {}, {.padding = 1}));
  const std::string text = print(*run_passes(*graph, {}));
  const size_t reorder = text.find("= reorder(");  // y is plain
  EXPECT_NE(text.find("channels_last"), std::string::npos) << text;
  EXPECT_EQ(text.find("= reorder(", reorder + 1), std::string::npos) << text;
}

TEST(Direct, EmptyValuesHaveAPriceAndNoKernel) {
  const Type x{DType::f32, {0, 0, 4, 4}, Layout::channels_last}, w{DType::f32, {0, 0, 1, 1}};
  const ConvGeometry g{{1, 1}, {1, 1}, {0, 0}, {0, 0}, 1};
  for (const Problem& problem : std::vector<Problem>{
           {Conv{.geometry = g, .kernel = {1, 1}}, {x, w}, {x}},
           {ConvBackwardData{g, x.shape}, {w, x}, {x}},
           {ConvBackwardWeights{g, w.shape}, {x, x}, {w}},
           {MatMul{}, {{DType::f32, {0, 0}}, {DType::f32, {0, 0}}}, {{DType::f32, {0, 0}}}}}) {
    EXPECT_GE(simd::direct_price(problem), 0);
    EXPECT_EQ(refusal("simd:direct", problem), "nothing to compute for empty values");
  }
}

TEST(Direct, SaysWhatItDoesNotCompute) {
  const FixedWeightsScope fixed(true);
  Random random(1, "refusals");
  Problem problem = random_convolution(random, 2);
  EXPECT_EQ(refusal("simd:direct", problem), std::nullopt);
  problem.out[0].layout = Layout::plain;
  EXPECT_EQ(refusal("simd:direct", problem), "only channels-last and blocked16 outputs");
}

}  // namespace
}  // namespace fovea::kernel_test
