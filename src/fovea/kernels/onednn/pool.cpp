#include "fovea/kernels/onednn/pool.h"

#include <algorithm>

#include "fovea/kernels/onednn/describe.h"
#include "fovea/kernels/onednn/engine.h"
#include "fovea/kernels/parts.h"
#include "fovea/ops/pool.h"

namespace fovea::onednn {
namespace {

using dnnl::memory;

template <class PrimitiveDesc, int in_arg, int out_arg>
class PoolKernel final : public Kernel {
 public:
  PoolKernel(PrimitiveDesc pd, const memory::desc& in, const memory::desc& out)
      : pd_(std::move(pd)), primitive_(pd_), in_(in), out_(out) {}

  bool uses_openmp() const override { return true; }
  std::string detail() const override { return pd_.impl_info_str(); }
  size_t scratch_bytes() const override { return pd_.scratchpad_desc().get_size(); }

  void run(const Args& args) const override {
    execute(primitive_, {{in_arg, wrap(in_, args.in[0])},
                         {out_arg, wrap(out_, args.out[0])},
                         {DNNL_ARG_SCRATCHPAD, wrap(pd_.scratchpad_desc(), args.scratch)}});
  }

 private:
  PrimitiveDesc pd_;
  dnnl::primitive primitive_;
  memory::desc in_, out_;
};

std::string refuse_geometry(const PoolGeometry& g) {
  if (std::any_of(g.dilation.begin(), g.dilation.end(), [](int64_t d) { return d != 1; }))
    return "no dilation";
  if (g.ceil_mode) return "no ceil_mode";
  return {};
}

bool overlap(const PoolGeometry& g) {
  for (size_t a = 0; a < g.kernel.size(); ++a) {
    if (g.stride[a] < g.kernel[a]) return true;
  }
  return false;
}

dnnl::algorithm algorithm(bool count_include_pad) {
  return count_include_pad ? dnnl::algorithm::pooling_avg_include_padding
                           : dnnl::algorithm::pooling_avg_exclude_padding;
}

/// Dilation as oneDNN counts it; refuse_geometry only accepts none.
memory::dims no_gaps(const PoolGeometry& g) { return memory::dims(g.kernel.size(), 0); }

PoolForward::primitive_desc forward_desc(const PoolGeometry& g, bool count_include_pad,
                                         const memory::desc& x, const memory::desc& y) {
  return describe<PoolForward>(attributes(), dnnl::prop_kind::forward_training,
                               algorithm(count_include_pad), x, y, g.stride, g.kernel, no_gaps(g),
                               g.padding_begin, g.padding_end);
}

Offer make_forward(const Problem& problem) {
  return offer(problem, [&]() -> Offer {
    const auto& op = problem.op.get<AvgPool>();
    if (std::string why = refuse_geometry(op); !why.empty()) return Refusal{why};
    const memory::desc x = descriptor(problem.in[0]), y = descriptor(problem.out[0]);
    PoolForward::primitive_desc pd = forward_desc(op, op.count_include_pad, x, y);
    if (is_reference(pd.impl_info_str()))
      return Refusal{"oneDNN has only " + std::string(pd.impl_info_str())};
    return std::make_unique<PoolKernel<PoolForward::primitive_desc, DNNL_ARG_SRC, DNNL_ARG_DST>>(
        std::move(pd), x, y);
  });
}

Offer make_backward(const Problem& problem) {
  return offer(problem, [&]() -> Offer {
    const auto& op = problem.op.get<AvgPoolBackward>();
    if (std::string why = refuse_geometry(op); !why.empty()) return Refusal{why};
    if (problem.out[0].dtype == DType::bf16 && overlap(op))
      return Refusal{"it sums overlapping windows in bf16"};
    const memory::desc dy = descriptor(problem.in[0]), dx = descriptor(problem.out[0]);
    const PoolForward::primitive_desc hint = forward_desc(op, op.count_include_pad, dx, dy);
    auto pd =
        describe_gradient<PoolBackward>(hint, algorithm(op.count_include_pad), dx, dy, op.stride,
                                        op.kernel, no_gaps(op), op.padding_begin, op.padding_end);
    if (is_reference(pd.impl_info_str()))
      return Refusal{"oneDNN has only " + std::string(pd.impl_info_str())};
    return std::make_unique<
        PoolKernel<PoolBackward::primitive_desc, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_SRC>>(
        std::move(pd), dy, dx);
  });
}

}  // namespace

void add_pool_rules(const RuleSink& add) {
  const auto divided = [](Offer (*make)(const Problem&)) {
    return [make](const Problem& problem) { return in_parts(problem, {.in = {true}}, make); };
  };
  add(typeid(AvgPool), {"onednn", divided(make_forward)});
  add(typeid(AvgPoolBackward), {"onednn", divided(make_backward)});
}

}  // namespace fovea::onednn
