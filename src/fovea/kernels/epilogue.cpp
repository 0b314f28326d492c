#include "fovea/kernels/epilogue.h"

#include <algorithm>

#include "fovea/core/array.h"
#include "fovea/ops/arithmetic.h"

namespace fovea {
namespace {

class EpilogueKernel final : public Kernel {
 public:
  EpilogueKernel(std::unique_ptr<Kernel> conv, const Problem& problem, size_t taken)
      : conv_(std::move(conv)), scratch_(conv_->scratch_bytes()) {
    const auto& op = problem.op.get<Conv>();
    const std::vector<EpilogueStep> steps = op.steps();
    const Type& y = problem.out[0];
    size_t residual = problem.in.size() - op.residuals();
    for (size_t i = 0; i < steps.size(); ++i) {
      const bool adds = !steps[i].activation;
      const size_t input = adds ? residual++ : 0;
      if (i < taken) continue;
      const Problem step =
          adds ? Problem{Binary{BinaryKind::add}, {y, y}, {y}, problem.threads}
               : Problem{Unary{*steps[i].activation, steps[i].alpha}, {y}, {y}, problem.threads};
      steps_.push_back({choose_kernel(step).kernel, input});
      scratch_ = std::max(scratch_, steps_.back().kernel->scratch_bytes());
    }
  }

  std::string detail() const override { return conv_->detail(); }
  size_t scratch_bytes() const override { return scratch_; }
  bool uses_openmp() const override { return conv_->uses_openmp(); }
  std::vector<int> packed_inputs() const override { return conv_->packed_inputs(); }
  size_t packed_bytes() const override { return conv_->packed_bytes(); }
  std::string packed_form() const override { return conv_->packed_form(); }
  void pack(std::span<const std::byte* const> in, std::byte* packed) const override {
    conv_->pack(in, packed);
  }

  void run(const Args& args) const override {
    conv_->run(args);
    for (const auto& [kernel, residual] : steps_) {
      const std::byte* in[] = {args.out[0], args.in[residual]};
      kernel->run({{in, residual > 0 ? 2u : 1u}, args.out, args.scratch, nullptr});
    }
  }

 private:
  struct Step {
    std::unique_ptr<Kernel> kernel;
    size_t residual;  ///< the input that it adds, or 0
  };
  std::unique_ptr<Kernel> conv_;
  size_t scratch_;
  std::vector<Step> steps_;
};

}  // namespace

std::unique_ptr<Kernel> with_epilogue(std::unique_ptr<Kernel> conv, const Problem& problem,
                                      size_t taken) {
  if (taken == problem.op.get<Conv>().epilogue.size()) return conv;
  return std::make_unique<EpilogueKernel>(std::move(conv), problem, taken);
}

ResidualThenRelu residual_then_relu(const Conv& conv) {
  ResidualThenRelu first;
  for (const EpilogueStep& step : conv.steps()) {
    const bool adds = !step.activation;
    if (first.relu || (adds ? first.residual : *step.activation != UnaryKind::relu)) break;
    (adds ? first.residual : first.relu) = true;
    ++first.taken;
  }
  return first;
}

}  // namespace fovea
