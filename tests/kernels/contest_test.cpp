#include <gtest/gtest.h>

#include <algorithm>

#include "fovea/graph/print.h"
#include "fovea/kernels/kernel.h"
#include "fovea/kernels/rules.h"
#include "fovea/ops/conv.h"
#include "fovea/passes/pipeline.h"
#include "fovea/runtime/program.h"

namespace fovea {
namespace {

/// y = 2 x: an op from outside, which says nothing about layouts; its kernels do.
template <int>
struct Twice {
  static constexpr std::string_view name = "twice";
  static constexpr Traits traits{.differentiable = false, .elementwise = true};
  Types infer(const Types& in) const { return {{in[0].dtype, in[0].shape}}; }
  void reference(const Views& v) const {
    for (int64_t i = 0; i < v.in[0].numel(); ++i) v.out[0][i] = 2 * v.in[0][i];
  }
};

class TwiceKernel final : public Kernel {
 public:
  explicit TwiceKernel(int64_t n) : n_(n) {}
  void run(const Args& args) const override {
    for (int64_t i = 0; i < n_; ++i) args.output<float>(0)[i] = 2 * args.input<float>(0)[i];
  }

 private:
  int64_t n_;
};

Offer make_twice(const Problem& problem) {
  return std::make_unique<TwiceKernel>(problem.in[0].numel());
}

Problem twice(const Op& op, const Shape& shape) {
  const Type type{DType::f32, shape};
  return {op, {type}, {type}, 1};
}

// oneDNN's take several times as long there, and took half of a bf16 step of ResNet-18.
TEST(Contest, WithTilesGradientsOfWeightsOnSmallMapsAreOwnKernels) {
  if (bf16_speedup() < 16) GTEST_SKIP() << "no AMX";
  const auto kernel = [](int64_t channels, int64_t side, int64_t window) {
    const ConvGeometry g{.stride = {1, 1},
                         .dilation = {1, 1},
                         .padding_begin = {window / 2, window / 2},
                         .padding_end = {window / 2, window / 2},
                         .groups = 1};
    const Shape weight{channels, channels, window, window};
    const Type x{DType::bf16, {64, channels, side, side}, Layout::channels_last};
    return choose_kernel({ConvBackwardWeights{g, weight}, {x, x}, {{DType::f32, weight}}, 2}).name;
  };
  EXPECT_NE(kernel(512, 4, 3), "onednn");
  EXPECT_NE(kernel(256, 7, 1), "onednn");
  EXPECT_EQ(kernel(64, 32, 3), "onednn");
}

TEST(Contest, TheCheapestKernelThatAcceptsAProblemComputesIt) {
  using Op = Twice<0>;
  const auto nominal = [](const Problem& p) { return nominal_seconds(p); };
  add_kernel_rule<Op>({"general", make_twice});
  add_kernel_rule<Op>({"small", make_twice, [=](const Problem& p) {
                         return nominal(p) * (p.in[0].numel() < 100 ? 0.5 : 2);
                       }});
  add_kernel_rule<Op>({"even",
                       [](const Problem& p) -> Offer {
                         if (p.in[0].numel() % 2 != 0) return Refusal{"only even counts"};
                         return make_twice(p);
                       },
                       [=](const Problem& p) { return nominal(p) * 0.1; }});
  EXPECT_EQ(choose_kernel(twice(Op{}, {10})).name, "even");
  const KernelChoice odd = choose_kernel(twice(Op{}, {11}));
  EXPECT_EQ(odd.name, "small");
  EXPECT_EQ(odd.refused,
            (std::vector<std::pair<std::string, std::string>>{{"even", "only even counts"}}));
  EXPECT_EQ(choose_kernel(twice(Op{}, {101})).name, "general");
  add_kernel_rule<Op>({"newer", make_twice});  // at equal prices, the one added last
  EXPECT_EQ(choose_kernel(twice(Op{}, {101})).name, "newer");
}

/// The op between two others of its kind, after all passes.
std::string laid_out_twice(const Op& op) {
  const auto graph = Graph::make(Mode::eval, DType::f32);
  const Tensor x = graph->input("x", {DType::f32, {1, 16, 2, 2}});
  graph->output("y", graph->add_one(op, {graph->add_one(op, {x})}));
  return print(*run_passes(*graph, {}));
}

TEST(Contest, AnOpFromOutsideHasTheLayoutThatItsKernelTakes) {
  const auto blocked = [](const Problem&) {
    return std::vector<Layouts>{{{Layout::blocked16}, {Layout::blocked16}}};
  };
  add_kernel_rule<Twice<1>>({"blocked", make_twice, nullptr, blocked});
  const std::string text = laid_out_twice(Twice<1>{});
  EXPECT_NE(text.find("= twice(%1): f32[1, 16, 2, 2]{blocked16}"), std::string::npos) << text;
  EXPECT_NE(text.find("= twice(%2): f32[1, 16, 2, 2]{blocked16}"), std::string::npos) << text;
  EXPECT_EQ(std::ranges::count(text, '\n'), 7) << text;  // one reorder to enter, one to leave
}

TEST(Contest, ALayoutIsNotWorthReordersThatCostMoreThanItSaves) {
  const auto either = [](const Problem&) {
    return std::vector<Layouts>{{{Layout::plain}, {Layout::plain}},
                                {{Layout::channels_last}, {Layout::channels_last}}};
  };
  const auto price = [](double saved) {
    return [=](const Problem& p) {
      const double reorder = reorder_seconds(p.in[0]);
      return p.in[0].layout == Layout::plain ? 10 * reorder : (10 - saved) * reorder;
    };
  };
  add_kernel_rule<Twice<2>>({"a", make_twice, price(0.5), either});
  add_kernel_rule<Twice<3>>({"b", make_twice, price(1.5), either});
  EXPECT_EQ(laid_out_twice(Twice<2>{}).find("channels_last"), std::string::npos);
  EXPECT_NE(laid_out_twice(Twice<3>{}).find("channels_last"), std::string::npos);
}

}  // namespace
}  // namespace fovea
