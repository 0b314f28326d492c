#include "fovea/passes/summary.h"

#include <algorithm>
#include <optional>
#include <set>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/ops/conv.h"
#include "fovea/ops/window.h"
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

/// The rows of a summary while the graph is walked.
class Rows {
 public:
  Rows(Summary& summary, const std::map<std::string, std::string>& types)
      : layers_(summary.layers), types_(types) {}

  /// The rows of the modules that hold `node`, outermost first, made where there are none yet.
  const std::vector<size_t>& of(const Node& node) {
    const std::vector<std::string> paths = prefixes(node.scope);
    const size_t again = first_called_again(node, paths);
    std::vector<size_t> rows;
    for (size_t depth = 0; depth < paths.size(); ++depth) {
      const bool made = depth >= again || !find(rows, paths[depth]);
      rows.push_back(made ? make(rows, paths[depth], depth >= again) : *find(rows, paths[depth]));
    }
    current_ = std::move(rows);
    for (int id : node.inputs) {
      if (node.graph->value(id).leaf == Leaf::state) reads_[current_.back()].insert(id);
    }
    return current_;
  }

 private:
  /// Behind the row and all that it holds.
  size_t end_of(size_t row) const {
    size_t end = row + 1;
    while (end < layers_.size() && layers_[end].depth > layers_[row].depth) ++end;
    return end;
  }

  /// The last row of this path inside the last of `holders`.
  std::optional<size_t> find(const std::vector<size_t>& holders, const std::string& path) const {
    const size_t first = holders.empty() ? 0 : holders.back() + 1;
    for (size_t i = holders.empty() ? layers_.size() : end_of(holders.back()); i > first; --i) {
      if (layers_[i - 1].path == path) return i - 1;
    }
    return std::nullopt;
  }

  size_t make(const std::vector<size_t>& holders, const std::string& path, bool again) {
    const size_t at = holders.empty() ? layers_.size() : end_of(holders.back());
    LayerSummary row;
    row.path = path;
    row.depth = static_cast<int>(holders.size());
    row.recursive = again || (!holders.empty() && layers_[holders.back()].recursive);
    if (const auto type = types_.find(path); type != types_.end()) row.type = type->second;
    layers_.insert(layers_.begin() + static_cast<std::ptrdiff_t>(at), row);
    reads_.insert(reads_.begin() + static_cast<std::ptrdiff_t>(at), std::set<int>());
    return at;
  }

  /// The depth from which on the node's modules are called anew, since it reads an array that its
  /// module has read: the outermost module that was left meanwhile, or its own.
  size_t first_called_again(const Node& node, const std::vector<std::string>& paths) const {
    std::vector<size_t> rows;
    for (const std::string& path : paths) {
      const std::optional<size_t> row = find(rows, path);
      if (!row) return paths.size();
      rows.push_back(*row);
    }
    const bool again = std::any_of(node.inputs.begin(), node.inputs.end(), [&](int id) {
      return node.graph->value(id).leaf == Leaf::state && reads_[rows.back()].contains(id);
    });
    if (!again) return paths.size();
    size_t left = 0;
    while (left < rows.size() && left < current_.size() && rows[left] == current_[left]) ++left;
    return std::min(left, paths.size() - 1);
  }

  std::vector<LayerSummary>& layers_;
  const std::map<std::string, std::string>& types_;
  std::vector<std::set<int>> reads_;  ///< State arrays by id, a set for each of `layers_`
  std::vector<size_t> current_;       ///< rows of the last node, outermost first
};

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
    if (!is_trainable) return;
    layer.trainable += array.type.numel();
    summary.trainable += array.type.numel();
  } else if (is_float(array.type.dtype)) {  // the others are counters
    layer.buffers += array.type.numel();
    summary.buffers += array.type.numel();
  }
}

/// "3x3 stride 2 groups 32".
std::string window_text(const Node& node, const Window& window) {
  const auto any = [](const std::vector<int64_t>& sizes) {
    return std::any_of(sizes.begin(), sizes.end(), [](int64_t n) { return n != 1; });
  };
  std::string text;
  for (int64_t n : window.kernel) text += (text.empty() ? "" : "x") + std::to_string(n);
  if (any(window.stride)) text += " stride " + dims_text(window.stride);
  if (any(window.dilation)) text += " dilation " + dims_text(window.dilation);
  const Conv* conv = node.op.as<Conv>();
  if (conv && conv->geometry.groups > 1) text += " groups " + std::to_string(conv->geometry.groups);
  return text;
}

bool reads_parameters(const Node& node, const std::set<std::string_view>& parameters) {
  return std::any_of(node.inputs.begin(), node.inputs.end(), [&](int id) {
    const Value& value = node.graph->value(id);
    return value.leaf == Leaf::state && parameters.contains(value.name);
  });
}

}  // namespace

Summary summarize(Graph& graph, std::span<const std::string> parameters,
                  const std::map<std::string, std::string>& types) {
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
  Rows rows(summary, types);
  for (const Node& node : graph.nodes()) {
    if (std::none_of(node.outputs.begin(), node.outputs.end(),
                     [&](int id) { return used.contains(id); })) {
      continue;
    }
    const std::vector<size_t>& holders = rows.of(node);
    for (size_t row : holders) {
      summary.layers[row].output = graph.value(node.outputs[0]).type;
      summary.layers[row].field = fields[static_cast<size_t>(node.outputs[0])];
    }
    LayerSummary& layer = summary.layers[holders.back()];
    add_word(layer.ops, node.op.name());
    if (const auto window = node.op.window()) layer.window = window_text(node, *window);
    if (reads_parameters(node, known)) summary.pass_bytes += 2 * layer.output.bytes();
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
  summary.pass_bytes =
      std::max(summary.pass_bytes, training.pass_bytes / static_cast<size_t>(images));
  summary.parameters += parameters;
  summary.parameter_bytes = training.parameter_bytes;
  summary.trainable = training.trainable;
}

}  // namespace fovea
