#include "fovea/passes/tap.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "fovea/core/error.h"
#include "fovea/core/glob.h"
#include "fovea/core/text.h"
#include "fovea/graph/print.h"
#include "fovea/ops/reorder.h"

namespace fovea {
namespace {

/// The tap name of each call; "" for those with nothing to tap: roots, whose result is the graph's
/// own output, and calls that returned no Tensor.
std::vector<std::string> names_of_calls(const Graph& graph) {
  std::map<std::string_view, int> count, number;
  for (const Call& call : graph.calls()) ++count[call.path];
  std::vector<std::string> names;
  for (const Call& call : graph.calls()) {
    const std::string suffix =
        count[call.path] == 1 ? "" : "#" + std::to_string(++number[call.path]);
    names.push_back(call.path.empty() || call.outputs.empty() ? "" : call.path + suffix);
  }
  return names;
}

/// Whether the node belongs to that call, or to one inside it.
bool works_for(const Graph& graph, const Node& node, int call) {
  const auto inside = [&](int inner) {
    while (inner > call) inner = graph.call(inner).parent;  // a call follows its parent
    return inner == call;
  };
  return !node.origin.backward &&
         (inside(node.origin.call) || std::ranges::any_of(node.origin.fused, inside));
}

Error gone(const Graph& graph, int call, const std::string& name) {
  Error error(ErrorKind::usage,
              fmt::format("tap: the result of {} is no longer in the graph", name));
  const Node* last = nullptr;
  for (const Node& node : graph.nodes()) last = works_for(graph, node, call) ? &node : last;
  if (last == nullptr) {
    error.with("removed", "no output depended on it");
  } else {
    error.with("fused",
               fmt::format("into the {} of {}", last->op.name(), calls_text(graph, last->origin)));
  }
  return error.with("try", fmt::format("tap(graph, \"{}\") before the passes, or before Program "
                                       "compiles the graph: a tapped value is kept",
                                       name));
}

/// Converts to plain layout, as outputs require.
Tensor plain(Graph& graph, const Tensor& value) {
  if (value.type().layout == Layout::plain) return value;
  const WithOrigin origin(graph, graph.origin(value));
  const Tensor reordered = graph.add_one(Reorder{}, {value});
  graph.set_layout(reordered.id(), Layout::plain);
  return reordered;
}

/// The name of output `k` of a call that is named `name`.
std::string name_of_output(const Call& call, const std::string& name, size_t k) {
  return call.outputs.size() == 1 ? name : fmt::format("{}[{}]", name, k);
}

Tap add_output(Graph& graph, const std::string& name, int id) {
  const std::string output = tap_name(name);
  const auto known = std::ranges::find(graph.outputs(), output, &Graph::Named::first);
  if (known == graph.outputs().end())
    graph.output(output, plain(graph, Tensor(graph.shared_from_this(), id)));
  return {name, graph.output(output)};
}

}  // namespace

std::string tap_name(std::string_view name) { return "tap:" + std::string(name); }

std::vector<Tap> tap(Graph& graph, std::string_view pattern) {
  const std::string glob(pattern);
  std::vector<std::string> names = names_of_calls(graph);
  std::vector<Tap> taps;
  for (int i : graph.calls_by_end()) {
    const Call& call = graph.call(i);
    const std::string& name = names[static_cast<size_t>(i)];
    if (name.empty() || !(matches_glob(glob, call.path) || matches_glob(glob, name))) continue;
    for (size_t k = 0; k < call.outputs.size(); ++k) {
      if (call.outputs[k] == Call::gone) throw gone(graph, i, name);
      taps.push_back(add_output(graph, name_of_output(call, name, k), call.outputs[k]));
    }
  }
  if (!taps.empty()) return taps;
  std::erase(names, "");
  throw unknown_name("module", pattern, names)
      .with("try", "a path or a glob of paths as in fovea summary: \"layer1.*\"");
}

std::vector<Tap> module_results(Graph& graph) {
  const std::vector<std::string> names = names_of_calls(graph);
  std::vector<Tap> results;
  for (int i : graph.calls_by_end()) {
    const Call& call = graph.call(i);
    const std::string& name = names[static_cast<size_t>(i)];
    for (size_t k = 0; !name.empty() && k < call.outputs.size(); ++k) {
      if (call.outputs[k] == Call::gone) continue;
      results.push_back(
          {name_of_output(call, name, k), Tensor(graph.shared_from_this(), call.outputs[k])});
    }
  }
  return results;
}

}  // namespace fovea
