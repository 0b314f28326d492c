#include "fovea/graph/verify.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/core/error.h"

namespace fovea {
namespace {

void check_layouts(const Graph& graph, const Node& node, const std::string& label) {
  const LayoutRule rule = node.op.traits().layout;
  const Type* first = nullptr;  // of the N, C, spatial values
  const auto check = [&](int id) {
    const Type& type = graph.value(id).type;
    if (rule == LayoutRule::channelwise && type.rank() >= 3 && type.rank() <= 5) {
      if (first == nullptr) first = &type;
      require(type.layout == first->layout, label + " has values in different layouts");
    }
    if (type.layout == Layout::plain) return;
    require(
        fits(type, type.layout),
        fmt::format("{}: {} has channels that are not a multiple of 16", label, to_string(type)));
  };
  for (int id : node.inputs) check(id);
  for (int id : node.outputs) check(id);
}

void check_origin(const Graph& graph, const Origin& origin, const std::string& label) {
  const auto exists = [&](int call) { return call >= 0 && call < std::ssize(graph.calls()); };
  require((origin.call == -1 || exists(origin.call)) && std::ranges::all_of(origin.fused, exists),
          label + " belongs to a call that does not exist");
}

void check_calls(const Graph& graph, const std::vector<bool>& made, const std::string& prefix) {
  const auto sound = [&](int id) {
    return id == Call::gone || (id >= 0 && id < std::ssize(made) && made[static_cast<size_t>(id)]);
  };
  for (int i = 0; i < std::ssize(graph.calls()); ++i) {
    const Call& call = graph.call(i);
    const std::string label = fmt::format("{}call {}, \"{}\"", prefix, i, call.path);
    require(call.parent >= -1 && call.parent < i, label + " begins before its parent");
    require(std::ranges::all_of(call.inputs, sound) && std::ranges::all_of(call.outputs, sound),
            label + " has a value that is never computed");
  }
}

}  // namespace

void verify(const Graph& graph, std::string_view after) {
  const std::string prefix = fmt::format("graph after {}: ", after);
  const int count = static_cast<int>(graph.values().size());
  std::vector<bool> made(graph.values().size(), false);
  for (size_t id = 0; id < made.size(); ++id) made[id] = graph.values()[id].leaf != Leaf::none;

  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    check_origin(graph, node.origin, fmt::format("{}node {}", prefix, i));
    const std::string label = fmt::format("{}node {}, {}{}", prefix, i, node.op.name(),
                                          (node.scope().empty() ? "" : " of " + node.scope()));
    Types in;
    for (int id : node.inputs) {
      require(id >= 0 && id < count && made[static_cast<size_t>(id)],
              label + " uses a value before it is computed");
      in.push_back(graph.value(id).type);
      in.back().layout = Layout::plain;
    }
    const Types out = node.op.infer(in);
    require(out.size() == node.outputs.size(),
            label + " has a different number of outputs than it infers");
    for (size_t slot = 0; slot < out.size(); ++slot) {
      const int id = node.outputs[slot];
      require(id >= 0 && id < count && !made[static_cast<size_t>(id)],
              label + " computes a value a second time");
      made[static_cast<size_t>(id)] = true;
      Type type = graph.value(id).type;
      type.layout = Layout::plain;
      require(type == out[slot], fmt::format("{} computes {} but infers {}", label, to_string(type),
                                             to_string(out[slot])));
    }
    check_layouts(graph, node, label);
  }
  for (const auto* list : {&graph.outputs(), &graph.updates()}) {
    for (const auto& [name, id] : *list) {
      require(id >= 0 && id < count && made[static_cast<size_t>(id)],
              fmt::format("{}\"{}\" is never computed", prefix, name));
    }
  }
  check_calls(graph, made, prefix);
}

}  // namespace fovea
