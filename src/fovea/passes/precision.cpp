#include "fovea/passes/precision.h"

#include <map>
#include <set>

#include "fovea/ops/shape_ops.h"

namespace fovea {
namespace {

class PrecisionPass {
 public:
  PrecisionPass(const Graph& graph, DType dtype) : graph_(graph), dtype_(dtype), copy_(graph) {
    for (const auto* list : {&graph.outputs(), &graph.updates()}) {
      for (const auto& [name, id] : *list) named_.insert(id);
    }
  }

  std::shared_ptr<Graph> run() {
    for (const Node& node : graph_.nodes()) {
      copy_.replace(node, [&] { return rewritten(node); });
    }
    return copy_.finish();
  }

 private:
  /// Whether the pass chooses the dtype of this value.
  bool is_free(const Tensor& t) const { return t.dtype() == DType::f32 || t.dtype() == dtype_; }

  Tensors rewritten(const Node& node) {
    Tensors in = copy_.inputs(node);
    const DType chosen = dtype_of(node, in);
    for (size_t i = 0; i < in.size(); ++i) {
      if (is_free(in[i])) in[i] = as(in[i], node.op.keeps_wide(i) ? DType::f32 : chosen);
    }
    Tensors out = copy_.graph()->add(node.op, in);
    for (size_t i = 0; i < out.size(); ++i) {
      if (named_.contains(node.outputs[i]) && is_free(out[i])) out[i] = as(out[i], DType::f32);
    }
    return out;
  }

  DType dtype_of(const Node& node, const Tensors& in) const {
    switch (node.op.traits().precision) {
      case PrecisionRule::wide:
        return DType::f32;
      case PrecisionRule::narrow:
        return dtype_;
      case PrecisionRule::as_input:
        return largest_is_narrow(node, in) ? dtype_ : DType::f32;
    }
    return DType::f32;
  }

  /// Small inputs, such as one number per channel, follow the large ones.
  bool largest_is_narrow(const Node& node, const Tensors& in) const {
    int64_t largest = -1;
    bool narrow = false;
    for (size_t i = 0; i < in.size(); ++i) {
      const int64_t size = in[i].shape().numel();
      if (!is_free(in[i]) || node.op.keeps_wide(i) || size < largest) continue;
      narrow = (size == largest && narrow) || in[i].dtype() == dtype_;
      largest = size;
    }
    return narrow;
  }

  /// The value in `dtype`: itself, what it was cast from, or a cast of it, added once.
  Tensor as(const Tensor& t, DType dtype) {
    if (t.dtype() == dtype) return t;
    Tensor& other = casts_[t.id()];
    if (!other) {
      other = cast(t, dtype);
      if (dtype == DType::f32) casts_[other.id()] = t;
    }
    return other;
  }

  const Graph& graph_;
  const DType dtype_;
  Rewriter copy_;
  std::set<int> named_;  ///< outputs and updates
  std::map<int, Tensor> casts_;
};

}  // namespace

std::shared_ptr<Graph> narrow_precision(const Graph& graph, DType dtype) {
  return PrecisionPass(graph, dtype).run();
}

}  // namespace fovea
