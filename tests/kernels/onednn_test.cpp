#include "fovea/core/error.h"
#include "fovea/kernels/converted.h"
#include "fovea/ops/conv.h"
#include "fovea/ops/linear.h"
#include "fovea/ops/pool.h"
#include "kernels/harness.h"

namespace fovea::kernel_test {
namespace {

constexpr auto f32 = DType::f32;

/// The layout, if the value can have it: as the layout pass chooses.
Type laid_out(DType dtype, const Shape& shape, Layout layout) {
  const bool fits = layout != Layout::blocked16 || shape[1] % 16 == 0;
  return {dtype, shape, fits ? layout : Layout::plain};
}

Types plain(Types types) {
  for (Type& type : types) type.layout = Layout::plain;
  return types;
}

/// Whether that is a reason for having no products of bf16.
bool no_bf16(std::string_view why) {
  return why == "bf16 needs AVX-512" || why == "this CPU multiplies bf16 slower than f32";
}

/// The dtypes in which this machine's oneDNN multiplies.
std::vector<DType> dtypes() {
  const auto why =
      refusal("onednn", make_problem(Linear{}, {{DType::bf16, {2, 5}}, {DType::bf16, {3, 5}}}));
  if (!why) return {DType::f32, DType::bf16};
  EXPECT_TRUE(no_bf16(*why)) << *why;
  return {DType::f32};
}

/// Sums in a different order from the reference: a few eps of the sum of absolute products.
Bound sums(const Problem&) { return {8, Scale::absolute, NonFinite::spreads}; }

/// 2^-8, what a bf16 is rounded by, in eps.
constexpr double bf16_rounding = 0x1p15;

/// Runs `trial` with each dtype until the rule took enough problems: others it may refuse, but not
/// most.
template <class Trial>
void repeat(std::string_view purpose, const Trial& trial,
            const std::function<Bound(const Problem&)>& bound = sums,
            std::string_view rule = "onednn") {
  for (const DType dtype : dtypes()) {
    Random random(1, purpose);
    int accepted = 0, tried = 0;
    for (; accepted < shapes_per_op && tried < 4 * shapes_per_op; ++tried) {
      const std::optional<Problem> problem = trial(random, dtype);
      if (!problem || refusal(rule, *problem)) continue;
      ++accepted;
      ASSERT_TRUE(
          check(rule, *problem, random_inputs(*problem, random), bound(*problem), {1, 2}, false));
    }
    EXPECT_EQ(accepted, shapes_per_op) << "of " << tried << ", " << name(dtype);
  }
}

/// A convolution of 1 to 3 axes: groups, depthwise, dilation, asymmetric padding.
struct ConvCase {
  ConvGeometry geometry;
  Shape x, weight, y;
  Layout layout = Layout::plain;
  DType dtype = f32;

  Type x_type() const { return laid_out(dtype, x, layout); }
  Type y_type() const { return laid_out(dtype, y, layout); }
};

std::optional<ConvCase> random_conv(Random& random, DType dtype) {
  ConvCase c;
  c.dtype = dtype;
  c.layout = pick(random, layouts);
  const int axes = static_cast<int>(pick(random, 1, 3));
  ConvGeometry& g = c.geometry;
  const int64_t unit = pick(random, std::vector<int64_t>{1, 3, 8, 16});
  g.groups = random.below(2) == 0 ? 1 : pick(random, 1, 4);
  const bool depthwise = random.below(5) == 0;
  int64_t in = unit * g.groups * pick(random, 1, 2), out = unit * g.groups * pick(random, 1, 2);
  if (depthwise) g.groups = in = out = pick(random, std::vector<int64_t>{5, 16, 32});
  c.x = {pick(random, 0, 3), in};
  c.weight = {out, in / g.groups};
  for (int a = 0; a < axes; ++a) {
    c.x = c.x.concat({pick(random, 1, axes == 1 ? 30 : axes == 2 ? 11 : 5)});
    c.weight = c.weight.concat({pick(random, 1, 3)});
    g.stride.push_back(pick(random, 1, 2));
    g.dilation.push_back(random.below(3) == 0 ? 2 : 1);
    g.padding_begin.push_back(pick(random, 0, 2));
    g.padding_end.push_back(pick(random, 0, 2));
  }
  try {
    c.y = Conv{.geometry = g, .kernel = c.weight.slice(2)}
              .infer({{f32, c.x}, {f32, c.weight}})[0]
              .shape;
  } catch (const Error&) {  // the window does not fit
    return std::nullopt;
  }
  return c;
}

std::optional<Problem> forward(Random& random, DType dtype) {
  const auto c = random_conv(random, dtype);
  if (!c) return std::nullopt;
  Conv op{.geometry = c->geometry, .kernel = c->weight.slice(2), .bias = random.below(2) == 0};
  for (size_t i = random.below(4); i > 0; --i) {  // whose errors grow as their values do
    constexpr UnaryKind kinds[] = {UnaryKind::relu, UnaryKind::leaky_relu};
    EpilogueStep step;
    if (random.below(2) == 0) step = {.activation = kinds[random.below(2)], .alpha = 0.25};
    op.epilogue.append(step);
  }
  Types in{c->x_type(), {dtype, c->weight}};
  if (op.bias) in.push_back({f32, {c->weight[0]}});
  in.insert(in.end(), op.epilogue.residuals(), c->y_type());
  EXPECT_EQ(op.infer(plain(in))[0].shape, c->y);
  return Problem{op, in, {c->y_type()}};
}

/// Steps after a product in bf16 that oneDNN does not take round once more each.
Bound rounded_steps(const Problem& problem) {
  size_t steps = 0;
  if (const Conv* conv = problem.op.as<Conv>()) steps = conv->epilogue.size();
  if (const Linear* linear = problem.op.as<Linear>()) steps = linear->epilogue.size();
  if (const MatMul* product = problem.op.as<MatMul>()) steps = product->slope ? 1 : 0;
  Bound bound = sums(problem);
  if (problem.out[0].dtype == DType::bf16) bound.eps += bf16_rounding * static_cast<double>(steps);
  return bound;
}

std::optional<Problem> backward_data(Random& random, DType dtype) {
  const auto c = random_conv(random, dtype);
  if (!c) return std::nullopt;
  return Problem{ConvBackwardData{.geometry = c->geometry, .input = c->x},
                 {{dtype, c->weight}, c->y_type()},
                 {c->x_type()}};
}

std::optional<Problem> backward_weights(Random& random, DType dtype) {
  const auto c = random_conv(random, dtype);
  if (!c) return std::nullopt;
  const ConvBackwardWeights op{
      .geometry = c->geometry, .weight = c->weight, .bias = random.below(2) == 0};
  Types out{{f32, c->weight}};
  if (op.bias) out.push_back({f32, {c->weight[0]}});
  return Problem{op, {c->x_type(), c->y_type()}, out};
}

TEST(OneDnn, ConvolutionEqualsItsReferenceInEveryLayoutAndForm) {
  repeat("forward", forward, rounded_steps);
}

TEST(OneDnn, ConvolutionsDataGradientEqualsItsReference) { repeat("backward data", backward_data); }

TEST(OneDnn, ConvolutionsWeightGradientEqualsItsReference) {
  repeat("backward weights", backward_weights);
}

TEST(OneDnn, WeightGradientsThatBf16GetsWrongAreComputedInF32) {
  Random random(1, "widened");
  int accepted = 0;
  for (int tried = 0; accepted < shapes_per_op && tried < 20 * shapes_per_op; ++tried) {
    const auto problem = backward_weights(random, DType::bf16);
    if (!problem || !is_widened(choose_kernel(*problem))) continue;
    ++accepted;
    ASSERT_TRUE(
        check("widened", *problem, random_inputs(*problem, random), sums(*problem), {1, 2}, false));
  }
  EXPECT_EQ(accepted, shapes_per_op);
}

TEST(OneDnn, ConvolutionsInOtherLayoutsEqualTheirReference) {
  constexpr std::string_view rule = "onednn:reordered";
  repeat("reordered forward", forward, rounded_steps, rule);
  repeat("reordered backward data", backward_data, sums, rule);
  repeat("reordered backward weights", backward_weights, sums, rule);
}

void expect_usual_convolutions(DType dtype, Layout layout) {
  for (const auto& [kernel, stride, groups] : std::vector<std::array<int64_t, 3>>{
           {3, 1, 1}, {3, 2, 1}, {1, 1, 1}, {1, 2, 1}, {3, 1, 32}, {3, 2, 32}}) {
    const ConvGeometry g{.stride = {stride, stride},
                         .dilation = {1, 1},
                         .padding_begin = {kernel / 2, kernel / 2},
                         .padding_end = {kernel / 2, kernel / 2},
                         .groups = groups};
    const Shape weight{groups == 1 ? 64 : 32, 32 / groups, kernel, kernel};
    const Type x = laid_out(dtype, {2, 32, 8, 8}, layout), w{dtype, weight}, dw{f32, weight};
    const Conv op{.geometry = g, .kernel = {kernel, kernel}};
    const Type y = laid_out(dtype, op.infer(plain({x, w}))[0].shape, layout);
    EXPECT_EQ(refusal("onednn", {op, {x, w}, {y}}), std::nullopt) << to_string(x);
    EXPECT_EQ(refusal("onednn", {ConvBackwardData{g, x.shape}, {w, y}, {x}}), std::nullopt);
    EXPECT_EQ(refusal("onednn", {ConvBackwardWeights{g, weight}, {x, y}, {dw}}), std::nullopt);
  }
}

TEST(OneDnn, AcceptsTheConvolutionsOfCommonNets) {
  // A refusal here would make a net train a hundred times slower.
  for (const DType dtype : dtypes()) {
    for (const Layout layout : {Layout::plain, preferred_layout({dtype, {2, 32, 8, 8}})})
      expect_usual_convolutions(dtype, layout);
  }
}

/// How many products are added for each output: often 63, for which kernels of 2.6 with AMX give
/// wrong results or end the program.
int64_t products(Random& random) { return random.below(4) == 0 ? 63 : pick(random, 1, 70); }

TEST(OneDnn, LinearEqualsItsReference) {
  repeat(
      "linear",
      [](Random& random, DType dtype) -> std::optional<Problem> {
        const int64_t in = products(random), out = pick(random, 1, 40);
        Shape x{pick(random, 1, 20)};
        if (random.below(3) == 0) x = x.concat({pick(random, 1, 5)});
        Linear op{.bias = random.below(2) == 0};
        Types types{{dtype, x.concat({in})}, {dtype, {out, in}}};
        if (op.bias) types.push_back({f32, {out}});
        if (random.below(2) == 0) {  // by kernels of their own
          op.epilogue.append({.activation = UnaryKind::gelu});
          op.sums = random.below(2) == 0;
          if (random.below(2) == 0) op.epilogue.append({});
          types.insert(types.end(), op.epilogue.residuals(), {dtype, x.concat({out})});
        }
        return make_problem(op, types);
      },
      rounded_steps);
}

TEST(OneDnn, MatrixProductsEqualTheirReferenceTransposedOrNot) {
  repeat(
      "matmul",
      [](Random& random, DType dtype) -> std::optional<Problem> {
        const int64_t m = pick(random, 1, 70), k = products(random), n = pick(random, 1, 70);
        MatMul op{.transpose_a = random.below(2) == 0,
                  .transpose_b = random.below(2) == 0,
                  .wide_result = random.below(2) == 0};
        const Shape batch = random.below(3) == 0 ? Shape{pick(random, 1, 4)} : Shape{};
        Types types{{dtype, batch.concat(op.transpose_a ? Shape{k, m} : Shape{m, k})},
                    {dtype, batch.concat(op.transpose_b ? Shape{n, k} : Shape{k, n})}};
        op.sums =
            op.transpose_a && batch.rank() == 0 && dtype == DType::f32 && random.below(2) == 0;
        if (!op.wide_result && !op.sums && random.below(2) == 0) {
          op.slope = UnaryKind::gelu;
          op.value = random.below(2) == 0;
          types.push_back({dtype, batch.concat({m, n})});
        }
        return make_problem(op, types);
      },
      rounded_steps);
}

std::optional<AvgPool> random_pool(Random& random, const Type& x) {
  AvgPool op;
  for (int a = 2; a < x.rank(); ++a) {
    op.kernel.push_back(pick(random, 1, 3));
    op.stride.push_back(pick(random, 1, 3));
    op.dilation.push_back(1);
    op.padding_begin.push_back(pick(random, 0, op.kernel.back() / 2));
    op.padding_end.push_back(pick(random, 0, op.kernel.back() / 2));
  }
  op.count_include_pad = random.below(2) == 0;
  try {
    (void)op.infer({x});
  } catch (const Error&) {
    return std::nullopt;
  }
  return op;
}

TEST(OneDnn, AveragePoolingEqualsItsReference) {
  repeat("avg_pool", [](Random& random, DType dtype) -> std::optional<Problem> {
    const Layout layout = pick(random, layouts);
    const Type x = random_image(random, layout, 0, true, dtype);
    const auto op = random_pool(random, x);
    if (!op) return std::nullopt;
    return make_problem(*op, {x}, layout);
  });
}

TEST(OneDnn, AveragePoolingsGradientEqualsItsReference) {
  repeat("avg_pool_backward", [](Random& random, DType dtype) -> std::optional<Problem> {
    const Layout layout = pick(random, layouts);
    const Type x = random_image(random, layout, 0, true, dtype);
    const auto op = random_pool(random, x);
    if (!op) return std::nullopt;
    AvgPoolBackward backward;
    static_cast<PoolGeometry&>(backward) = *op;
    backward.count_include_pad = op->count_include_pad;
    backward.input = x.shape;
    return make_problem(backward, op->infer({x}), layout);
  });
}

TEST(OneDnn, RefusesWhatItCannotDo) {
  const auto linear = [](DType dtype, const Shape& x) {
    return refusal("onednn", make_problem(Linear{}, {{dtype, x}, {dtype, {3, 5}}}));
  };
  EXPECT_EQ(linear(DType::f64, {2, 5}), "only f32 and bf16");
  EXPECT_EQ(linear(f32, {0, 5}), "nothing to compute for empty values");
  EXPECT_EQ(linear(f32, {1, 1, 1, 1, 1, 5}), "only rank 1 to 5");
  const ConvGeometry strided{.stride = {1, 2},
                             .dilation = {1, 1},
                             .padding_begin = {1, 1},
                             .padding_end = {1, 1},
                             .groups = 1};
  const auto column = refusal("onednn", {ConvBackwardWeights{strided, {4, 4, 3, 3}},
                                         {{DType::bf16, {1, 4, 8, 1}}, {DType::bf16, {1, 4, 8, 1}}},
                                         {{f32, {4, 4, 3, 3}}}});
  EXPECT_TRUE(dtypes().size() == 1
                  ? no_bf16(*column)
                  : *column == "oneDNN's bf16 is wrong for strides over volumes or a single column")
      << *column;
  AvgPool pool;
  pool.kernel = pool.stride = {2};
  pool.padding_begin = pool.padding_end = {0};
  pool.dilation = {2};
  EXPECT_EQ(refusal("onednn", make_problem(pool, {{f32, {1, 1, 9}}})), "no dilation");
  pool.dilation = {1};
  AvgPoolBackward overlapping;
  static_cast<PoolGeometry&>(overlapping) = pool;
  overlapping.stride = {1};
  overlapping.input = {1, 1, 9};
  const Problem narrow = make_problem(overlapping, {{DType::bf16, {1, 1, 8}}});
  const std::string why = refusal("onednn", narrow).value_or("none");
  EXPECT_TRUE(why == "bf16 needs AVX-512" || why == "it sums overlapping windows in bf16") << why;
  pool.ceil_mode = true;
  EXPECT_EQ(refusal("onednn", make_problem(pool, {{f32, {1, 1, 9}}})), "no ceil_mode");
}

}  // namespace
}  // namespace fovea::kernel_test
