#include "fovea/passes/summary.h"

#include <algorithm>
#include <set>
#include <utility>

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

/// Ids of the values that a node or a named output uses. A value that only updates State (the batch
/// counter) is not a layer's result.
std::set<int> used_values(const Graph& graph) {
  std::set<int> used;
  for (const Node& node : graph.nodes()) used.insert(node.inputs.begin(), node.inputs.end());
  for (const auto& [name, id] : graph.outputs()) used.insert(id);
  return used;
}

/// The rows of a graph's calls: row 0 is the model itself, its root's call or nodes outside any
/// call.
class Rows {
 public:
  explicit Rows(const Graph& graph) : graph_(graph), rows_(graph.calls().size()), layers_(1) {
    for (size_t i = 0; i < rows_.size(); ++i) {
      const Call& call = graph.calls()[i];
      const bool root = i == 0 && call.path.empty();
      rows_[i] = root ? 0 : layers_.size();
      if (!root) {
        LayerSummary& layer = layers_.emplace_back();
        layer.path = call.path;
        layer.depth = layers_[row(call.parent)].depth + 1;
      }
      layers_[rows_[i]].type = call.type;
    }
  }

  size_t row(int call) const { return call < 0 ? 0 : rows_[static_cast<size_t>(call)]; }
  std::vector<LayerSummary>& layers() { return layers_; }

  /// Marks repeated calls of modules, if they or those inside have parameters.
  void mark_recursive(const std::vector<bool>& reads_parameters) {
    std::vector<bool> reads = reads_parameters;  // by row
    for (size_t i = rows_.size(); i-- > 0;) {
      const size_t parent = row(graph_.calls()[i].parent);
      reads[parent] = reads[parent] || reads[rows_[i]];
    }
    std::set<std::string_view> called;
    for (size_t i = 0; i < rows_.size(); ++i) {
      const bool before = !called.insert(graph_.calls()[i].path).second;
      layers_[rows_[i]].recursive = before && reads[rows_[i]];
    }
  }

 private:
  const Graph& graph_;
  std::vector<size_t> rows_;  ///< by call
  std::vector<LayerSummary> layers_;
};

/// The result of each call; if unknown, that of its last node.
void add_results(const Graph& graph, const std::vector<ReceptiveField>& fields, Rows& rows) {
  const auto add = [&](int call, int value) {
    LayerSummary& layer = rows.layers()[rows.row(call)];
    layer.output = graph.value(value).type;
    layer.field = fields[static_cast<size_t>(value)];
  };
  for (const Node& node : graph.nodes()) {
    int call = node.origin.call;
    for (add(call, node.outputs[0]); call >= 0; add(call, node.outputs[0])) {
      call = graph.call(call).parent;
    }
  }
  for (size_t i = 0; i < graph.calls().size(); ++i) {
    const std::vector<int>& given = graph.calls()[i].outputs;
    if (!given.empty() && given[0] != Call::gone) add(static_cast<int>(i), given[0]);
  }
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
    if (!is_trainable) return;
    layer.trainable += array.type.numel();
    summary.trainable += array.type.numel();
  } else if (is_float(array.type.dtype)) {  // all others are counters
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

/// The parameters of a layer and of those inside it.
int64_t parameters_within(const std::vector<LayerSummary>& layers, size_t i) {
  int64_t parameters = layers[i].parameters;
  for (size_t j = i + 1; j < layers.size() && layers[j].depth > layers[i].depth; ++j)
    parameters += layers[j].parameters;
  return parameters;
}

}  // namespace

Summary summarize(Graph& graph, std::span<const std::string> parameters) {
  const std::set<std::string_view> known(parameters.begin(), parameters.end());
  const Tensor image = image_of(graph);
  Summary summary;
  summary.model = graph.title();
  summary.input = image.type();
  summary.output = graph.output("output").type();
  summary.field = receptive_field(graph, image);
  const std::set<int> used = used_values(graph);
  std::set<int> counted;
  Rows rows(graph);
  add_results(graph, receptive_fields(graph, image), rows);
  std::vector<bool> reads(rows.layers().size(), false);
  for (const Node& node : graph.nodes()) {
    if (std::none_of(node.outputs.begin(), node.outputs.end(),
                     [&](int id) { return used.contains(id); })) {
      continue;
    }
    const size_t row = rows.row(node.origin.call);
    LayerSummary& layer = rows.layers()[row];
    add_word(layer.ops, node.op.name());
    if (const auto window = node.op.window()) layer.window = window_text(node, *window);
    if (reads_parameters(node, known)) {
      reads[row] = true;
      summary.pass_bytes += 2 * graph.value(node.outputs[0]).type.bytes();
    }
    layer.macs += multiply_adds(node);
    for (int id : node.outputs) layer.bytes += graph.value(id).type.bytes();
    for (int id : node.inputs) {
      const Value& array = graph.value(id);
      if (array.leaf != Leaf::state || !counted.insert(id).second) continue;
      add_array(summary, layer, array, known.contains(array.name),
                (graph.mode() == Mode::eval || array.trainable) && !graph.frozen(array.name));
    }
  }
  rows.mark_recursive(reads);
  summary.layers = std::move(rows.layers());
  for (const LayerSummary& layer : summary.layers) {
    summary.macs += layer.macs;
    summary.bytes += layer.bytes;
  }
  return summary;
}

void add_training_layers(Summary& summary, const Summary& training) {
  std::set<std::string_view> known;
  for (const LayerSummary& layer : summary.layers) known.insert(layer.path);
  const int64_t batch = summary.input.dim(0), images = training.input.dim(0) / batch;
  std::vector<LayerSummary> added;
  int head = -1;  // the depth of the auxiliary head that contains a row
  for (size_t i = 0; i < training.layers.size(); ++i) {
    LayerSummary layer = training.layers[i];
    if (layer.depth <= head) head = -1;
    if (head < 0 && !known.contains(layer.path) && parameters_within(training.layers, i) > 0)
      head = layer.depth;
    if (head < 0) continue;
    layer.macs /= images;
    layer.bytes /= static_cast<size_t>(images);
    layer.output.shape.set(0, batch);
    summary.training_macs += layer.macs;
    summary.parameters += layer.parameters;
    summary.buffers += layer.buffers;
    summary.bytes += layer.bytes;
    added.push_back(std::move(layer));
  }
  summary.layers.insert(summary.layers.end(), added.begin(), added.end());
  summary.pass_bytes =
      std::max(summary.pass_bytes, training.pass_bytes / static_cast<size_t>(images));
  summary.parameter_bytes = training.parameter_bytes;
  summary.trainable = training.trainable;
}

}  // namespace fovea
