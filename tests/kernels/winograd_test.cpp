#include "fovea/kernels/winograd.h"

#include <cmath>
#include <cstring>

#include "fovea/core/random.h"
#include "fovea/kernels/fixed_weights.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/kernels/simd/winograd.h"
#include "fovea/kernels/tuning.h"
#include "fovea/ops/conv.h"
#include "fovea/ops/norm_conv.h"
#include "kernels/harness.h"

namespace fovea::kernel_test {
namespace {

/// Relative to the largest output.
constexpr Bound own{64, Scale::output, NonFinite::spreads};
/// Kernels of 5 multiply by larger numbers.
constexpr Bound own_of_5{96, Scale::output, NonFinite::spreads};
Bound bound_of(const Problem& problem) {
  const auto* gradient = problem.op.as<ConvBackwardWeights>();
  const Shape& weight = gradient != nullptr                            ? gradient->weight
                        : problem.op.as<ConvBackwardData>() != nullptr ? problem.in[0].shape
                                                                       : problem.in[1].shape;
  return weight[weight.rank() - 1] == 5 ? own_of_5 : own;
}

/// Kernels that a pass over sequences, images or volumes can have.
Shape random_kernel(Random& random) {
  const int64_t taps = random.below(3) == 0 ? 5 : 3;
  switch (random.below(4)) {
    case 0:
      return {taps};
    case 1:
      return {taps, taps};
    case 2:
      return {pick(random, std::vector<int64_t>{1, 2, 4, 7}), taps};
    default:
      return {pick(random, 1, 4), taps, taps};
  }
}

/// A pass over random inputs with any padding, in either layout: input and output may differ. Half
/// of those whose kernels end in 3x3 have a stride of 2.
Problem random_pass(Random& random, int pass, DType dtype) {
  const auto layout = [&](int64_t channels) {
    return channels % 16 == 0 && random.below(2) == 0 ? Layout::blocked16 : Layout::channels_last;
  };
  const auto channels = [&] {
    return random.below(2) == 0 ? 16 * pick(random, 1, 9) : pick(random, 1, 70);
  };
  const Shape kernel = random_kernel(random);
  const std::vector<int64_t> ones(static_cast<size_t>(kernel.rank()), 1);
  ConvGeometry g{ones, ones, {}, {}, 1};
  const int rank = kernel.rank();
  if (rank >= 2 && kernel[rank - 2] == 3 && random.below(2) == 0)
    std::fill(g.stride.end() - 2, g.stride.end(), 2);
  Type x{dtype, Shape{pick(random, 1, 5), channels()}};
  Type y{dtype, Shape{x.dim(0), channels()}};
  for (int axis = 0; axis < kernel.rank(); ++axis) {
    const int64_t most = kernel.rank() - axis > 2 ? kernel[axis] + 3 : 14;
    const int64_t size = pick(random, kernel[axis], most), before = pick(random, 0, 3);
    const int64_t after = pick(random, 0, 3);
    g.padding_begin.push_back(before), g.padding_end.push_back(after);
    x.shape = x.shape.concat({size});
    const int64_t stride = g.stride[static_cast<size_t>(axis)];
    y.shape = y.shape.concat({(size + before + after - kernel[axis]) / stride + 1});
  }
  const Type weight{dtype, Shape{y.dim(1), x.dim(1)}.concat(kernel)};
  x.layout = layout(x.dim(1)), y.layout = layout(y.dim(1));
  if (pass == 0) {
    Conv op{.geometry = g, .kernel = kernel};
    op.bias = random.below(2) == 0;
    if (random.below(2) == 0) op.epilogue.append({});
    if (random.below(2) == 0) op.epilogue.append({.activation = UnaryKind::relu});
    Types in{x, weight};
    if (op.bias) in.push_back({DType::f32, {y.dim(1)}});
    in.insert(in.end(), op.epilogue.residuals(), y);
    return {op, in, {y}};
  }
  if (pass == 1) return {ConvBackwardData{g, x.shape}, {weight, y}, {x}};
  const ConvBackwardWeights op{g, weight.shape, random.below(2) == 0};
  Types out{{DType::f32, weight.shape}};
  if (op.bias) out.push_back({DType::f32, {y.dim(1)}});
  return {op, {x, y}, out};
}

TEST(OwnWinograd, EveryPassEqualsItsReferenceForAnyShapePaddingAndLayout) {
  const WinogradScope always(Winograd::always);
  Random random(1, "own winograd");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const Problem problem = random_pass(random, trial % 3, value_dtypes[trial / 3 % 3]);
    const std::vector<Array> in = random_inputs(problem, random);
    ASSERT_TRUE(check("simd:winograd", problem, in, bound_of(problem)));
    if (trial % 3 == 2) {
      ASSERT_TRUE(check("simd:winograd_matrices", problem, in, bound_of(problem)));
    }
  }
}

/// A convolution of 3x3 or 5x5 after a norm, or the gradient of its weights, on random images.
Problem random_norm_pass(Random& random, bool forward, DType dtype) {
  constexpr std::optional<UnaryKind> activations[] = {
      std::nullopt,    UnaryKind::relu,      UnaryKind::relu, UnaryKind::relu6,
      UnaryKind::gelu, UnaryKind::hardswish, UnaryKind::silu, UnaryKind::leaky_relu};
  const auto activation = activations[random.below(std::size(activations))];
  const double alpha = activation == UnaryKind::leaky_relu ? 0.25 : 0;
  for (;;) {
    Problem problem = random_pass(random, forward ? 0 : 2, dtype);
    const Type vector{DType::f32, {problem.in[0].dim(1)}};
    const ConvGeometry* geometry = nullptr;
    if (const auto* conv = problem.op.as<Conv>()) {
      problem.in.resize(conv->bias ? 3 : 2);  // without residuals
      geometry = &conv->geometry;
      problem.op = NormConv{*geometry, conv->kernel, conv->bias, true, activation, alpha};
      geometry = &problem.op.get<NormConv>().geometry;
    } else {
      const auto gradient = problem.op.get<ConvBackwardWeights>();
      problem.op = NormConvBackwardWeights{gradient.geometry, gradient.weight, gradient.bias,
                                           activation, alpha};
      geometry = &problem.op.get<NormConvBackwardWeights>().geometry;
    }
    problem.in.insert(problem.in.end(), 3, vector);
    const Shape& weight = forward ? problem.in[1].shape : problem.out[0].shape;
    const Shape kernel = weight.slice(2);
    if ((kernel == Shape{3, 3} || kernel == Shape{5, 5}) && geometry->stride == same.stride)
      return problem;
  }
}

TEST(OwnWinograd, NormsBeforeConvolutionsEqualTheirReference) {
  const WinogradScope always(Winograd::always);
  Random random(5, "norms");
  for (int trial = 0; trial < shapes_per_op / 2; ++trial) {
    const DType dtype = trial / 2 % 4 < 3 ? DType::f32 : DType::bf16;
    const Problem problem = random_norm_pass(random, trial % 2 == 0, dtype);
    const std::vector<Array> in = random_inputs(problem, random);
    ASSERT_TRUE(check("simd:winograd", problem, in, own_of_5));
    if (trial % 2 == 1) {
      ASSERT_TRUE(check("simd:winograd_matrices", problem, in, own_of_5));
    }
  }
}

/// Means may be much closer to 0 than the values.
constexpr Bound of_moments{2048, Scale::output, NonFinite::spreads};

TEST(OwnWinograd, MomentsOfResultsEqualTheirReference) {
  const WinogradScope always(Winograd::always);
  Random random(7, "moments");
  for (int trial = 0; trial < shapes_per_op / 4; ++trial) {
    const bool normalises = trial % 4 == 0;
    Problem problem = normalises ? random_norm_pass(random, true, DType::f32)
                                 : random_pass(random, 0, DType::f32);
    if (!normalises) {
      const auto conv = problem.op.get<Conv>();
      problem.op = NormConv{conv.geometry, conv.kernel, conv.bias};
      problem.in.resize(conv.bias ? 3 : 2);
    }
    auto op = problem.op.get<NormConv>();
    op.moments = true;
    problem.op = op;
    problem.out.resize(3, {DType::f32, {problem.out[0].dim(1)}});
    ASSERT_TRUE(check("simd:winograd", problem, random_inputs(problem, random), of_moments));
  }
}

/// Those that the kernel gives are those of the y that it gives, for every seventh channel.
void expect_moments_of_results(const Problem& problem, const std::vector<Array>& in) {
  const std::vector<Array> out = outputs_of(problem, in);
  const Shape& shape = problem.out[0].shape;
  const int64_t channels = shape[1], positions = shape.numel() / channels;
  for (int64_t c = 0; c < channels; c += 7) {  // y is channels-last
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < positions; ++i)
      mean += out[0].at(i * channels + c) / static_cast<double>(positions);
    for (int64_t i = 0; i < positions; ++i) {
      variance += std::pow(out[0].at(i * channels + c) - mean, 2) / static_cast<double>(positions);
    }
    ASSERT_NEAR(out[1].at(c), mean, 1e-5 * (1 + std::abs(mean))) << c;
    ASSERT_NEAR(out[2].at(c), variance, 1e-5 * variance) << c;
  }
}
Problem with_moments(const Types& in) {
  Problem problem =
      make_problem(NormConv{.geometry = same, .kernel = {3, 3}, .bias = true, .moments = true}, in,
                   Layout::channels_last);
  problem.in[1].layout = Layout::plain;
  return problem;
}

TEST(OwnWinograd, MomentsOfSeveralBlocksOfTilesAreThoseOfTheResults) {
  const WinogradScope always(Winograd::always);
  Random random(9, "moments");
  const Problem problem = with_moments(
      {{DType::f32, {5, 16, 31, 29}}, {DType::f32, {1408, 16, 3, 3}}, {DType::f32, {1408}}});
  EXPECT_EQ(choose_kernel(problem).kernel->detail(), "matrix by matrix");
  expect_moments_of_results(problem, random_inputs(problem, random));
}

TEST(OwnWinograd, MomentsAreThoseOfRoundedResults) {
  const WinogradScope always(Winograd::always);
  Random random(10, "moments");
  for (const DType dtype : {DType::bf16, DType::f16}) {
    if (dtype == DType::f16 && !simd::has_half_vectors()) continue;
    const Problem problem =
        with_moments({{dtype, {4, 16, 13, 11}}, {dtype, {40, 16, 3, 3}}, {DType::f32, {40}}});
    std::vector<Array> in = random_inputs(problem, random);
    for (float& v : in[2].data<float>()) v = 1500;  // values are 8 apart in bf16, 1 in f16
    expect_moments_of_results(problem, in);
  }
}

TEST(OwnWinograd, EqualResultsHaveNoVarianceHoweverLargeTheyAre) {
  const WinogradScope always(Winograd::always);
  Random random(11, "moments");
  const Problem problem =
      with_moments({{DType::f32, {2, 16, 9, 8}}, {DType::f32, {20, 16, 3, 3}}, {DType::f32, {20}}});
  std::vector<Array> in = random_inputs(problem, random);
  in[0] = Array::zeros(DType::f32, in[0].shape());
  for (float& v : in[2].data<float>()) v = 0x1p80f;
  const std::vector<Array> out = outputs_of(problem, in);
  for (int64_t c = 0; c < 20; ++c) {
    EXPECT_EQ(out[1].at(c), 0x1p80);
    EXPECT_EQ(out[2].at(c), 0);
  }
}

TEST(OwnWinograd, MomentsFarFromZeroKeepTheVariance) {
  const WinogradScope always(Winograd::always);
  Random random(8, "moments");
  const Problem problem = with_moments(
      {{DType::f32, {4, 16, 20, 30}}, {DType::f32, {32, 16, 3, 3}}, {DType::f32, {32}}});
  std::vector<Array> in = random_inputs(problem, random);
  for (float& v : in[2].data<float>()) v = 3000;
  const std::vector<Array> out = outputs_of(problem, in), right = reference_outputs(problem, in);
  for (int64_t c = 0; c < 32; ++c) {  // E[y^2] - E[y]^2 in floats would be off by about 1
    EXPECT_NEAR(out[1].at(c), right[1].at(c), 1e-3);
    EXPECT_NEAR(out[2].at(c) / right[2].at(c), 1, 1e-4) << c;
  }
}

TEST(OwnWinograd, NormsBeforeConvolutionsGiveTheBitsOfBothKernelsOneAfterTheOther) {
  const WinogradScope always(Winograd::always);
  Random random(6, "norms");
  for (int trial = 0; trial < 40; ++trial) {
    const Problem problem = random_norm_pass(random, trial % 2 == 0, DType::f32);
    std::vector<Array> in = random_inputs(problem, random);
    const std::vector<Array> fused = outputs_of(problem, in);

    const auto* conv = problem.op.as<NormConv>();
    const auto* gradient = problem.op.as<NormConvBackwardWeights>();
    const Op norm = conv != nullptr ? Op(conv->norm()) : Op(gradient->norm());
    const Op op = conv != nullptr ? Op(conv->conv()) : Op(gradient->gradient_op());
    const size_t mean = conv != nullptr ? conv->mean_input() : 2;
    const auto at = [&](auto& list, size_t i) { return list.begin() + std::ptrdiff_t(i); };
    Problem first{norm, {problem.in[0]}, {problem.in[0]}}, second = problem;
    first.in.insert(first.in.end(), at(problem.in, mean), problem.in.end());
    std::vector<Array> of_norm{in[0]};
    of_norm.insert(of_norm.end(), at(in, mean), in.end());
    in[0] = outputs_of(first, of_norm)[0];
    in.resize(mean);
    second.op = op;
    second.in.resize(mean);
    const std::vector<Array> apart = outputs_of(second, in);
    for (size_t i = 0; i < fused.size(); ++i)
      ASSERT_EQ(std::memcmp(fused[i].raw(), apart[i].raw(), apart[i].bytes()), 0)
          << describe(problem);
  }
}

TEST(OwnWinograd, SaysBeforeWhichConvolutionsItAppliesNorms) {
  const WinogradScope always(Winograd::always);
  const auto why = [](const Shape& kernel, int64_t stride, DType dtype, UnaryKind activation) {
    const auto axes = static_cast<size_t>(kernel.rank());
    const std::vector<int64_t> ones(axes, 1), strides(axes, stride);
    const NormConv op{{strides, ones, ones, ones, 1}, kernel, false, true, activation};
    const Type x{dtype, Shape{2, 16}.concat(axes == 1 ? Shape{8} : Shape{8, 8})};
    const Type vector{DType::f32, {16}};
    Problem problem =
        make_problem(op, {x, {dtype, Shape{16, 16}.concat(kernel)}, vector, vector, vector},
                     Layout::channels_last);
    problem.in[1].layout = Layout::plain;
    return refusal("simd:winograd", problem).value_or("");
  };
  constexpr const char* others =
      "norms only before kernels of 3x3 or 5x5, stride 1, in f32 or bf16";
  EXPECT_EQ(why({3, 3}, 1, DType::f32, UnaryKind::relu), "");
  EXPECT_EQ(why({5, 5}, 1, DType::f32, UnaryKind::relu), "");
  EXPECT_EQ(why({3, 3}, 2, DType::f32, UnaryKind::relu), others);
  EXPECT_EQ(why({3}, 1, DType::f32, UnaryKind::relu), others);
  if (simd::has_half_vectors()) {
    EXPECT_EQ(why({3, 3}, 1, DType::f16, UnaryKind::relu), others);
  }
  EXPECT_EQ(why({3, 3}, 1, DType::f32, UnaryKind::tanh),
            "an activation that does not follow norms");
}

TEST(OwnWinograd, TilesCoverEachPositionOnceAndThoseThatAProductNeedsAreAdjacent) {
  using namespace simd::winograd;
  const auto cover = [](int64_t height, int64_t width, std::initializer_list<Form> forms) {
    const int64_t side = forms.begin()->side();
    const auto count = [&](int64_t n) { return (n + side - 1) / side; };
    const Tiles tiles(2, height, width, side);
    EXPECT_EQ(tiles.count, 2 * count(height) * count(width));
    std::vector<int> covered(static_cast<size_t>(2 * height * width));
    const int64_t cut = tiles.count / 3;
    for (const Range range : {Range{0, cut}, Range{cut, tiles.count}}) {
      const Places places(tiles, range);
      ASSERT_EQ(places.size(), range.size());
      for (int64_t i = 0; i < places.size(); ++i) {
        const Place& p = places.all()[static_cast<size_t>(i)];
        for (int64_t y = p.y; y < p.y + p.rows; ++y) {
          for (int64_t x = p.x; x < p.x + p.columns; ++x)
            ++covered.at(static_cast<size_t>((p.image * height + y) * width + x));
        }
        for (const Form& form : forms) {
          const int64_t n = form.products_of_axis();
          for (int64_t product = 0; product < form.products(); ++product) {
            const Range rows = places.of_product(form, product);
            const bool needed = (!form.is_last(product / n) || p.rows == side) &&
                                (!form.is_last(product % n) || p.columns == side);
            EXPECT_EQ(needed, rows.begin <= i && i < rows.end) << height << "x" << width;
          }
        }
      }
    }
    EXPECT_EQ(covered, std::vector<int>(covered.size(), 1)) << height << "x" << width;
  };
  for (int64_t height = 1; height <= 15; ++height) {
    for (int64_t width = 1; width <= 15; ++width) {
      cover(height, width, {{2, Stride::one}, {2, Stride::two}});
      cover(height, width, {{2, Stride::one, 5}});
    }
  }
  const auto products = [](Stride stride, int64_t size) {
    return Form{2, stride}.products_of_axis(Split(size, tile));
  };
  EXPECT_EQ(products(Stride::one, 7), 11);
  EXPECT_EQ(products(Stride::one, 14), 22);
  EXPECT_EQ(products(Stride::one, 16), 24);
  EXPECT_EQ(products(Stride::two, 7), 16);
  EXPECT_EQ(products(Stride::two, 16), 36);
}

TEST(OwnWinograd, GradientGoesMatrixByMatrixWhereBothSidesHaveManyChannels) {
  const auto kernel = [](int64_t n, int64_t side, int64_t in, int64_t out, int64_t stride = 1) {
    ConvGeometry g = same;
    g.stride = {stride, stride};
    const Types images{{DType::f32, {n, in, side * stride, side * stride}, Layout::blocked16},
                       {DType::f32, {n, out, side, side}, Layout::blocked16}};
    const Shape weight{out, in, 3, 3};
    return choose_kernel({ConvBackwardWeights{g, weight}, images, {{DType::f32, weight}}}).name;
  };
  EXPECT_EQ(kernel(128, 32, 64, 64), "simd:winograd");
  EXPECT_EQ(kernel(16, 64, 64, 128), "simd:winograd");
  EXPECT_EQ(kernel(128, 16, 128, 128), "simd:winograd_matrices");
  EXPECT_EQ(kernel(128, 15, 64, 256), "simd:winograd_matrices");
  EXPECT_EQ(kernel(128, 4, 512, 512), "simd:winograd_matrices");
  EXPECT_EQ(kernel(32, 28, 64, 64, 2), "simd:winograd");
  EXPECT_EQ(kernel(128, 16, 64, 128, 2), "simd:winograd_matrices");
}

TEST(OwnWinograd, GradientsOfSmallBatchesGoBlockByBlockAndOccupyAllThreads) {
  const auto gradient = [](int64_t images, int64_t channels, int64_t side) {
    const Type image{DType::f32, {images, channels, side, side}, Layout::channels_last};
    const Shape weight{channels, channels, 3, 3};
    return choose_kernel(
        {ConvBackwardWeights{same, weight}, {image, image}, {{DType::f32, weight}}, 2});
  };
  // Sums of 512 x 512 channels, 38 MB, would be written to memory for 16 tiles.
  const KernelChoice small = gradient(16, 512, 4);
  EXPECT_EQ(small.name, "simd:winograd");
  EXPECT_EQ(small.kernel->detail(), "blocks of channels");
  EXPECT_EQ(gradient(64, 512, 14).kernel->detail(), "matrix by matrix");
  // 128 tiles of a single block of channels are divided.
  EXPECT_EQ(gradient(2, 64, 32).kernel->detail(), "blocks of channels and tiles");
}

TEST(OwnWinograd, GradientsOfSeveralBlocksOfTilesAreThoseOfTheReferenceForAnyNumberOfThreads) {
  const WinogradScope always(Winograd::always);
  Random random(1, "blocks of tiles");
  // 16 MB of V and Z are 145 tiles of 200 channels; of three slices, a third.
  const Shape shapes[] = {{3, 100, 31, 29}, {2, 100, 3, 21, 18}};
  for (const Shape& x : shapes) {
    const auto axes = static_cast<size_t>(x.rank() - 2);
    const std::vector<int64_t> ones(axes, 1);
    const Shape weight = Shape{100, 100}.concat(Shape(std::vector<int64_t>(axes, 3)));
    const Problem problem{
        ConvBackwardWeights{{ones, ones, ones, ones, 1}, weight, true},
        {{DType::f32, x, Layout::channels_last}, {DType::f32, x, Layout::channels_last}},
        {{DType::f32, weight}, {DType::f32, {100}}}};
    ASSERT_TRUE(check("simd:winograd_matrices", problem, random_inputs(problem, random), own));
  }
}

TEST(OwnWinograd, GradientsOfSlicesThatReadOnlyPaddingAddNothing) {
  const WinogradScope always(Winograd::always);
  Random random(1, "slices of padding");
  // 36 tiles of 16 slices are divided into four parts; three of them lie behind all of x.
  const ConvGeometry behind{{1, 1, 1}, {1, 1, 1}, {0, 1, 1}, {12, 1, 1}, 1};
  const Problem problem{ConvBackwardWeights{behind, {16, 16, 1, 3, 3}, true},
                        {{DType::f32, {1, 16, 4, 24, 24}, Layout::channels_last},
                         {DType::f32, {1, 16, 16, 24, 24}, Layout::channels_last}},
                        {{DType::f32, {16, 16, 1, 3, 3}}, {DType::f32, {16}}}};
  const std::vector<Array> in = random_inputs(problem, random);
  EXPECT_TRUE(check("simd:winograd", problem, in, own));
  EXPECT_TRUE(check("simd:winograd_matrices", problem, in, own));
}

TEST(OwnWinograd, ConvolutionsOfSeveralBlocksAndPiecesOfTilesAreThoseOfTheReference) {
  const WinogradScope always(Winograd::always);
  Random random(1, "blocks and pieces");
  // 24 MB of V and M are 112 tiles with 16 and 1,408 channels: three blocks, each of two pieces.
  Problem problem = make_problem(Conv{.geometry = same, .kernel = {3, 3}},
                                 {{DType::f32, {4, 16, 31, 29}}, {DType::f32, {1408, 16, 3, 3}}},
                                 Layout::channels_last);
  problem.in[1].layout = Layout::plain;
  EXPECT_EQ(choose_kernel(problem).kernel->detail(), "matrix by matrix");
  ASSERT_TRUE(check("simd:winograd", problem, random_inputs(problem, random), own));
}

TEST(OwnWinograd, ErrorIsAFewTimesThatOfADirectConvolutionAndLessForOthersThan3x3) {
  const WinogradScope always(Winograd::always);
  Random random(1, "error");
  const double direct = instruction_set().starts_with("AVX3") ? 4 : 16;
  struct Case {
    int64_t side, stride;
    double winograd, products;  // as a multiple of those of 3x3
  };
  for (const auto [side, stride, winograd, products] :
       {Case{3, 1, 32, 1}, Case{3, 2, 8, 1}, Case{5, 1, 16, 2.8}}) {
    ConvGeometry g = same;
    g.stride = {stride, stride};
    Problem problem =
        make_problem(Conv{.geometry = g, .kernel = {side, side}},
                     {{DType::f32, {2, 128, 16, 16}}, {DType::f32, {64, 128, side, side}}},
                     preferred_layout({DType::f32, {2, 128, 16, 16}}));
    problem.in[1].layout = Layout::plain;
    const std::vector<Array> in = random_inputs(problem, random);
    EXPECT_TRUE(check("onednn", problem, in, {products * direct, Scale::output}, {1}, false));
    EXPECT_TRUE(check("simd:winograd", problem, in, {winograd, Scale::output, NonFinite::spreads}));
  }
}

TEST(OwnWinograd, ZerosStayZeros) {
  const WinogradScope always(Winograd::always);
  Random random(1, "zeros");
  for (int pass = 0; pass < 3; ++pass) {
    const size_t image = pass == 1 ? 1 : 0;
    Problem problem = random_pass(random, pass, DType::f32);
    std::vector<Array> in = random_inputs(problem, random);
    for (size_t i = 0; i < in.size(); ++i) {
      if (i == image || i > 1) in[i] = Array::zeros(DType::f32, in[i].shape());
    }
    if (pass == 2) in[1] = Array::zeros(DType::f32, in[1].shape());  // for the bias's gradient
    const Bound exact{0, Scale::element, NonFinite::spreads};
    EXPECT_TRUE(check("simd:winograd", problem, in, exact));
    if (pass == 2) {
      EXPECT_TRUE(check("simd:winograd_matrices", problem, in, exact));
    }
  }
}

TEST(OwnWinograd, IsChosenWhereItIsFasterAndSaysWhyNot) {
  const std::string refused_shape =
      "only kernels of 3, 3x3, n x 3, n x 3x3, or 5 instead of 3, stride 1, or 2 for 3x3, no "
      "dilation, no groups";
  const auto why = [](const Problem& p) {
    return refusal("simd:winograd", p).value_or("accepted");
  };
  const auto conv = [](Shape x, int64_t out, Layout layout = Layout::blocked16,
                       DType dtype = DType::f32, int64_t stride = 1) {
    ConvGeometry g = same;
    g.stride = {stride, stride};
    const Shape weight{out, x[1], 3, 3};
    Problem problem =
        make_problem(Conv{.geometry = g, .kernel = {3, 3}}, {{dtype, x}, {dtype, weight}}, layout);
    problem.in[1].layout = Layout::plain;
    return problem;
  };
  EXPECT_EQ(why(conv({8, 64, 8, 8}, 64)), "accepted");
  EXPECT_EQ(choose_kernel(conv({8, 64, 8, 8}, 64)).name, "simd:winograd");
  EXPECT_EQ(choose_kernel(conv({8, 64, 16, 16}, 64, Layout::blocked16, DType::f32, 2)).name,
            "simd:winograd");
  EXPECT_EQ(why(conv({8, 3, 32, 32}, 64, Layout::channels_last)),
            "would take 1.5 times as long as a direct convolution");
  EXPECT_EQ(why(conv({1, 512, 7, 7}, 512)), "would take 2.2 times as long as a direct convolution");
  {
    const TuningScope measured(std::make_shared<Tuning>());  // estimates may be wrong for a CPU
    EXPECT_EQ(why(conv({1, 512, 7, 7}, 512)), "accepted");
  }
  const auto of_kernel = [](Shape x, const Shape& kernel, int64_t out) {
    const auto axes = static_cast<size_t>(kernel.rank());
    const std::vector<int64_t> ones(axes, 1);
    ConvGeometry g{ones, ones, ones, ones, 1};
    const Shape weight = Shape{out, x[1]}.concat(kernel);
    Problem problem = make_problem(Conv{.geometry = g, .kernel = kernel},
                                   {{DType::f32, x}, {DType::f32, weight}}, Layout::blocked16);
    problem.in[1].layout = Layout::plain;
    return problem;
  };
  EXPECT_EQ(why(of_kernel({2, 64, 4, 16, 16}, {3, 3, 3}, 64)), "accepted");
  EXPECT_EQ(why(of_kernel({8, 128, 200}, {3}, 128)), "accepted");
  EXPECT_EQ(why(of_kernel({8, 128, 20, 20}, {1, 3}, 128)), "accepted");
  EXPECT_EQ(why(of_kernel({8, 64, 20, 20}, {5, 5}, 64)), "accepted");
  EXPECT_EQ(why(of_kernel({8, 128, 200}, {5}, 128)), "accepted");
  EXPECT_EQ(why(of_kernel({8, 64, 20, 20}, {7, 7}, 64)), refused_shape);
  EXPECT_EQ(why(of_kernel({2, 512, 2, 7, 7}, {3, 3, 3}, 512)),
            "would take 1.1 times as long as a direct convolution");
  EXPECT_EQ(why(of_kernel({8, 128, 20, 20}, {3, 1}, 128)), refused_shape);
  EXPECT_EQ(why(of_kernel({2, 64, 4, 16, 16}, {1, 1, 3}, 64)), refused_shape);
  EXPECT_EQ(why(conv({8, 64, 8, 8}, 64, Layout::plain)), "only channels-last and blocked16");
  EXPECT_EQ(why(conv({8, 64, 8, 8}, 64, Layout::channels_last, DType::f64)),
            "only f32, bf16 or f16");
  EXPECT_EQ(why(conv({8, 64, 8, 8}, 64, Layout::blocked16, DType::f32, 3)), refused_shape);
  const WinogradScope never(Winograd::never);
  EXPECT_EQ(why(conv({8, 64, 8, 8}, 64)), "switched off (--no-winograd, set_winograd)");
  EXPECT_FALSE(choose_kernel(conv({8, 64, 8, 8}, 64)).name.ends_with("winograd"));
}

TEST(OwnWinograd, PlainInputsOfFixedWeightsAreOfferedAReorder) {
  const FixedWeightsScope fixed(true);
  Problem problem = make_problem(Conv{.geometry = same, .kernel = {3, 3}},
                                 {{DType::f32, {8, 64, 32, 32}}, {DType::f32, {64, 64, 3, 3}}});
  const auto cheapest = [&] {
    double least = HUGE_VAL;
    Layout layout = Layout::plain;
    for (const PricedLayouts& offer : priced_layouts(problem)) {
      const Layout x = in_layouts(problem, offer.layouts).in[0].layout;
      const double price =
          offer.seconds + (x == problem.in[0].layout ? 0 : reorder_seconds(problem.in[0]));
      if (price < least) least = price, layout = x;
    }
    return layout;
  };
  EXPECT_NE(cheapest(), Layout::plain);
  problem.in[0].shape = {8, 3, 32, 32}, problem.in[1].shape = {64, 3, 3, 3};
  EXPECT_EQ(cheapest(), Layout::plain) << "of few channels, for which it does not pay";
  problem.in[0].shape = {8, 64, 32, 32}, problem.in[1].shape = {64, 64, 3, 3};
  const WinogradScope never(Winograd::never);
  EXPECT_EQ(cheapest(), Layout::plain);
}

}  // namespace
}  // namespace fovea::kernel_test
