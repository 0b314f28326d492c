#include "fovea/passes/fuse_norm_conv.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <vector>

#include "fovea/core/parallel.h"
#include "fovea/kernels/kernel.h"
#include "fovea/ops/norm_conv.h"
#include "fovea/passes/uses.h"

namespace fovea {
namespace {

/// The values of a norm that another op needs to compute its y.
struct AppliedNorm {
  const Node* node = nullptr;
  NormEpilogue epilogue = {};
  int x = 0, mean = 0, scale = 0, beta = 0;
};

/// A norm whose y the graph has, for the first time or again.
std::optional<AppliedNorm> applied_norm(const Node& node) {
  std::optional<AppliedNorm> norm;
  if (const auto* first = node.op.as<BatchNorm>()) {
    norm = {&node,           first->epilogue, node.inputs[0],
            node.outputs[1], node.outputs[5], node.inputs[2]};
  } else if (const auto* again = node.op.as<BatchNormAgain>()) {
    norm = {&node, again->epilogue, node.inputs[0], node.inputs[1], node.inputs[2], node.inputs[3]};
  }
  if (!norm || norm->epilogue.residual || norm->epilogue.pool > 0) return std::nullopt;
  return norm;
}

/// The op of a convolution, or of the gradient of its weights, that applies the norm to x itself;
/// none if there is no such op.
std::optional<Op> with_norm(const Op& op, const NormEpilogue& norm) {
  if (const auto* conv = op.as<Conv>(); conv != nullptr && conv->epilogue.empty())
    return NormConv{conv->geometry, conv->kernel, conv->bias, norm.activation, norm.alpha};
  if (const auto* conv = op.as<ConvBackwardWeights>())
    return NormConvBackwardWeights{conv->geometry, conv->weight, conv->bias, norm.activation,
                                   norm.alpha};
  return std::nullopt;
}

class FuseNormConv {
 public:
  FuseNormConv(const Graph& graph, int threads)
      : graph_(graph),
        threads_(threads),
        uses_(graph),
        readers_(graph.values().size()),
        copy_(graph) {
    for (const Node& node : graph.nodes()) {
      for (const int id : node.inputs) readers_[static_cast<size_t>(id)].push_back(&node);
    }
  }

  std::shared_ptr<Graph> run() {
    const TeamScope team(threads_);
    for (const Node& node : graph_.nodes()) {
      const auto norm = applied_norm(node);
      if (norm && is_left_to_readers(*norm)) {
        left_[node.outputs[0]] = *norm;
        keep_statistics(node);
        continue;
      }
      const auto found = left_.find(node.inputs.empty() ? -1 : node.inputs[0]);
      if (found == left_.end()) {
        keep(node);
      } else {
        fuse(node, found->second);
      }
    }
    return copy_.finish();
  }

 private:
  /// Whether all that read y can apply the norm themselves.
  bool is_left_to_readers(const AppliedNorm& norm) const {
    const int y = norm.node->outputs[0];
    const std::vector<const Node*>& readers = readers_[static_cast<size_t>(y)];
    if (readers.empty() || uses_.count(y) != std::ssize(readers)) return false;
    return std::ranges::all_of(readers, [&](const Node* node) {
      return node->inputs[0] == y && std::ranges::count(node->inputs, y) == 1 &&
             applies(*node, norm);
    });
  }

  /// Whether the kernel that computes a node has a variant that applies the norm.
  bool applies(const Node& node, const AppliedNorm& norm) const {
    const std::optional<Op> op = with_norm(node.op, norm.epilogue);
    if (!op) return false;
    Problem problem{node.op, {}, {}, threads_};
    for (const int id : node.inputs) problem.in.push_back(graph_.value(id).type);
    for (const int id : node.outputs) problem.out.push_back(graph_.value(id).type);
    Problem fused = problem;
    fused.op = *op;
    for (const int id : {norm.mean, norm.scale, norm.beta})
      fused.in.push_back(graph_.value(id).type);
    fused.in[0] = graph_.value(norm.x).type;
    const std::string name = choose_kernel(fused).name;
    return name != "reference" && name == choose_kernel(problem).name;
  }

  void keep(const Node& node) {
    copy_.replace(node, [&] { return copy_.add_like(node, node.op, copy_.inputs(node)); });
  }

  void keep_statistics(const Node& node) {
    const auto* norm = node.op.as<BatchNorm>();
    if (norm == nullptr) return;  // a norm that is computed again has no other results
    copy_.replace(node, [&] {
      Tensors results = copy_.graph()->add(BatchNormStatistics{norm->eps, norm->momentum},
                                           {copy_[node.inputs[0]], copy_[node.inputs[1]],
                                            copy_[node.inputs[3]], copy_[node.inputs[4]]});
      results.insert(results.begin(), Tensor{});
      return results;
    });
  }

  void fuse(const Node& node, const AppliedNorm& norm) {
    const Tensors results = copy_.fuse(std::array{&node, norm.node}, [&] {
      Tensors inputs{copy_[norm.x]};
      for (size_t i = 1; i < node.inputs.size(); ++i) inputs.push_back(copy_[node.inputs[i]]);
      for (const int id : {norm.mean, norm.scale, norm.beta}) inputs.push_back(copy_[id]);
      return copy_.add_like(node, *with_norm(node.op, norm.epilogue), inputs);
    });
    for (size_t i = 0; i < results.size(); ++i) copy_.replace(node.outputs[i], results[i]);
  }

  const Graph& graph_;
  int threads_;
  Uses uses_;
  std::vector<std::vector<const Node*>> readers_;  ///< by value, once for each time it is read
  std::map<int, AppliedNorm> left_;                ///< by y
  Rewriter copy_;
};

}  // namespace

std::shared_ptr<Graph> fuse_norm_conv(const Graph& graph, int threads) {
  return FuseNormConv(graph, threads).run();
}

}  // namespace fovea
