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

/// What a convolution or the gradient of its weights does for norms.
struct Duties {
  const AppliedNorm* before = nullptr;  ///< the norm that it applies
  bool moments = false;                 ///< of its results

  bool any() const { return before != nullptr || moments; }
};

/// The op that does a node's work and these duties; none if there is no such op.
std::optional<Op> with_duties(const Op& op, const Duties& duties) {
  const NormEpilogue norm = duties.before != nullptr ? duties.before->epilogue : NormEpilogue{};
  if (const auto* conv = op.as<Conv>(); conv != nullptr && conv->epilogue.empty()) {
    return NormConv{conv->geometry,  conv->kernel, conv->bias,    duties.before != nullptr,
                    norm.activation, norm.alpha,   duties.moments};
  }
  if (const auto* conv = op.as<ConvBackwardWeights>(); conv != nullptr && !duties.moments) {
    return NormConvBackwardWeights{conv->geometry, conv->weight, conv->bias, norm.activation,
                                   norm.alpha};
  }
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
      const bool left = norm && is_left_to_readers(*norm);
      if (left) left_[node.outputs[0]] = *norm;
      if (node.op.as<BatchNorm>() != nullptr) {
        emit_norm(node, left);
      } else if (!left) {  // else it is a norm that is computed again, whose only result is y
        emit(node);
      }
    }
    return copy_.finish();
  }

 private:
  Problem problem_of(const Node& node) const {
    Problem problem{node.op, {}, {}, threads_};
    for (const int id : node.inputs) problem.in.push_back(graph_.value(id).type);
    for (const int id : node.outputs) problem.out.push_back(graph_.value(id).type);
    return problem;
  }

  /// Whether a node is computed by such a kernel as can do these duties as well.
  bool can(const Node& node, const Duties& duties) const {
    const std::optional<Op> op = with_duties(node.op, duties);
    if (!op) return false;
    const Problem problem = problem_of(node);
    Problem fused = problem;
    fused.op = *op;
    if (const AppliedNorm* norm = duties.before) {
      fused.in[0] = graph_.value(norm->x).type;
      for (const int id : {norm->mean, norm->scale, norm->beta})
        fused.in.push_back(graph_.value(id).type);
    }
    if (duties.moments)
      fused.out.resize(3, {accumulate_dtype(problem.out[0].dtype), {problem.out[0].dim(1)}});
    const auto is_one = [&](const Problem& p) {  // of those of the fused op, and not widened
      const std::string name = choose_kernel(p).name;
      return std::ranges::any_of(kernel_rules(*op),
                                 [&](const KernelRule& rule) { return rule.name == name; });
    };
    return is_one(fused) && is_one(problem);
  }

  /// Whether all that read y can apply the norm themselves.
  bool is_left_to_readers(const AppliedNorm& norm) const {
    const int y = norm.node->outputs[0];
    const std::vector<const Node*>& readers = readers_[static_cast<size_t>(y)];
    if (readers.empty() || uses_.count(y) != std::ssize(readers)) return false;
    return std::ranges::all_of(readers, [&](const Node* node) {
      return node->inputs[0] == y && std::ranges::count(node->inputs, y) == 1 &&
             can(*node, {.before = &norm});
    });
  }

  /// Whether what a node computes first is the input of a norm in training.
  bool is_normalised(const Node& node) const {
    return std::ranges::any_of(
        readers_[static_cast<size_t>(node.outputs[0])], [&](const Node* reader) {
          return reader->op.as<BatchNorm>() != nullptr && reader->inputs[0] == node.outputs[0];
        });
  }

  void emit(const Node& node) {
    Duties duties;
    if (!node.inputs.empty()) {
      const auto found = left_.find(node.inputs[0]);
      if (found != left_.end()) duties.before = &found->second;
    }
    const Duties both{duties.before, true};
    if (is_normalised(node) && can(node, both)) duties = both;
    if (!duties.any()) {
      copy_.replace(node, [&] { return copy_.add_like(node, node.op, copy_.inputs(node)); });
      return;
    }
    std::vector<const Node*> nodes{&node};
    if (duties.before != nullptr) nodes.push_back(duties.before->node);
    const Tensors results = copy_.fuse(nodes, [&] {
      Tensors inputs{copy_[duties.before != nullptr ? duties.before->x : node.inputs[0]]};
      for (size_t i = 1; i < node.inputs.size(); ++i) inputs.push_back(copy_[node.inputs[i]]);
      if (const AppliedNorm* norm = duties.before) {
        for (const int id : {norm->mean, norm->scale, norm->beta}) inputs.push_back(copy_[id]);
      }
      return copy_.add_like(node, *with_duties(node.op, duties), inputs);
    });
    for (size_t i = 0; i < node.outputs.size(); ++i) copy_.replace(node.outputs[i], results[i]);
    if (duties.moments) moments_[node.outputs[0]] = {results[1], results[2]};
  }

  /// A norm in training, whose y is left to its readers or not.
  void emit_norm(const Node& node, bool left) {
    const auto& norm = node.op.get<BatchNorm>();
    const auto moments = moments_.find(node.inputs[0]);
    if (!left && moments == moments_.end()) {
      copy_.replace(node, [&] { return copy_.add_like(node, node.op, copy_.inputs(node)); });
      return;
    }
    copy_.replace(node, [&] {
      BatchNormStatistics op{norm.eps, norm.momentum};
      Tensors inputs{copy_[node.inputs[0]]};
      if (moments != moments_.end()) {
        const Shape& x = inputs[0].shape();
        op.count = x.numel() / x[1];
        inputs = moments->second;
      }
      for (const int i : {1, 3, 4}) inputs.push_back(copy_[node.inputs[static_cast<size_t>(i)]]);
      Tensors results = copy_.graph()->add(op, inputs);
      results.insert(results.begin(), left ? Tensor{} : apply(node, results));
      return results;
    });
  }

  /// y of a norm from its statistics.
  Tensor apply(const Node& node, const Tensors& statistics) {
    const NormEpilogue& epilogue = node.op.get<BatchNorm>().epilogue;
    Tensors inputs{copy_[node.inputs[0]], statistics[0], statistics[4], copy_[node.inputs[2]]};
    if (epilogue.residual) inputs.push_back(copy_[node.inputs[5]]);
    return copy_.add_like(node, BatchNormAgain{epilogue}, inputs)[0];
  }

  const Graph& graph_;
  int threads_;
  Uses uses_;
  std::vector<std::vector<const Node*>> readers_;  ///< by value, once for each time it is read
  std::map<int, AppliedNorm> left_;                ///< by y
  std::map<int, Tensors> moments_;                 ///< mean and variance, by x
  Rewriter copy_;
};

}  // namespace

std::shared_ptr<Graph> fuse_norm_conv(const Graph& graph, int threads) {
  return FuseNormConv(graph, threads).run();
}

}  // namespace fovea
