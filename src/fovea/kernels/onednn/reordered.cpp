#include "fovea/kernels/onednn/reordered.h"

#include <algorithm>
#include <array>

#include "fovea/core/array.h"
#include "fovea/ops/conv.h"
#include "fovea/ops/reorder.h"
#include "fovea/ops/shape_ops.h"

namespace fovea::onednn {
namespace {

/// One value that is converted to another layout or dtype: which input or output it is, where its
/// converted copy is in scratch memory, and the kernel that converts it.
struct Moved {
  size_t index, offset;
  std::unique_ptr<Kernel> move;

  void run(const std::byte* from, std::byte* to) const {
    move->run({{&from, 1}, {&to, 1}, nullptr, nullptr});
  }
};

Op op_between(const Type& from, const Type& to) {
  if (from.dtype != to.dtype) return Cast{to.dtype};
  return Reorder{};
}

class ReorderedKernel final : public Kernel {
 public:
  /// `inner` solves the problem with the layouts or dtypes of `other`.
  ReorderedKernel(std::unique_ptr<Kernel> inner, const Problem& problem, const Problem& other)
      : inner_(std::move(inner)), scratch_(align_up(inner_->scratch_bytes())) {
    const auto move = [&](const Types& from, const Types& to, std::vector<Moved>& moves) {
      for (size_t i = 0; i < from.size(); ++i) {
        if (from[i] == to[i]) continue;
        const Op op = op_between(from[i], to[i]);
        moves.push_back(
            {i, scratch_, choose_kernel({op, {from[i]}, {to[i]}, problem.threads}).kernel});
        scratch_ += align_up(std::max(from[i].bytes(), to[i].bytes()));
      }
    };
    move(problem.in, other.in, in_);
    move(other.out, problem.out, out_);
  }

  std::string detail() const override { return inner_->detail(); }
  size_t scratch_bytes() const override { return scratch_; }
  std::vector<int> packed_inputs() const override { return inner_->packed_inputs(); }
  size_t packed_bytes() const override { return inner_->packed_bytes(); }
  void pack(std::span<const std::byte* const> in, std::byte* packed) const override {
    inner_->pack(in, packed);
  }

  void run(const Args& args) const override {
    std::array<const std::byte*, 4> in{};  // x, weight, bias, residual
    std::array<std::byte*, 2> out{};       // weight gradients include the bias's
    std::copy(args.in.begin(), args.in.end(), in.begin());
    std::copy(args.out.begin(), args.out.end(), out.begin());
    for (const Moved& m : in_) {
      in[m.index] = args.scratch + m.offset;
      m.run(args.in[m.index], args.scratch + m.offset);
    }
    for (const Moved& m : out_) out[m.index] = args.scratch + m.offset;
    inner_->run(
        {{in.data(), args.in.size()}, {out.data(), args.out.size()}, args.scratch, args.packed});
    for (const Moved& m : out_) m.run(out[m.index], args.out[m.index]);
  }

 private:
  std::unique_ptr<Kernel> inner_;
  size_t scratch_;
  std::vector<Moved> in_, out_;
};

/// The problem with all images channels-last; weights are unchanged.
Problem with_channels_last(Problem problem) {
  const bool data = problem.op.as<ConvBackwardData>() != nullptr;
  const bool weights = problem.op.as<ConvBackwardWeights>() != nullptr;
  for (size_t i = 0; i < problem.in.size(); ++i) {
    const bool weight = i == (data ? 0u : 1u) && !weights;
    if (!weight && fits(problem.in[i], Layout::channels_last))
      problem.in[i].layout = Layout::channels_last;
  }
  if (!weights) problem.out[0].layout = Layout::channels_last;
  return problem;
}

}  // namespace

Offer reordered(const Problem& problem) {
  const Problem other = with_channels_last(problem);
  if (other.in == problem.in && other.out == problem.out)
    return Refusal{"the values are channels-last"};
  KernelChoice inner = choose_kernel(other);
  if (inner.name == "reference") return Refusal{"none for channels-last values either"};
  return std::make_unique<ReorderedKernel>(std::move(inner.kernel), problem, other);
}

Offer widened(const Problem& problem) {
  Problem other = problem;
  for (Type& type : other.in) type.dtype = accumulate_dtype(type.dtype);
  KernelChoice inner = choose_kernel(other);
  if (inner.name == "reference") return Refusal{"none for f32 either"};
  return std::make_unique<ReorderedKernel>(std::move(inner.kernel), problem, other);
}

}  // namespace fovea::onednn
