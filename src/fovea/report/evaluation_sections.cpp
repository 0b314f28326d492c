#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "fovea/core/text.h"
#include "fovea/explain/features.h"
#include "fovea/explain/filters.h"
#include "fovea/images/samples.h"
#include "fovea/report/sections.h"

namespace fovea::report {
namespace {

std::vector<std::vector<double>> counts_of(const tasks::Table& table) {
  std::vector<std::vector<double>> counts;
  for (const auto& [name, values] : table.rows) counts.push_back(values);
  return counts;
}

/// The pairs that are mistaken most often.
void add_confusions(Page& page, const tasks::Table& table) {
  const auto rows = tasks::most_confused(table);
  if (rows.empty()) return;
  page.table("Most frequent mistakes", {"class", "taken for", "samples"}, rows,
             {.text_columns = 2, .sortable = false});
}

void add_table(Page& page, const tasks::Table& table) {
  std::vector<std::string> header{table.rows_are};
  header.insert(header.end(), table.columns.begin(), table.columns.end());
  const auto rows = tasks::text_rows(table);
  std::string caption = table.name;
  std::ranges::replace(caption, '_', ' ');
  const bool long_one = rows.size() > 30;
  if (long_one) page.fold(fmt::format("{}: all {} rows", caption, rows.size()));
  page.table(caption, header, rows, {.text_columns = 1, .sortable = true});
  if (long_one) page.close();
}

void add_calibration(Page& page, const Measured& measured) {
  draw::Series model{.name = "model", .x = {}, .y = {}, .points = true};
  for (const CalibrationBin& bin : measured.calibration) {
    model.x.push_back(bin.confidence);
    model.y.push_back(bin.accuracy);
  }
  const draw::Lines lines{
      .series =
          {model,
           {.name = "perfect", .x = {0, 1}, .y = {0, 1}, .color = draw::faint, .dashed = true}},
      .x_label = "confidence",
      .y_label = "accuracy",
      .x_range = draw::Range{0, 1},
      .y_range = draw::Range{0, 1}};
  page.curves("Calibration",
              "How often predictions of each confidence are right; below the diagonal the model is "
              "too sure.",
              lines);
}

std::string example_text(const Example& example) {
  const std::string share = fmt::format("{:.1f}\u00a0%", 100 * example.probability);
  return example.target == example.prediction
             ? fmt::format("{}, {}", example.prediction, share)
             : fmt::format("{}, taken for {}, {}", example.target, example.prediction, share);
}

void add_gallery(Page& page, const std::vector<Example>& examples, const std::string& layer) {
  constexpr int side = 112;
  page.gallery();
  for (const Example& example : examples) {
    const bool mapped = !example.explained.pixels.empty();
    const Image plain = draw::scaled_to(example.picture, side);
    if (!mapped) {
      page.picture(plain, fmt::format("{}: {}", example.name, example_text(example)),
                   example_text(example));
      continue;
    }
    const Image pair = draw::grid({{plain}, {draw::scaled_to(example.explained, side)}},
                                  {.columns = 2, .scale = 1, .margin = 0});
    page.picture(pair,
                 fmt::format("{}: {}; beside it where {} speaks for the prediction", example.name,
                             example_text(example), layer),
                 example_text(example), size_t{48} << 10);
  }
  page.end_gallery();
}

void add_restored(Page& page, const std::vector<Restored>& examples) {
  constexpr int side = 112;
  page.gallery();
  for (const Restored& example : examples) {
    const bool wide = example.input.width > 2 * example.input.height;  // frames, slices
    const Image pair =
        draw::grid({{draw::scaled_to(example.input, wide ? 4 * side : side)},
                    {draw::scaled_to(example.reconstruction, wide ? 4 * side : side)}},
                   {.columns = wide ? 1 : 2, .scale = 1, .margin = 2});
    const std::string text = fmt::format("mse {:.5f}", example.error);
    page.picture(pair, fmt::format("{}: {}", example.name, text), text, size_t{48} << 10);
  }
  page.end_gallery();
}

}  // namespace

std::string number_text(const std::optional<double>& value) {
  return value ? fmt::format("{:.4f}", *value) : "-";
}

void add_results(Page& page, const Measured& measured) {
  page.section("Results");
  page.paragraph(measured.count < measured.all
                     ? fmt::format("Measured on {} samples of the {} split, chosen at random from "
                                   "its {}.",
                                   grouped(measured.count), measured.split, grouped(measured.all))
                     : fmt::format("Measured on the {} samples of the {} split.",
                                   grouped(measured.count), measured.split));
  std::vector<std::pair<std::string, std::string>> tiles;
  for (const auto& [name, value] : measured.numbers) tiles.emplace_back(name, number_text(value));
  page.tiles(tiles);
  for (const tasks::Table& table : measured.tables) {
    if (!table.matrix) continue;
    page.heading("Confusion matrix");
    page.matrix("Confusion matrix", table.columns, counts_of(table));
    add_confusions(page, table);
  }
  for (const tasks::Table& table : measured.tables) {
    if (!table.matrix) add_table(page, table);
  }
  if (!measured.calibration.empty()) add_calibration(page, measured);
}

/// Targets and predictions, side by side.
void add_comparison(Page& page, const std::vector<Example>& examples) {
  page.section("Examples");
  page.paragraph("Left the target, right what the model predicts.");
  page.gallery();
  for (const Example& example : examples) {
    const std::string part = example.prediction.empty() ? "" : ": " + example.prediction;
    page.picture(
        draw::grid({{example.picture}, {example.predicted}},
                   {.columns = 2, .scale = 1, .margin = 4}),
        fmt::format("{}: {}; beside it the prediction{}", example.name, example.target, part),
        part.empty() ? example.target
                     : fmt::format("{}; right {}", example.target, example.prediction));
  }
  page.end_gallery();
}

void add_examples(Page& page, const Measured& measured) {
  if (!measured.compared.empty()) return add_comparison(page, measured.compared);
  if (!measured.worst.empty()) {
    page.section("Reconstructions");
    page.paragraph("Each input, and beside it what the net gives back.");
    page.heading("Largest errors");
    add_restored(page, measured.worst);
    page.heading("Others");
    add_restored(page, measured.typical);
  }
  if (measured.mistakes.empty() && measured.right.empty()) return;
  page.section("Examples");
  if (!measured.cam_layer.empty()) {
    page.paragraph(
        fmt::format("Beside each picture: Grad-CAM of the predicted class in {}. Bright "
                    "places speak for it.",
                    measured.cam_layer));
  }
  page.heading("Most confident mistakes");
  if (measured.mistakes.empty()) page.paragraph("There is none.");
  add_gallery(page, measured.mistakes, measured.cam_layer);
  page.heading("Most confident right predictions");
  add_gallery(page, measured.right, measured.cam_layer);
}

void add_insides(Page& page, Predictor& predictor, const Array* example) {
  page.section("Inside the model");
  try {
    const explain::Filters filters =
        explain::filters(predictor.model(), predictor.state(), predictor.input());
    page.heading("Filters");
    page.picture(
        explain::filters_picture(filters),
        fmt::format("The {} filters of the convolution {}", filters.values.dim(0), filters.layer),
        fmt::format("The first convolution, {}", filters.layer));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage) throw;
    page.note(error.headline());
  }
  if (example == nullptr) return;
  page.heading("Feature maps");
  if (is_pixel(example->dtype()) && example->shape().rank() == 4 &&
      (example->dim(3) == 1 || example->dim(3) == 3)) {
    page.picture(
        draw::scaled_to(to_8_bits(to_picture(example->reshaped(example->shape().slice(1)))), 112),
        "The first sample", "The first sample, as the net sees it");
  }
  const auto layers = explain::features(predictor, *example);
  bool first = true;
  for (const explain::FeatureMaps& layer : layers) {
    page.fold(fmt::format("{}: the strongest channels for the first sample", layer.layer), first);
    first = false;
    page.picture(explain::features_picture(layer, {.channels = 16, .by_strength = true}),
                 fmt::format("The 16 strongest channels of {}", layer.layer), {}, size_t{64} << 10);
    page.close();
  }
}

void add_environment(Page& page, const records::Environment& e) {
  page.section("Environment");
  page.facts({{"CPU", e.cpu},
              {"processors", std::to_string(e.processors)},
              {"threads", std::to_string(e.threads)},
              {"instruction set", e.instruction_set},
              {"memory", memory_text(e.memory_bytes)},
              {"system", e.system},
              {"Fovea", e.fovea},
              {"compiler", e.compiler}});
}

}  // namespace fovea::report
