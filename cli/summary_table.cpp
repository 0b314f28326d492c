#include <algorithm>
#include <array>
#include <cstdio>

#include "fovea/core/text.h"
#include "summary_table.h"

namespace fovea::cli {
namespace {

using Line = std::array<std::string, 7>;
const Line header{"Layer", "Type", "Output", "Parameters", "Mult-adds", "Memory KB", "Field"};
constexpr size_t flush_left = 3;  ///< the first columns; numbers are flush right

/// Columns on a terminal: bytes that do not continue a UTF-8 character.
size_t width_of(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string repeated(std::string_view text, size_t times) {
  std::string result;
  for (size_t i = 0; i < times; ++i) result += text;
  return result;
}

/// Whether row `i`, with the rows inside it, is the last in its parent.
bool is_last(const std::vector<LayerSummary>& layers, size_t i, int depth) {
  for (size_t j = i + 1; j < layers.size() && layers[j].depth >= depth; ++j) {
    if (layers[j].depth == depth) return false;
  }
  return true;
}

/// "│ ├─conv1".
std::string tree_text(const Summary& summary, size_t i) {
  const LayerSummary& layer = summary.layers[i];
  const std::string name =
      layer.path.empty() ? summary.model : layer.path.substr(layer.path.rfind('.') + 1);
  if (layer.depth == 0) return name;
  std::string text;
  for (int depth = 1; depth < layer.depth; ++depth) {
    text += is_last(summary.layers, i, depth) ? "  " : "│ ";
  }
  text += is_last(summary.layers, i, layer.depth) ? "└─" : "├─";
  return text + name;
}

/// At maximum `maximum` letters, the last of them "…" if something is omitted.
std::string shortened(const std::string& text, size_t maximum) {
  return text.size() <= maximum ? text : text.substr(0, maximum - 1) + "…";
}

/// "Conv2d 3x3 stride 2", "BasicBlock (relu, add)"; by its ops if the class is unknown.
std::string type_text(const Summary& summary, size_t i) {
  const LayerSummary& layer = summary.layers[i];
  const std::string ops = join(split(layer.ops, ' '));
  const bool holds = i + 1 < summary.layers.size() && summary.layers[i + 1].depth > layer.depth;
  if (!layer.type.empty() && holds) return layer.type + (ops.empty() ? "" : " (" + ops + ")");
  const std::string name = layer.type.empty() ? ops : layer.type;
  return name + (layer.window.empty() ? "" : " " + layer.window);
}

/// "64x112x112": without the batch axis.
std::string output_text(const Shape& shape) {
  std::string text;
  for (int64_t size : shape.slice(1)) text += (text.empty() ? "" : "x") + std::to_string(size);
  return text;
}

std::string parameters_text(const LayerSummary& layer) {
  if (layer.recursive) return "(recursive)";
  if (layer.parameters == 0) return "-";
  const std::string number = grouped(layer.parameters);
  return layer.trainable == 0 ? "(" + number + ")" : number;
}

Line line(const Summary& summary, size_t i) {
  const LayerSummary& layer = summary.layers[i];
  return {tree_text(summary, i),
          shortened(type_text(summary, i), 30),
          output_text(layer.output.shape),
          parameters_text(layer),
          layer.macs == 0 ? "-" : grouped(layer.macs),
          layer.bytes == 0 ? "-" : grouped(static_cast<int64_t>((layer.bytes + 999) / 1000)),
          layer.field.empty() ? "all" : size_text(layer.field)};
}

/// Columns as wide as their widest cell, with rules above and below.
std::string ruled_table(const std::vector<Line>& lines, const std::string& rule, size_t* width) {
  std::array<size_t, std::tuple_size_v<Line>> widths{};
  for (const Line& cells : lines) {
    for (size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], width_of(cells[i]));
  }
  *width = 2 * (widths.size() - 1);
  for (size_t w : widths) *width += w;
  std::string text;
  for (const Line& cells : lines) {
    for (size_t i = 0; i < cells.size(); ++i) {
      const std::string space(widths[i] - width_of(cells[i]), ' ');
      text += (i == 0 ? "" : "  ") + (i < flush_left ? cells[i] + space : space + cells[i]);
    }
    text += "\n";
    if (&cells == &lines.front()) text += repeated(rule, *width) + "\n";
  }
  return text;
}

std::string fixed(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.2f", value);
  return text;
}

std::string megabytes(size_t bytes) { return fixed(static_cast<double>(bytes) / 1e6) + " MB"; }

/// "1,814,073,344 (1.81 G)".
std::string operations(int64_t count) {
  const auto value = static_cast<double>(count);
  if (value < 1e6) return grouped(count);
  return grouped(count) + " (" +
         (value < 1e9 ? fixed(value / 1e6) + " M" : fixed(value / 1e9) + " G") + ")";
}

/// Names and values, the values in one column.
std::string lines_text(const std::vector<std::pair<std::string, std::string>>& lines) {
  std::string text;
  for (const auto& [name, value] : lines) {
    text += name + std::string(28 - name.size(), ' ') + value + "\n";
  }
  return text;
}

}  // namespace

std::string summary_table(const Summary& summary) {
  std::vector<Line> rows{header};
  for (size_t i = 0; i < summary.layers.size(); ++i) rows.push_back(line(summary, i));
  size_t width = 0;
  const std::string layers = ruled_table(rows, "─", &width);
  const std::string rule = repeated("─", width) + "\n";

  std::vector<std::pair<std::string, std::string>> counts{
      {"Total params", grouped(summary.parameters)},
      {"Trainable params", grouped(summary.trainable)},
      {"Non-trainable params", grouped(summary.parameters - summary.trainable)},
      {"Buffers", grouped(summary.buffers)},
      {"Total mult-adds", operations(summary.macs)}};
  if (summary.training_macs > 0) {
    counts.emplace_back("  additional in training", operations(summary.training_macs));
  }
  counts.emplace_back("Receptive field", size_text(summary.field) + ", jump " +
                                             jump_text(summary.field) +
                                             " (before global pooling or flatten)");
  const size_t input = summary.input.bytes();
  const int64_t batch = summary.input.dim(0);
  std::vector<std::pair<std::string, std::string>> sizes{
      {"Input size",
       megabytes(input) + (batch == 1 ? " (one sample)" : " (" + grouped(batch) + " samples)")},
      {"Forward/backward pass size", megabytes(summary.pass_bytes)},
      {"Params size", megabytes(summary.parameter_bytes)},
      {"Estimated total size", megabytes(input + summary.pass_bytes + summary.parameter_bytes)}};
  if (summary.arena_bytes > 0) {
    sizes.emplace_back("Arena", megabytes(summary.arena_bytes) + ", lower bound " +
                                    megabytes(summary.arena_lower_bound));
  }
  return layers + rule + lines_text(counts) + rule + lines_text(sizes);
}

}  // namespace fovea::cli
