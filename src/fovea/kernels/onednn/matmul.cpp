#include "fovea/kernels/onednn/matmul.h"

#include "fovea/kernels/epilogue.h"
#include "fovea/kernels/onednn/describe.h"
#include "fovea/kernels/onednn/engine.h"
#include "fovea/kernels/parts.h"
#include "fovea/ops/linear.h"

namespace fovea::onednn {
namespace {

using dnnl::memory;

class MatMulKernel final : public Kernel {
 public:
  MatMulKernel(dnnl::matmul::primitive_desc pd, bool bias)
      : pd_(std::move(pd)), primitive_(pd_), bias_(bias) {}

  bool uses_openmp() const override { return true; }
  std::string detail() const override { return pd_.impl_info_str(); }
  size_t scratch_bytes() const override { return pd_.scratchpad_desc().get_size(); }

  void run(const Args& args) const override {
    execute(primitive_, {{DNNL_ARG_SRC, wrap(pd_.src_desc(), args.in[0])},
                         {DNNL_ARG_WEIGHTS, wrap(pd_.weights_desc(), args.in[1])},
                         {DNNL_ARG_BIAS, bias_ ? wrap(pd_.bias_desc(), args.in[2]) : memory()},
                         {DNNL_ARG_DST, wrap(pd_.dst_desc(), args.out[0])},
                         {DNNL_ARG_SCRATCHPAD, wrap(pd_.scratchpad_desc(), args.scratch)}});
  }

 private:
  dnnl::matmul::primitive_desc pd_;
  dnnl::primitive primitive_;
  bool bias_;
};

/// Row-major [batch..., rows, columns], or the same bytes read as its transpose.
memory::desc matrix(DType dtype, memory::dims dims, bool transpose) {
  memory::dims strides(dims.size(), 1);
  for (size_t i = dims.size() - 1; i-- > 0;) strides[i] = strides[i + 1] * dims[i + 1];
  if (transpose) {
    std::swap(dims[dims.size() - 2], dims.back());
    std::swap(strides[dims.size() - 2], strides.back());
  }
  return {dims, data_type(dtype), strides};
}

/// With AMX, products of 2.6 may give wrong results or end the program with SIGILL where all that
/// follows the last whole tiles, 32 values of a row, are 31 more: 63 or 1279 values.
bool reliable(const std::string& implementation, memory::dim products) {
  return implementation.find("amx") == std::string::npos || products % 32 != 31;
}

Offer make(const memory::desc& a, const memory::desc& b, const memory::desc& bias,
           const memory::desc& y) {
  auto pd = bias.is_zero() ? describe<dnnl::matmul>(attributes(), a, b, y)
                           : describe<dnnl::matmul>(attributes(), a, b, bias, y);
  const std::string implementation = pd.impl_info_str();
  if (is_reference(implementation)) return Refusal{"oneDNN has only " + implementation};
  if (!reliable(implementation, dims_of(a).back()))
    return Refusal{"oneDNN's " + implementation + " may crash for these sizes"};
  return std::make_unique<MatMulKernel>(std::move(pd), !bias.is_zero());
}

Offer make_linear(const Problem& problem) {
  return offer(problem, [&]() -> Offer {
    if (std::string why = refuse_products(problem); !why.empty()) return Refusal{why};
    const Type &x = problem.in[0], &w = problem.in[1];
    const int64_t in = w.dim(1), out = w.dim(0), rows = x.numel() / in;
    const memory::desc bias = problem.op.get<Linear>().bias
                                  ? matrix(problem.in[2].dtype, {1, out}, false)
                                  : memory::desc();
    return make(matrix(x.dtype, {rows, in}, false), matrix(w.dtype, {out, in}, true), bias,
                matrix(problem.out[0].dtype, {rows, out}, false));
  });
}

Offer make_matmul(const Problem& problem) {
  return offer(problem, [&]() -> Offer {
    if (std::string why = refuse_products(problem); !why.empty()) return Refusal{why};
    const auto& op = problem.op.get<MatMul>();
    const auto matrix_of = [](const Type& t, bool transpose) {
      return matrix(t.dtype, {t.shape.begin(), t.shape.end()}, transpose);
    };
    return make(matrix_of(problem.in[0], op.transpose_a), matrix_of(problem.in[1], op.transpose_b),
                {}, matrix_of(problem.out[0], false));
  });
}

/// Rows that are worth reading the other matrix for.
constexpr int64_t few_rows = 64;

Offer divided_linear(const Problem& problem) {
  return in_parts(problem, {.in = {true, false, false}, .smallest = few_rows}, make_linear);
}

/// By rows of y, or of the axis that is summed if that is the first of both operands.
Offer divided_matmul(const Problem& problem) {
  const auto& op = problem.op.get<MatMul>();
  if (problem.in[0].rank() > 2) return in_parts(problem, {.in = {true, true}}, make_matmul);
  if (!op.transpose_a)
    return in_parts(problem, {.in = {true, false}, .smallest = few_rows}, make_matmul);
  if (!op.transpose_b && problem.out[0].dtype == DType::f32)
    return in_parts(problem, {.in = {true, true}, .sum = true, .smallest = few_rows}, make_matmul);
  return in_parts(problem, {.in = {false, false}}, make_matmul);
}

/// What follows the sums follows those of all parts.
KernelRule rule(Offer (*divided)(const Problem&)) {
  return {"onednn", [divided](const Problem& problem) -> Offer {
            const auto* product = problem.op.as<MatMul>();
            if (product != nullptr && product->sums && problem.in[0].dtype != DType::f32)
              return Refusal{"sums of rows only in f32"};
            Offer offer = divided(without_epilogue(problem));
            if (auto* kernel = std::get_if<std::unique_ptr<Kernel>>(&offer))
              *kernel = with_epilogue(std::move(*kernel), problem, 0);
            return offer;
          }};
}

}  // namespace

void add_matmul_rules(const RuleSink& add) {
  add(typeid(Linear), rule(divided_linear));
  add(typeid(MatMul), rule(divided_matmul));
}

}  // namespace fovea::onednn
