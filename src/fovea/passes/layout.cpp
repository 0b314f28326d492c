#include "fovea/passes/layout.h"

#include <algorithm>
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
          plain(node);
          break;
        case LayoutRule::channelwise:
          channelwise(node);
          break;
        case LayoutRule::broadcast:
          broadcast(node);
          break;
        case LayoutRule::convolution:
          convolution(node);
          break;
      }
    }
    for (const auto* list :
         {&graph_.outputs(), &graph_.updates()}) {  // outputs and updates are plain
      for (const auto& [name, id] : *list) {
        const Tensor value = copy_[id];
        const WithOrigin origin(*copy_.graph(), copy_.graph()->origin(value));
        copy_.replace(id, in_layout(value, Layout::plain));
      }
    }
    return copy_.finish();
  }

 private:
  void plain(const Node& node) {
    emit(
        node, [](size_t, const Type&) { return Layout::plain; },
        [](const Type&) { return Layout::plain; });
  }

  /// All types of a node, with its inputs' types in the new graph.
  Types types_of(const Node& node) {
    Types types;
    for (int id : node.inputs) types.push_back(copy_[id].type());
    for (int id : node.outputs) types.push_back(graph_.value(id).type);
    return types;
  }

  void channelwise(const Node& node) {
    // The layout of an input that has one; if all are plain, a value that grows (the gradient of a
    // global pool) takes the layout that its neighbours prefer.
    Layout layout = Layout::plain;
    int64_t total = 0;
    for (int id : node.inputs) {
      const Type type = copy_[id].type();
      if (!spatial(type)) continue;
      if (layout == Layout::plain) layout = type.layout;
      total += type.numel();
    }
    const Type& out = graph_.value(node.outputs[0]).type;
    if (layout == Layout::plain && spatial(out) && out.numel() > total) layout = preferred_(out);
    for (const Type& type : types_of(node)) {  // slices of channels may not fill blocks
      if (spatial(type) && !fits(type, layout)) layout = Layout::plain;
    }
    const auto pick = [layout](const Type& type) { return spatial(type) ? layout : Layout::plain; };
    emit(
        node, [&](size_t, const Type& type) { return pick(type); }, pick);
  }

  void broadcast(const Node& node) {
    const Types types = types_of(node);
    const Type& full =
        *std::max_element(types.begin(), types.end(), [](const auto& a, const auto& b) {
          return std::pair(a.rank(), a.numel()) < std::pair(b.rank(), b.numel());
        });
    Layout layout = Layout::plain;
    int64_t largest = -1;
    for (const Type& type : types) {
      if (type.rank() < full.rank() || type.layout == Layout::plain) continue;
      if (type.numel() <= largest) continue;
      layout = type.layout;
      largest = type.numel();
    }
    const Type& out = types.back();
    if (layout == Layout::plain && node.arity() == 1 && out.numel() > types[0].numel())
      layout = preferred_(out);
    // Values with fewer axes stay plain, so the order must be the same.
    const auto line = [](const Type& type) {
      return std::ranges::count_if(type.shape.dims(), [](int64_t size) { return size != 1; }) <= 1;
    };
    const auto ordered = [&](const Type& type) { return type.rank() == full.rank() || line(type); };
    if (!fits(full, layout) || !std::ranges::all_of(types, ordered)) layout = Layout::plain;
    const auto pick = [&](const Type& type) {
      return type.rank() == full.rank() && fits(type, layout) ? layout : Layout::plain;
    };
    emit(
        node, [&](size_t, const Type& type) { return pick(type); }, pick);
  }

  /// The layouts of a convolution's input and output images, in any of its three passes: the same
  /// for both, except that images with few channels may stay plain before blocks.
  std::pair<Layout, Layout> layouts_of(const Type& x, const Type& y, int64_t groups, Layout given) {
    const bool depthwise = groups > 1 && groups == x.dim(1);
    if (depthwise && given != Layout::plain && fits(x, given) && fits(y, given))
      return {given, given};  // as good as any other, without reorders
    const std::pair layouts(preferred_(x), preferred_(y));
    const auto [before, after] = layouts;
    if (before == after || (before == Layout::plain && after == Layout::blocked16)) return layouts;
    return {Layout::channels_last, Layout::channels_last};
  }

  void convolution(const Node& node) {
    const auto given = [&](size_t i) { return copy_[node.inputs[i]].type(); };
    const Type& out = graph_.value(node.outputs[0]).type;
    if (const auto* forward = node.op.as<Conv>()) {
      const Type x = given(0);
      const auto [before, after] = layouts_of(x, out, forward->geometry.groups, x.layout);
      emit_images(node, {before, Layout::plain, after, after}, after);
    } else if (const auto* data = node.op.as<ConvBackwardData>()) {
      const Type dy = given(1);
      const auto [before, after] = layouts_of(out, dy, data->geometry.groups, dy.layout);
      emit_images(node, {Layout::plain, after}, before);
    } else if (const auto* weights = node.op.as<ConvBackwardWeights>()) {
      const Type x = given(0);
      const auto [before, after] = layouts_of(x, given(1), weights->geometry.groups, x.layout);
      emit_images(node, {before, after}, Layout::plain);
    } else {  // an op from outside
      plain(node);
    }
  }

  /// Assigns these layouts to inputs and output that are N, C, spatial.
  void emit_images(const Node& node, const std::vector<Layout>& in, Layout out) {
    const auto pick = [](const Type& type, Layout layout) {
      return spatial(type) ? layout : Layout::plain;
    };
    emit(
        node, [&](size_t i, const Type& type) { return pick(type, in[i]); },
        [&](const Type& type) { return pick(type, out); });
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

  /// The value in that layout: itself, or a reorder of it, added once.
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
