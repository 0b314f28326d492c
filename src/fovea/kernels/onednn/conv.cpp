#include "fovea/kernels/onednn/conv.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <unordered_map>

#include "fovea/core/parallel.h"
#include "fovea/kernels/epilogue.h"
#include "fovea/kernels/onednn/describe.h"
#include "fovea/kernels/onednn/engine.h"
#include "fovea/kernels/onednn/layout.h"
#include "fovea/kernels/onednn/reordered.h"
#include "fovea/kernels/parts.h"
#include "fovea/kernels/winograd.h"
#include "fovea/ops/conv.h"

namespace fovea::onednn {
namespace {

using dnnl::memory;
constexpr auto any = memory::format_tag::any;

/// [O, C/g, kernel] as oneDNN expects it: [g, O/g, C/g, kernel] when there are groups. The bytes
/// are the same.
memory::dims weight_dims(const Shape& weight, int64_t groups) {
  memory::dims dims(weight.begin(), weight.end());
  if (groups != 1) {
    dims[0] /= groups;
    dims.insert(dims.begin(), groups);
  }
  return dims;
}

memory::dims less_one(std::vector<int64_t> dilation) {
  for (int64_t& d : dilation) --d;  // oneDNN counts the gaps
  return dilation;
}

using Forward = dnnl::convolution_forward;
using BackwardData = dnnl::convolution_backward_data;
using BackwardWeights = dnnl::convolution_backward_weights;

Forward::primitive_desc forward_desc(dnnl::algorithm algorithm, const ConvGeometry& g,
                                     const memory::desc& x, const memory::desc& w,
                                     const memory::desc& bias, const memory::desc& y,
                                     const dnnl::primitive_attr& attr) {
  const auto kind = dnnl::prop_kind::forward_training;
  const memory::dims dilation = less_one(g.dilation);
  return bias.is_zero() ? describe<Forward>(attr, kind, algorithm, x, w, y, g.stride, dilation,
                                            g.padding_begin, g.padding_end)
                        : describe<Forward>(attr, kind, algorithm, x, w, bias, y, g.stride,
                                            dilation, g.padding_begin, g.padding_end);
}

/// Converts weights between plain layout and an implementation's format, if they differ: ranges of
/// output channels, which threads take one after another.
class WeightForm {
 public:
  WeightForm(const memory::desc& plain, const memory::desc& packed)
      : plain_(plain), packed_(packed) {
    if (plain == packed) return;
    const TeamScope alone(1);
    try {
      constexpr int64_t channels = 64;  // a multiple of every format's blocks
      for (int64_t at = 0; at < dims_of(plain)[0]; at += channels) add(at, channels);
    } catch (const dnnl::error&) {  // a format without ranges
      pack_.clear(), unpack_.clear();
      add(0, dims_of(plain)[0]);
    }
  }
  bool differs() const { return plain_ != packed_; }
  size_t bytes() const { return differs() ? packed_.get_size() : 0; }
  std::string text() const { return format_text(packed_); }
  void pack(const void* plain, void* packed) const { run(pack_, plain, packed); }
  void unpack(const void* packed, void* plain) const { run(unpack_, packed, plain); }

 private:
  struct Range {
    memory::desc from, to;
    dnnl::primitive reorder;
  };

  static Range range(const memory::desc& from, const memory::desc& to) {
    return {
        from, to,
        dnnl::reorder(dnnl::reorder::primitive_desc(engine(), from, engine(), to, attributes()))};
  }
  void add(int64_t at, int64_t channels) {
    memory::dims dims = dims_of(plain_), offsets(dims.size(), 0);
    const bool all = channels >= dims[0];
    offsets[0] = at;
    dims[0] = std::min(channels, dims[0] - at);
    const auto part = [&](const memory::desc& desc) {
      return all ? desc : desc.submemory_desc(dims, offsets);
    };
    pack_.push_back(range(part(plain_), part(packed_)));
    unpack_.push_back(range(part(packed_), part(plain_)));
  }
  static void run(const std::vector<Range>& ranges, const void* from, void* to) {
    parallel_chunks(std::ssize(ranges), [&](int64_t i, int) {
      const auto& [from_desc, to_desc, reorder] = ranges[static_cast<size_t>(i)];
      execute(reorder, {{DNNL_ARG_FROM, wrap(from_desc, from)}, {DNNL_ARG_TO, wrap(to_desc, to)}});
    });
  }

  memory::desc plain_, packed_;
  std::vector<Range> pack_, unpack_;
};

class ForwardKernel final : public Kernel {
 public:
  ForwardKernel(bool bias, Forward::primitive_desc pd, const memory::desc& plain_weight,
                std::vector<std::pair<int, size_t>> residuals)
      : bias_(bias),
        residuals_(std::move(residuals)),
        pd_(std::move(pd)),
        primitive_(pd_),
        weights_(plain_weight, pd_.weights_desc()) {}

  bool uses_openmp() const override { return true; }
  std::string detail() const override { return pd_.impl_info_str(); }
  size_t scratch_bytes() const override { return pd_.scratchpad_desc().get_size(); }
  std::vector<int> packed_inputs() const override { return {1}; }
  size_t packed_bytes() const override { return weights_.bytes(); }
  std::string packed_form() const override { return weights_.text(); }
  void pack(std::span<const std::byte* const> in, std::byte* packed) const override {
    weights_.pack(in[1], packed);
  }

  void run(const Args& args) const override {
    const void* weight = weights_.differs() ? args.packed : args.in[1];
    std::unordered_map<int, memory> map{
        {DNNL_ARG_SRC, wrap(pd_.src_desc(), args.in[0])},
        {DNNL_ARG_WEIGHTS, wrap(pd_.weights_desc(), weight)},
        {DNNL_ARG_DST, wrap(pd_.dst_desc(), args.out[0])},
        {DNNL_ARG_SCRATCHPAD, wrap(pd_.scratchpad_desc(), args.scratch)}};
    if (bias_) map.emplace(DNNL_ARG_BIAS, wrap(pd_.bias_desc(), args.in[2]));
    for (const auto& [post_op, input] : residuals_) {
      map.emplace(DNNL_ARG_ATTR_MULTIPLE_POST_OP(post_op) | DNNL_ARG_SRC_1,
                  wrap(pd_.dst_desc(), args.in[input]));
    }
    primitive_.execute(stream(), map);
  }

 private:
  bool bias_;
  std::vector<std::pair<int, size_t>> residuals_;  ///< post-op, input
  Forward::primitive_desc pd_;
  dnnl::primitive primitive_;
  WeightForm weights_;
};

/// The first steps of an epilogue, as far as oneDNN computes them as Fovea does.
struct PostOps {
  dnnl::post_ops ops = {};
  size_t taken = 0;
  std::vector<std::pair<int, size_t>> residuals = {};  ///< post-op, input
};

/// Appends an activation, unless oneDNN has none that propagates NaN: what it clips, it loses.
bool append_activation(dnnl::post_ops& ops, const EpilogueStep& step) {
  const auto alpha = static_cast<float>(step.alpha);
  switch (*step.activation) {
    case UnaryKind::relu:
      append_relu(ops);
      return true;
    case UnaryKind::leaky_relu:
      append_eltwise(ops, dnnl::algorithm::eltwise_relu, alpha, 0);
      return alpha != 0;
    case UnaryKind::hardswish:
      append_eltwise(ops, dnnl::algorithm::eltwise_hardswish, 1.f / 6, 0.5f);
      return true;
    case UnaryKind::silu:
      append_eltwise(ops, dnnl::algorithm::eltwise_swish, 1, 0);
      return true;
    case UnaryKind::gelu:
      append_eltwise(ops, dnnl::algorithm::eltwise_gelu_erf, 0, 0);
      return true;
    default:
      return false;
  }
}

/// At most a residual and then an activation: oneDNN 2.6 computes a second activation of the same
/// kind with the parameters of the first.
PostOps post_ops(const Problem& problem, const memory::desc& y, size_t maximum) {
  const Conv& conv = problem.op.get<Conv>();
  PostOps result;
  size_t residual = problem.in.size() - conv.epilogue.residuals();
  bool activated = false;
  for (const EpilogueStep& step : conv.epilogue.steps()) {
    dnnl::post_ops next = result.ops;
    if (result.taken == maximum || activated || (!step.activation && result.taken > 0)) break;
    if (!step.activation) {
      result.residuals.emplace_back(next.len(), residual++);
      next.append_binary(dnnl::algorithm::binary_add, y);
    } else if (!append_activation(next, step)) {
      break;
    }
    activated = activated || step.activation;
    result.ops = next;
    ++result.taken;
  }
  return result;
}

/// Whether a window may lie entirely in the padding.
bool windows_outside(const ConvGeometry& g, const Shape& weight) {
  for (size_t a = 0; a < g.stride.size(); ++a) {
    const int64_t reach = (weight[2 + static_cast<int>(a)] - 1) * g.dilation[a] + 1;
    if (std::max(g.padding_begin[a], g.padding_end[a]) >= reach) return true;
  }
  return false;
}

/// Among oneDNN's kernels on batches of matrix products ("brgconv" in 2.6, "brg_conv_fwd" in 3.7),
/// those of 3.7 with AMX give wrong results for some geometries that others get right, and its
/// others may crash when a window lies entirely in the padding, as those of 2.6 with AMX do. With
/// one input channel, 3.7's give wrong results for outputs that strides have left one position
/// wide.
bool reliable(std::string_view implementation, const ConvGeometry& g, const Shape& weight,
              const Shape& y) {
  const auto has = [&](std::string_view part) {
    return implementation.find(part) != std::string_view::npos;
  };
  const bool narrow = weight[1] == 1 && y[y.rank() - 1] == 1;
  if (has("brg_conv_fwd")) return !has("amx") && !windows_outside(g, weight) && !narrow;
  return !has("brgconv") || !has("amx") || !windows_outside(g, weight);
}

Offer make_forward(const Problem& problem, dnnl::algorithm algorithm) {
  return offer(problem, [&]() -> Offer {
    const Conv& conv = problem.op.get<Conv>();
    const DType dtype = problem.in[1].dtype;
    const memory::desc x = descriptor(problem.in[0]), y = descriptor(problem.out[0]);
    const memory::dims dims = weight_dims(problem.in[1].shape, conv.geometry.groups);
    const memory::desc bias = conv.bias ? descriptor(problem.in[2]) : memory::desc();
    const auto describe = [&](const PostOps& epilogue) {
      dnnl::primitive_attr attr = attributes();
      attr.set_post_ops(epilogue.ops);
      auto pd =
          forward_desc(algorithm, conv.geometry, x, {dims, data_type(dtype), any}, bias, y, attr);
      while (
          !reliable(pd.impl_info_str(), conv.geometry, problem.in[1].shape, problem.out[0].shape)) {
        if (!next_implementation(pd))
          throw dnnl::error(dnnl_unimplemented, "has no reliable kernel");
      }
      return pd;
    };
    // Winograd kernels only support relu as max(x, 0), which loses NaN.
    const bool winograd = algorithm == dnnl::algorithm::convolution_winograd;
    PostOps epilogue = post_ops(problem, y, winograd ? 0 : conv.epilogue.size());
    Forward::primitive_desc pd = describe(epilogue);
    // oneDNN 2.6 reads a channels-last residual in the wrong order if it is bf16 or the
    // implementation is gemm. 3.7 is correct; the workaround is used for both.
    if (!epilogue.residuals.empty() && problem.out[0].layout == Layout::channels_last &&
        (dtype == DType::bf16 ||
         std::string(pd.impl_info_str()).find("gemm") != std::string::npos)) {
      const auto add = static_cast<size_t>(epilogue.residuals[0].first);
      epilogue = post_ops(problem, y, add);
      pd = describe(epilogue);
    }
    if (is_reference(pd.impl_info_str()))
      return Refusal{"oneDNN has only " + std::string(pd.impl_info_str())};
    return with_epilogue(
        std::make_unique<ForwardKernel>(conv.bias, std::move(pd), plain_descriptor(dims, dtype),
                                        epilogue.residuals),
        problem, epilogue.taken);
  });
}

class BackwardDataKernel final : public Kernel {
 public:
  BackwardDataKernel(BackwardData::primitive_desc pd, const memory::desc& plain_weight)
      : pd_(std::move(pd)), primitive_(pd_), weights_(plain_weight, pd_.weights_desc()) {}

  bool uses_openmp() const override { return true; }
  std::string detail() const override { return pd_.impl_info_str(); }
  size_t scratch_bytes() const override { return pd_.scratchpad_desc().get_size(); }
  std::vector<int> packed_inputs() const override { return {0}; }
  size_t packed_bytes() const override { return weights_.bytes(); }
  std::string packed_form() const override { return weights_.text(); }
  void pack(std::span<const std::byte* const> in, std::byte* packed) const override {
    weights_.pack(in[0], packed);
  }

  void run(const Args& args) const override {
    const void* weight = weights_.differs() ? args.packed : args.in[0];
    execute(primitive_, {{DNNL_ARG_WEIGHTS, wrap(pd_.weights_desc(), weight)},
                         {DNNL_ARG_DIFF_DST, wrap(pd_.diff_dst_desc(), args.in[1])},
                         {DNNL_ARG_DIFF_SRC, wrap(pd_.diff_src_desc(), args.out[0])},
                         {DNNL_ARG_SCRATCHPAD, wrap(pd_.scratchpad_desc(), args.scratch)}});
  }

 private:
  BackwardData::primitive_desc pd_;
  dnnl::primitive primitive_;
  WeightForm weights_;
};

Offer make_backward_data(const Problem& problem, dnnl::algorithm algorithm) {
  return offer(problem, [&]() -> Offer {
    const ConvGeometry& g = problem.op.get<ConvBackwardData>().geometry;
    const memory::desc dx = descriptor(problem.out[0]), dy = descriptor(problem.in[1]);
    const memory::dims dims = weight_dims(problem.in[0].shape, g.groups);
    const DType dtype = problem.in[0].dtype;
    const memory::desc w(dims, data_type(dtype), any);
    const Forward::primitive_desc hint = forward_desc(algorithm, g, dx, w, {}, dy, attributes());
    auto pd = describe_gradient<BackwardData>(hint, algorithm, dx, w, dy, g.stride,
                                              less_one(g.dilation), g.padding_begin, g.padding_end);
    if (is_reference(pd.impl_info_str()))
      return Refusal{"oneDNN has only " + std::string(pd.impl_info_str())};
    return std::make_unique<BackwardDataKernel>(std::move(pd), plain_descriptor(dims, dtype));
  });
}

class BackwardWeightsKernel final : public Kernel {
 public:
  BackwardWeightsKernel(bool bias, BackwardWeights::primitive_desc pd,
                        const memory::desc& plain_weight)
      : bias_(bias),
        pd_(std::move(pd)),
        primitive_(pd_),
        weights_(plain_weight, pd_.diff_weights_desc()) {}

  bool uses_openmp() const override { return true; }
  std::string detail() const override { return pd_.impl_info_str(); }
  size_t scratch_bytes() const override {
    return align_up(weights_.bytes()) + pd_.scratchpad_desc().get_size();
  }

  void run(const Args& args) const override {
    std::byte* dw = weights_.differs() ? args.scratch : args.out[0];
    execute(primitive_,
            {{DNNL_ARG_SRC, wrap(pd_.src_desc(), args.in[0])},
             {DNNL_ARG_DIFF_DST, wrap(pd_.diff_dst_desc(), args.in[1])},
             {DNNL_ARG_DIFF_WEIGHTS, wrap(pd_.diff_weights_desc(), dw)},
             {DNNL_ARG_DIFF_BIAS, bias_ ? wrap(pd_.diff_bias_desc(), args.out[1]) : memory()},
             {DNNL_ARG_SCRATCHPAD,
              wrap(pd_.scratchpad_desc(), args.scratch + align_up(weights_.bytes()))}});
    weights_.unpack(dw, args.out[0]);
  }

 private:
  bool bias_;
  BackwardWeights::primitive_desc pd_;
  dnnl::primitive primitive_;
  WeightForm weights_;
};

/// oneDNN 2.6 omits bf16 weight gradients, or writes past their end, when windows have a stride
/// above one over volumes, or horizontally over a single column. 3.7 does not, but such windows are
/// too rare to distinguish versions.
bool wrong_in_bf16(const ConvGeometry& g, const Type& x) {
  if (x.dtype != DType::bf16) return false;
  const bool strided =
      std::any_of(g.stride.begin(), g.stride.end(), [](int64_t s) { return s > 1; });
  return (x.rank() == 5 && strided) || (x.dim(-1) == 1 && g.stride.back() > 1);
}

/// oneDNN 2.6 has no dedicated kernel for the weights of depthwise windows wider than 3; its
/// fallback is ten times slower than simd's.
bool wide_depthwise(const ConvBackwardWeights& op, const Type& x) {
  const bool wide =
      std::any_of(op.weight.begin() + 2, op.weight.end(), [](int64_t k) { return k > 3; });
  return wide && x.layout != Layout::plain && op.geometry.groups == x.dim(1) &&
         op.weight[0] == x.dim(1);
}

Offer make_backward_weights(const Problem& problem, dnnl::algorithm algorithm) {
  return offer(problem, [&]() -> Offer {
    const auto& op = problem.op.get<ConvBackwardWeights>();
    const ConvGeometry& g = op.geometry;
    if (wrong_in_bf16(g, problem.in[0]))
      return Refusal{"oneDNN's bf16 is wrong for strides over volumes or a single column"};
    if (wide_depthwise(op, problem.in[0]))
      return Refusal{"simd is faster for depthwise windows wider than 3"};
    const memory::desc x = descriptor(problem.in[0]), dy = descriptor(problem.in[1]);
    const memory::dims dims = weight_dims(op.weight, g.groups), dilation = less_one(g.dilation);
    const memory::desc w(dims, data_type(problem.in[0].dtype), any);
    const memory::desc dw(dims, data_type(problem.out[0].dtype), any);
    const memory::desc bias = op.bias ? descriptor(problem.out[1]) : memory::desc();
    const Forward::primitive_desc hint = forward_desc(algorithm, g, x, w, bias, dy, attributes());
    auto pd = op.bias
                  ? describe_gradient<BackwardWeights>(hint, algorithm, x, dw, bias, dy, g.stride,
                                                       dilation, g.padding_begin, g.padding_end)
                  : describe_gradient<BackwardWeights>(hint, algorithm, x, dw, dy, g.stride,
                                                       dilation, g.padding_begin, g.padding_end);
    if (is_reference(pd.impl_info_str()))
      return Refusal{"oneDNN has only " + std::string(pd.impl_info_str())};
    return std::make_unique<BackwardWeightsKernel>(op.bias, std::move(pd),
                                                   plain_descriptor(dims, problem.out[0].dtype));
  });
}

/// Winograd's F(4x4, 3x3) (Lavin & Gray 2015) needs a quarter of the products, at the cost of
/// transforming the data: it pays when there are many channels, and the 4x4 tiles fit the plane and
/// occupy all threads.
std::string refuse_winograd(const ConvGeometry& g, const Shape& weight, const Type& image) {
  if (winograd() == Winograd::never) return "switched off (--no-winograd, set_winograd)";
  const std::vector<int64_t> ones(g.stride.size(), 1);
  if (image.rank() != 4 || weight[2] != 3 || weight[3] != 3 || g.stride != ones ||
      g.dilation != ones || g.groups != 1) {
    return "only 3x3 kernels, stride 1, no dilation, no groups";
  }
  if (image.dtype != DType::f32) return "only f32";
  if (image.layout != Layout::blocked16) return "only blocked16";
  if (weight[0] < 32 || weight[1] < 32)
    return "fewer than 32 channels: the transforms cost more than they save";
  const int64_t rows = (image.dim(2) + 3) / 4, columns = (image.dim(3) + 3) / 4;
  const auto used =
      static_cast<double>(image.dim(2) * image.dim(3)) / static_cast<double>(16 * rows * columns);
  if (used < 0.75) return "4x4 tiles would exceed the plane by more than a quarter";
  if (image.dim(0) < 16 || image.dim(0) * rows * columns < 64)
    return "too few tiles: needs a batch of 16 images and 64 tiles";
  return {};
}

/// Explains the refusal of a oneDNN without Winograd.
Offer winograd_offer(Offer offer) {
  if (std::holds_alternative<std::unique_ptr<Kernel>>(offer)) return offer;
  const dnnl_version_t* version = dnnl::version();
  return Refusal{
      fmt::format("oneDNN {}.{} has no Winograd kernel here: that needs oneDNN 2 and AVX-512",
                  version->major, version->minor)};
}

/// The smallest batch on which oneDNN's Winograd kernels are about as fast as on large ones: their
/// matrix products need rows, and they transform the weights once for each batch.
int64_t smallest_batch(const Type& image, bool sum) {
  const int64_t rows = (image.dim(2) + 3) / 4, columns = (image.dim(3) + 3) / 4;
  return std::max<int64_t>(16, 256 / (rows * columns)) * (sum ? 2 : 1);
}

/// The rules of one op: Winograd when it pays, then direct, with reorders as a last resort.
/// `problem_of` returns geometry, weight shape and an image.
template <class Describe>
void add_rules(const RuleSink& add, std::type_index op, const Division& division,
               Offer (*make)(const Problem&, dnnl::algorithm), const Describe& problem_of) {
  const auto offer = [make, division](const Problem& problem, int64_t smallest,
                                      dnnl::algorithm algorithm) {
    Division used{.in = division.in, .sum = division.sum, .smallest = smallest};
    for (size_t i = used.in.size(); i < problem.in.size(); ++i)
      used.in.push_back(problem.in[i].rank() > 1);  // not the bias
    return in_parts(problem, used, [&](const Problem& part) { return make(part, algorithm); });
  };
  add(op, {"onednn:winograd", [=](const Problem& problem) -> Offer {
             const auto [geometry, weight, image] = problem_of(problem);
             if (std::string why = refuse_winograd(geometry, weight, image); !why.empty())
               return Refusal{why};
             return winograd_offer(offer(problem, smallest_batch(image, division.sum),
                                         dnnl::algorithm::convolution_winograd));
           }});
  add(op, {"onednn",
           [=](const Problem& problem) -> Offer {
             if (std::string why = refuse(problem); !why.empty()) return Refusal{why};
             if (std::string why = refuse_products(problem); !why.empty()) return Refusal{why};
             return offer(problem, 1, dnnl::algorithm::convolution_direct);
           },
           nullptr,
           [](const Problem& problem) { return convolution_layouts(problem, preferred_layout); }});
  add(op, {"onednn:reordered", reordered});
}

}  // namespace

void add_conv_rules(const RuleSink& add) {
  add_rules(add, typeid(Conv), {.in = {true, false}}, make_forward, [](const Problem& p) {
    return std::tuple(p.op.get<Conv>().geometry, p.in[1].shape, p.out[0]);
  });
  add_rules(add, typeid(ConvBackwardData), {.in = {false, true}}, make_backward_data,
            [](const Problem& p) {
              return std::tuple(p.op.get<ConvBackwardData>().geometry, p.in[0].shape, p.out[0]);
            });
  add_rules(add, typeid(ConvBackwardWeights), {.in = {true, true}, .sum = true},
            make_backward_weights, [](const Problem& p) {
              return std::tuple(p.op.get<ConvBackwardWeights>().geometry,
                                p.op.get<ConvBackwardWeights>().weight, p.in[1]);
            });
}

}  // namespace fovea::onednn
