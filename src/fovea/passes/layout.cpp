#include "fovea/passes/layout.h"

#include <map>

#include "fovea/ops/conv.h"
#include "fovea/ops/reorder.h"

namespace fovea {
namespace {

bool spatial(const Type& type) { return type.rank() >= 3 && type.rank() <= 5; }

class LayoutPass {
 public:
  LayoutPass(const Graph& graph, const std::function<Layout(const Type&)>& preferred)
      : graph_(graph), preferred_(preferred), copy_(graph) {}

  std::shared_ptr<Graph> run() {
    for (const Node& node : graph_.nodes()) {
      switch (node.op.traits().layout) {
        case LayoutRule::plain:
          emit(
              node, [](size_t, const Type&) { return Layout::plain; },
              [](const Type&) { return Layout::plain; });
          break;
        case LayoutRule::channelwise:
          channelwise(node);
          break;
        case LayoutRule::convolution:
          convolution(node);
          break;
      }
    }
    for (const auto* list :
         {&graph_.outputs(), &graph_.updates()}) {  // what leaves the graph is plain
      for (const auto& [name, id] : *list) copy_.replace(id, in_layout(copy_[id], Layout::plain));
    }
    return copy_.finish();
  }

 private:
  void channelwise(const Node& node) {
    // The layout of an input that has one; where all are plain, a value that grows (the gradient of
    // a global pool) takes the layout its neighbours will want.
    Layout layout = Layout::plain;
    int64_t largest = 0;
    for (int id : node.inputs) {
      const Type& type = copy_[id].type();
      if (!spatial(type)) continue;
      if (layout == Layout::plain) layout = type.layout;
      largest = std::max(largest, type.numel());
    }
    const Type& out = graph_.value(node.outputs[0]).type;
    if (layout == Layout::plain && spatial(out) && out.numel() > largest) layout = preferred_(out);
    const auto pick = [layout](const Type& type) { return spatial(type) ? layout : Layout::plain; };
    emit(
        node, [&](size_t, const Type& type) { return pick(type); }, pick);
  }

  void convolution(const Node& node) {
    const bool backward_data = node.op.as<ConvBackwardData>() != nullptr;
    const bool backward_weights = node.op.as<ConvBackwardWeights>() != nullptr;
    const size_t weight = backward_data ? 0 : backward_weights ? 99 : 1;
    const auto pick = [this](const Type& type) {
      return spatial(type) ? preferred_(type) : Layout::plain;
    };
    emit(
        node, [&](size_t i, const Type& type) { return i == weight ? Layout::plain : pick(type); },
        [&](const Type& type) { return backward_weights ? Layout::plain : pick(type); });
  }

  template <class In, class Out>
  void emit(const Node& node, const In& input_layout, const Out& output_layout) {
    copy_.replace(node, [&] {
      Tensors inputs = copy_.inputs(node);
      for (size_t i = 0; i < inputs.size(); ++i) {
        inputs[i] = in_layout(inputs[i], input_layout(i, inputs[i].type()));
      }
      Tensors results = copy_.graph()->add(node.op, inputs);
      for (const Tensor& t : results) copy_.graph()->set_layout(t.id(), output_layout(t.type()));
      return results;
    });
  }

  /// The value in that layout: itself, or a reorder of it, made once.
  Tensor in_layout(const Tensor& t, Layout layout) {
    if (t.type().layout == layout) return t;
    Tensor& reordered = reorders_[{t.id(), layout}];
    if (!reordered) {
      reordered = copy_.graph()->add_one(Reorder{}, {t});
      copy_.graph()->set_layout(reordered.id(), layout);
    }
    return reordered;
  }

  const Graph& graph_;
  const std::function<Layout(const Type&)>& preferred_;
  Rewriter copy_;
  std::map<std::pair<int, Layout>, Tensor> reorders_;
};

}  // namespace

std::shared_ptr<Graph> assign_layouts(const Graph& graph,
                                      const std::function<Layout(const Type&)>& preferred) {
  return LayoutPass(graph, preferred).run();
}

}  // namespace fovea
