#include "fovea/passes/summary.h"

#include <algorithm>
#include <array>
#include <set>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/passes/cost.h"

namespace fovea {
namespace {

Tensor image_of(Graph& graph) {
  for (size_t id = 0; id < graph.values().size(); ++id) {
    const Value& value = graph.values()[id];
    if (value.leaf == Leaf::input && value.name == "input") {
      return {graph.shared_from_this(), static_cast<int>(id)};
    }
  }
  throw Error(ErrorKind::usage, "summary: the graph has no input named \"input\"");
}

/// Ids of the values that a node or a named output uses. What only replaces State (the count of
/// batches) is no result of a layer.
std::set<int> used_values(const Graph& graph) {
  std::set<int> used;
  for (const Node& node : graph.nodes()) used.insert(node.inputs.begin(), node.inputs.end());
  for (const auto& [name, id] : graph.outputs()) used.insert(id);
  return used;
}

/// "a", "a.b", "a.b.c" for "a.b.c", behind the empty path of the model itself.
std::vector<std::string> prefixes(const std::string& path) {
  std::vector<std::string> result{""};
  if (path.empty()) return result;
  for (const std::string& part : split(path, '.')) {
    result.push_back(result.back().empty() ? part : result.back() + "." + part);
  }
  return result;
}

/// The row of `path`, made behind the others when there is none.
LayerSummary& row(Summary& summary, const std::string& path, int depth) {
  for (LayerSummary& layer : summary.layers) {
    if (layer.path == path) return layer;
  }
  LayerSummary& made = summary.layers.emplace_back();
  made.path = path;
  made.depth = depth;
  return made;
}

void add_word(std::string& words, std::string_view word) {
  const std::vector<std::string> known = split(words, ' ');
  if (std::find(known.begin(), known.end(), word) != known.end()) return;
  words += (words.empty() ? "" : " ") + std::string(word);
}

void add_array(Summary& summary, LayerSummary& layer, const Value& array, bool is_parameter,
               bool is_trainable) {
  if (is_parameter) {
    layer.parameters += array.type.numel();
    summary.parameters += array.type.numel();
    summary.parameter_bytes += array.type.bytes();
    if (is_trainable) summary.trainable += array.type.numel();
  } else if (is_float(array.type.dtype)) {  // the others are counters
    layer.buffers += array.type.numel();
    summary.buffers += array.type.numel();
  }
}

std::string kib(size_t bytes) { return grouped(static_cast<int64_t>((bytes + 1023) / 1024)); }

using Line = std::array<std::string, 8>;

Line line(const Summary& summary, const LayerSummary& layer) {
  const auto count = [](int64_t n) { return n == 0 ? std::string("-") : grouped(n); };
  const std::string name =
      layer.path.empty() ? summary.model : layer.path.substr(layer.path.rfind('.') + 1);
  return {std::string(2 * static_cast<size_t>(layer.depth), ' ') + name,
          layer.ops,
          to_string(layer.output.shape),
          count(layer.parameters),
          count(layer.macs),
          layer.bytes == 0 ? "-" : kib(layer.bytes),
          layer.field.empty() ? "all" : size_text(layer.field),
          layer.field.empty() ? "-" : jump_text(layer.field)};
}

/// Columns as wide as their widest cell; the first three flush left, numbers flush right.
std::string table(const std::vector<Line>& lines) {
  std::array<size_t, 8> widths{};
  for (const Line& cells : lines) {
    for (size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], cells[i].size());
  }
  std::string text;
  for (const Line& cells : lines) {
    for (size_t i = 0; i < cells.size(); ++i) {
      const std::string space(widths[i] - cells[i].size(), ' ');
      text += (i == 0 ? "" : "  ") + (i < 3 ? cells[i] + space : space + cells[i]);
    }
    text += "\n";
  }
  return text;
}

}  // namespace

Summary summarize(Graph& graph, std::span<const std::string> parameters) {
  const std::set<std::string_view> known(parameters.begin(), parameters.end());
  const Tensor image = image_of(graph);
  const std::vector<ReceptiveField> fields = receptive_fields(graph, image);
  Summary summary;
  summary.model = graph.title();
  summary.input = image.type();
  summary.output = graph.output("output").type();
  summary.field = receptive_field(graph, image);
  const std::set<int> used = used_values(graph);
  std::set<int> counted;
  for (const Node& node : graph.nodes()) {
    if (std::none_of(node.outputs.begin(), node.outputs.end(),
                     [&](int id) { return used.contains(id); })) {
      continue;
    }
    const std::vector<std::string> holders = prefixes(node.scope);
    for (size_t depth = 0; depth < holders.size(); ++depth) {
      LayerSummary& holder = row(summary, holders[depth], static_cast<int>(depth));
      holder.output = graph.value(node.outputs[0]).type;
      holder.field = fields[static_cast<size_t>(node.outputs[0])];
    }
    LayerSummary& layer = row(summary, node.scope, 0);
    add_word(layer.ops, node.op.name());
    layer.macs += multiply_adds(node);
    for (int id : node.outputs) layer.bytes += graph.value(id).type.bytes();
    for (int id : node.inputs) {
      const Value& array = graph.value(id);
      if (array.leaf != Leaf::state || !counted.insert(id).second) continue;
      add_array(summary, layer, array, known.contains(array.name),
                (graph.mode() == Mode::eval || array.trainable) && !graph.frozen(array.name));
    }
  }
  for (const LayerSummary& layer : summary.layers) {
    summary.macs += layer.macs;
    summary.bytes += layer.bytes;
  }
  return summary;
}

void add_training_layers(Summary& summary, const Summary& training) {
  std::set<std::string> known, holders;  // holders: of parameters, at any depth
  for (const LayerSummary& layer : summary.layers) known.insert(layer.path);
  const int64_t batch = summary.input.dim(0), images = training.input.dim(0) / batch;
  int64_t parameters = 0;
  for (const LayerSummary& layer : training.layers) {
    if (known.contains(layer.path) || layer.parameters == 0) continue;
    parameters += layer.parameters;
    for (std::string& path : prefixes(layer.path)) holders.insert(std::move(path));
  }
  for (LayerSummary layer : training.layers) {
    if (known.contains(layer.path) || !holders.contains(layer.path)) continue;
    layer.macs /= images;
    layer.bytes /= static_cast<size_t>(images);
    layer.output.shape.set(0, batch);
    summary.layers.push_back(layer);
    summary.training_macs += layer.macs;
    summary.buffers += layer.buffers;
    summary.bytes += layer.bytes;
  }
  summary.parameters += parameters;
  summary.parameter_bytes = training.parameter_bytes;
  summary.trainable = training.trainable;
}

std::string render(const Summary& summary) {
  std::vector<Line> lines{{"Layer", "Ops", "Output", "Parameters", "MACs", "KiB", "Field", "Jump"}};
  for (const LayerSummary& layer : summary.layers) lines.push_back(line(summary, layer));
  std::string text = table(lines) + "\n";
  text += "Input            " + to_string(summary.input) + "\n";
  text += "Parameters       " + grouped(summary.parameters) + " (" + kib(summary.parameter_bytes) +
          " KiB), trainable " + grouped(summary.trainable) + "\n";
  text += "Buffers          " + grouped(summary.buffers) + "\n";
  text += "MACs             " + grouped(summary.macs);
  if (summary.training_macs > 0)
    text += ", in training " + grouped(summary.training_macs) + " more";
  text += "\n";
  text += "Receptive field  " + size_text(summary.field) + ", jump " + jump_text(summary.field) +
          " (before global pooling or flatten)\n";
  if (summary.arena_bytes > 0) {
    text += "Arena            " + kib(summary.arena_bytes) + " KiB, lower bound " +
            kib(summary.arena_lower_bound) + " KiB\n";
  }
  return text;
}

}  // namespace fovea
