#include "fovea/kernels/epilogue.h"

#include <algorithm>

#include "fovea/core/array.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/conv.h"
#include "fovea/ops/linear.h"

namespace fovea {
namespace {

/// An input or output of a kernel with an epilogue.
struct Operand {
  bool output = false;
  size_t index = 0;
};
constexpr Operand result{true, 0};

/// A step by a kernel of its own.
struct Follower {
  Op op;
  std::vector<Operand> in;
  Operand out = result;
};

/// What the product leaves to do, and where it writes its sums.
struct Rest {
  size_t inputs;  ///< those of the product
  Operand sums = result;
  std::vector<Follower> steps = {};
};

void append_steps(const Epilogue& epilogue, size_t inputs, size_t taken, Rest& rest) {
  size_t residual = inputs - epilogue.residuals();
  for (size_t i = 0; const EpilogueStep& step : epilogue.steps()) {
    const size_t input = step.activation ? 0 : residual++;
    if (i++ < taken) continue;
    const Operand from = rest.steps.empty() ? rest.sums : result;
    if (step.activation) {
      rest.steps.push_back({Unary{*step.activation, step.alpha}, {from}});
    } else {
      rest.steps.push_back({Binary{BinaryKind::add}, {from, {false, input}}});
    }
  }
}

Rest rest_of(const Problem& problem, size_t taken) {
  Rest rest{.inputs = problem.in.size()};
  if (const auto* conv = problem.op.as<Conv>()) {
    append_steps(conv->epilogue, problem.in.size(), taken, rest);
  } else if (const auto* linear = problem.op.as<Linear>()) {
    rest.inputs = linear->bias ? 3 : 2;
    if (linear->sums) rest.sums.index = 1;
    append_steps(linear->epilogue, problem.in.size(), taken, rest);
  } else if (const auto& product = problem.op.get<MatMul>(); product.sums) {
    rest.steps.push_back({SumTo{problem.out[1].shape}, {{false, 0}}, {true, 1}});
  } else if (product.slope) {
    rest.inputs = 2;
    const Operand u{false, 2};
    rest.steps.push_back({UnaryBackward{*product.slope, product.alpha}, {u, result}});
    if (product.value) rest.steps.push_back({Unary{*product.slope, product.alpha}, {u}, {true, 1}});
  }
  return rest;
}

class EpilogueKernel final : public Kernel {
 public:
  EpilogueKernel(std::unique_ptr<Kernel> product, const Problem& problem, const Rest& rest)
      : product_(std::move(product)),
        inputs_(rest.inputs),
        sums_(rest.sums),
        scratch_(product_->scratch_bytes()) {
    for (const auto& [op, in, out] : rest.steps) {
      const auto type_of = [&](const Operand& operand) {
        return (operand.output ? problem.out : problem.in)[operand.index];
      };
      Problem step{op, {}, {type_of(out)}, problem.threads};
      for (const Operand& operand : in) step.in.push_back(type_of(operand));
      steps_.push_back({choose_kernel(step).kernel, in, out});
      scratch_ = std::max(scratch_, steps_.back().kernel->scratch_bytes());
    }
  }

  std::string detail() const override { return product_->detail(); }
  size_t scratch_bytes() const override { return scratch_; }
  bool uses_openmp() const override { return product_->uses_openmp(); }
  std::vector<int> packed_inputs() const override { return product_->packed_inputs(); }
  size_t packed_bytes() const override { return product_->packed_bytes(); }
  std::string packed_form() const override { return product_->packed_form(); }
  void pack(std::span<const std::byte* const> in, std::byte* packed) const override {
    product_->pack(in, packed);
  }

  void run(const Args& args) const override {
    std::byte* sums = args.out[sums_.index];
    product_->run({args.in.first(inputs_), {&sums, 1}, args.scratch, args.packed});
    for (const auto& [kernel, operands, target] : steps_) {
      std::vector<const std::byte*> in;
      for (const Operand& from : operands)
        in.push_back(from.output ? args.out[from.index] : args.in[from.index]);
      std::byte* out = args.out[target.index];
      kernel->run({in, {&out, 1}, args.scratch, nullptr});
    }
  }

 private:
  struct Step {
    std::unique_ptr<Kernel> kernel;
    std::vector<Operand> in;
    Operand out;
  };
  std::unique_ptr<Kernel> product_;
  size_t inputs_;
  Operand sums_;
  size_t scratch_;
  std::vector<Step> steps_;
};

}  // namespace

Problem without_epilogue(const Problem& problem) {
  Problem product = problem;
  if (const auto* linear = problem.op.as<Linear>()) {
    product.op = Linear{.bias = linear->bias};
    product.in.resize(linear->bias ? 3 : 2);
  } else {
    auto op = problem.op.get<MatMul>();
    op.slope.reset();
    op.alpha = 0, op.value = op.sums = false;
    product.op = op;
    product.in.resize(2);
  }
  product.out.resize(1);
  return product;
}

std::unique_ptr<Kernel> with_epilogue(std::unique_ptr<Kernel> product, const Problem& problem,
                                      size_t taken) {
  const Rest rest = rest_of(problem, taken);
  if (rest.steps.empty()) return product;
  return std::make_unique<EpilogueKernel>(std::move(product), problem, rest);
}

ResidualThenRelu residual_then_relu(const Epilogue& epilogue) {
  ResidualThenRelu first;
  for (const EpilogueStep& step : epilogue.steps()) {
    const bool adds = !step.activation;
    if (first.relu || (adds ? first.residual : *step.activation != UnaryKind::relu)) break;
    (adds ? first.residual : first.relu) = true;
    ++first.taken;
  }
  return first;
}

}  // namespace fovea
