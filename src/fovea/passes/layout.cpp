#include "fovea/passes/layout.h"

#include <algorithm>
#include <map>

#include "fovea/kernels/fixed_weights.h"
#include "fovea/kernels/tuning.h"
#include "fovea/ops/reorder.h"

namespace fovea {
namespace {

bool spatial(const Type& type) { return type.rank() >= 3 && type.rank() <= 5; }

class LayoutPass {
 public:
  LayoutPass(const Graph& graph, const std::function<Layout(const Type&)>& preferred,
             const LayoutOffers& offers, int threads)
      : graph_(graph), preferred_(preferred), offers_(offers), threads_(threads), copy_(graph) {}

  std::shared_ptr<Graph> run() {
    for (const Node& node : graph_.nodes()) {
      if (!as_offered(node)) by_rule(node);
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
  /// Takes the cheapest offer of the op's kernels, if there are any.
  bool as_offered(const Node& node) {
    Problem problem{.op = node.op, .in = {}, .out = {}, .threads = threads_};
    for (int id : node.inputs) problem.in.push_back(copy_[id].type());
    for (int id : node.outputs) problem.out.push_back(graph_.value(id).type);
    const Problem* best = nullptr;
    double least = 0;
    std::vector<Problem> candidates;
    const std::vector<PricedLayouts> offered = offers_(problem);
    candidates.reserve(offered.size());
    for (const PricedLayouts& offer : offered) {
      candidates.push_back(in_layouts(problem, offer.layouts));
      const Problem& candidate = candidates.back();
      double price = offer.seconds;
      for (size_t i = 0; i < problem.in.size(); ++i)
        price += reorder_price(copy_[node.inputs[i]], candidate.in[i].layout);
      if (best == nullptr || price < least) {
        best = &candidate;
        least = price;
      }
    }
    if (best == nullptr) return false;
    emit(
        node, [&](size_t i, const Type&) { return best->in[i].layout; },
        [&](size_t i, const Type&) { return best->out[i].layout; });
    return true;
  }

  double reorder_price(const Tensor& t, Layout layout) const {
    if (t.type().layout == layout || reorders_.contains({t.id(), layout})) return 0;
    return tuned_reorder_seconds(t.type(), layout, threads_);
  }

  void by_rule(const Node& node) {
    switch (node.op.traits().layout) {
      case LayoutRule::channelwise:
        return channelwise(node);
      case LayoutRule::broadcast:
        return broadcast(node);
      case LayoutRule::plain:
      case LayoutRule::convolution:
        return plain(node);
    }
  }

  void plain(const Node& node) {
    emit(
        node, [](size_t, const Type&) { return Layout::plain; },
        [](size_t, const Type&) { return Layout::plain; });
  }

  /// All types of a node, with its inputs' types in the new graph.
  Types types_of(const Node& node) {
    Types types;
    for (int id : node.inputs) types.push_back(copy_[id].type());
    for (int id : node.outputs) types.push_back(graph_.value(id).type);
    return types;
  }

  void channelwise(const Node& node) {
    // The layout of an input that has one; of an elementwise op channels-last if one has that: it
    // comes from rows of pixels, and what is computed next may be, too. If all are plain, a value
    // that grows (the gradient of a global pool) takes the layout that its neighbours prefer.
    Layout layout = Layout::plain;
    int64_t total = 0;
    for (int id : node.inputs) {
      const Type type = copy_[id].type();
      if (!spatial(type)) continue;
      const bool rows = node.op.traits().elementwise && type.layout == Layout::channels_last;
      if (layout == Layout::plain || rows) layout = type.layout;
      total += type.numel();
    }
    const Type& out = graph_.value(node.outputs[0]).type;
    if (layout == Layout::plain && spatial(out) && out.numel() > total) layout = preferred_(out);
    for (const Type& type : types_of(node)) {  // slices of channels may not fill blocks
      if (spatial(type) && !fits(type, layout)) layout = Layout::plain;
    }
    const auto pick = [layout](const Type& type) { return spatial(type) ? layout : Layout::plain; };
    emit(
        node, [&](size_t, const Type& type) { return pick(type); },
        [&](size_t, const Type& type) { return pick(type); });
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
        node, [&](size_t, const Type& type) { return pick(type); },
        [&](size_t, const Type& type) { return pick(type); });
  }

  template <class In, class Out>
  void emit(const Node& node, const In& input_layout, const Out& output_layout) {
    copy_.replace(node, [&] {
      Tensors inputs = copy_.inputs(node);
      for (size_t i = 0; i < inputs.size(); ++i) {
        inputs[i] = in_layout(inputs[i], input_layout(i, inputs[i].type()));
      }
      Tensors results = copy_.graph()->add(node.op, inputs);
      for (size_t i = 0; i < results.size(); ++i)
        copy_.graph()->set_layout(results[i].id(), output_layout(i, results[i].type()));
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
  const LayoutOffers& offers_;
  int threads_;
  Rewriter copy_;
  std::map<std::pair<int, Layout>, Tensor> reorders_;
};

}  // namespace

bool weights_are_fixed(const Graph& graph) {
  return graph.mode() == Mode::eval && graph.updates().empty();
}

std::shared_ptr<Graph> assign_layouts(const Graph& graph,
                                      const std::function<Layout(const Type&)>& preferred,
                                      const LayoutOffers& offers, int threads) {
  const FixedWeightsScope fixed(weights_are_fixed(graph));
  return LayoutPass(graph, preferred, offers, threads).run();
}

}  // namespace fovea
