#include "explain_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "fovea/draw/chart.h"

namespace fovea::cli {
namespace {

using explain::Curve;
using explain::Faithfulness;
using explain::Randomization;

double area(const Faithfulness& f, bool deletion, bool blur) {
  const Faithfulness::Baseline& b = blur ? f.blur : f.mean;
  return deletion ? b.deletion.area : b.insertion.area;
}

/// {"fractions": [...], "blur": [...], "mean": [...], "area": {"blur": ..., "mean": ...}}
Json curves_json(const Curve& blur, const Curve& mean) {
  return {{"fractions", blur.fractions},
          {"blur", blur.scores},
          {"mean", mean.scores},
          {"area", {{"blur", blur.area}, {"mean", mean.area}}}};
}

const Curve& blur_deletion(const Faithfulness& f) { return f.blur.deletion; }
const Curve& blur_insertion(const Faithfulness& f) { return f.blur.insertion; }
const Curve& mean_deletion(const Faithfulness& f) { return f.mean.deletion; }
const Curve& mean_insertion(const Faithfulness& f) { return f.mean.insertion; }
double drop(const Faithfulness& f) { return f.drop; }
double increase(const Faithfulness& f) { return f.increase ? 1 : 0; }

std::string verdict(const Randomization& r) {
  const std::optional<bool> passed = r.passed();
  if (!passed) return "not certain, needs more images";
  return *passed ? "follows the weights" : "hardly depends on the weights";
}

}  // namespace

double CheckTables::Row::mean(double (*value)(const Faithfulness&)) const {
  double total = 0;
  for (const Faithfulness& f : samples) total += value(f);
  return total / static_cast<double>(samples.size());
}

Curve CheckTables::Row::curve(const Curve& (*of)(const Faithfulness&)) const {
  Curve mean;
  for (const Faithfulness& f : samples) {
    const Curve& c = of(f);
    if (mean.fractions.empty()) {
      mean.fractions = c.fractions;
      mean.scores.resize(c.scores.size());
    }
    if (c.fractions != mean.fractions) continue;  // an input of another size
    for (size_t i = 0; i < c.scores.size(); ++i) mean.scores[i] += c.scores[i];
    mean.area += c.area;
  }
  const auto count = static_cast<double>(std::ranges::count_if(
      samples, [&](const Faithfulness& f) { return of(f).fractions == mean.fractions; }));
  for (double& score : mean.scores) score /= count;
  mean.area /= count;
  return mean;
}

/// All groups have the same random weights: errors do not cancel out.
Randomization CheckTables::Row::randomization() const {
  Randomization mean = randomized[0];
  for (Randomization::Step& step : mean.steps) step.similarity = step.spread = step.error = 0;
  double count = 0;
  for (const size_t size : sizes) count += static_cast<double>(size);
  for (size_t g = 0; g < randomized.size(); ++g) {
    const double share = static_cast<double>(sizes[g]) / count;
    mean.draws = std::min(mean.draws, randomized[g].draws);
    for (size_t i = 0; i < mean.steps.size(); ++i) {
      mean.steps[i].similarity += share * randomized[g].steps[i].similarity;
      mean.steps[i].spread += share * randomized[g].steps[i].spread;
      mean.steps[i].error += share * randomized[g].steps[i].error;
    }
  }
  return mean;
}

CheckTables::Row& CheckTables::row(const std::string& method) {
  const auto found = std::ranges::find(rows_, method, &Row::method);
  if (found != rows_.end()) return *found;
  rows_.push_back({.method = method});
  return rows_.back();
}

std::vector<const CheckTables::Row*> CheckTables::all() const {
  std::vector<const Row*> list;
  for (const Row& row : rows_) list.push_back(&row);
  list.push_back(&control_);
  return list;
}

void CheckTables::add(const std::string& text, const Chosen<explain::Method>& method,
                      const explain::Request& request, const explain::Explanation& explanation) {
  Row& to = row(text);
  const std::vector<Faithfulness> measured = explain::faithfulness(
      explainer_, request.inputs, explanation.classes, explanation.maps, request.seed);
  to.samples.insert(to.samples.end(), measured.begin(), measured.end());
  to.randomized.push_back(explain::randomization(explainer_, method, request, explanation));
  to.sizes.push_back(measured.size());
}

void CheckTables::add_control(const explain::Request& request, const explain::Explanation& like) {
  const Array noise =
      explain::random_maps(like.maps.shape(), request.seed + control_.samples.size());
  const std::vector<Faithfulness> measured =
      explain::faithfulness(explainer_, request.inputs, like.classes, noise, request.seed);
  control_.samples.insert(control_.samples.end(), measured.begin(), measured.end());
}

void CheckTables::describe(Json& document) const {
  size_t image = 0;
  for (Json& entry : document["images"]) {
    size_t m = 0;
    for (Json& map : entry["maps"]) {
      const Faithfulness& f = rows_[m++].samples[image];
      map["deletion"] = curves_json(f.blur.deletion, f.mean.deletion);
      map["insertion"] = curves_json(f.blur.insertion, f.mean.insertion);
      map["drop"] = f.drop;
      map["increase"] = f.increase;
    }
    ++image;
  }
  Json methods = Json::array();
  for (const Row* row : all()) {
    const Curve &bd = row->curve(blur_deletion), &md = row->curve(mean_deletion);
    const Curve &bi = row->curve(blur_insertion), &mi = row->curve(mean_insertion);
    Json entry{{"method", row->method},
               {"deletion", {{"blur", bd.area}, {"mean", md.area}}},
               {"insertion", {{"blur", bi.area}, {"mean", mi.area}}},
               {"average_drop", row->mean(drop)},
               {"increase", row->mean(increase)}};
    if (row != &control_) {
      const Randomization r = row->randomization();
      Json steps = Json::array();
      for (const Randomization::Step& step : r.steps) {
        steps.push_back({{"layers", step.layers},
                         {"last", step.last},
                         {"similarity", step.similarity},
                         {"spread", step.spread}});
      }
      const std::optional<bool> passed = r.passed();
      entry["randomization"] = {{"steps", steps},
                                {"draws", r.draws},
                                {"passed", passed ? Json(*passed) : Json(nullptr)},
                                {"verdict", verdict(r)}};
    }
    methods.push_back(std::move(entry));
  }
  document["check"] = {{"images", control_.samples.size()}, {"methods", methods}};
}

std::string CheckTables::text() const {
  const auto number = [](double value) { return fmt::format("{:.3f}", value); };
  const auto percent = [](double value) { return fmt::format("{:.1f} %", 100 * value); };
  std::vector<std::vector<std::string>> lines;
  int64_t fewest = std::numeric_limits<int64_t>::max(), most = 0;
  for (const Row* row : all()) {
    std::vector<std::string> line{row->method};
    for (const bool deletion : {true, false}) {
      for (const bool blur : {true, false}) {
        double total = 0;
        for (const Faithfulness& f : row->samples) total += area(f, deletion, blur);
        line.push_back(number(total / static_cast<double>(row->samples.size())));
      }
    }
    line.push_back(percent(row->mean(drop)));
    line.push_back(percent(row->mean(increase)));
    if (row == &control_) {
      line.insert(line.end(), {"", "", ""});
    } else {
      const Randomization r = row->randomization();
      for (const Randomization::Step* step : {&r.steps.front(), &r.steps.back()})
        line.push_back(fmt::format("{:.2f} +-{:.2f}", step->similarity, step->spread));
      line.push_back(verdict(r));
      fewest = std::min(fewest, r.draws), most = std::max(most, r.draws);
    }
    lines.push_back(std::move(line));
  }
  return table({"method", "deletion blur", "mean", "insertion blur", "mean", "drop", "increase",
                "head random", "all random", "the map"},
               lines, "lrrrrrrrrl") +
         fmt::format(
             "Areas under the class's probability, means over {}: deletion is good when small, "
             "insertion when large,\neach compared with a random map. Random: the similarity (rank "
             "correlation, -1 to 1) to the map\nwith random weights in the last layer, and in "
             "all: mean and deviation over {} draws of them.\n",
             control_.samples.size() == 1 ? "1 map"
                                          : fmt::format("{} maps", control_.samples.size()),
             fewest == most ? std::to_string(most) : fmt::format("{} to {}", fewest, most));
}

draw::Chart CheckTables::chart() const {
  const auto lines = [&](const Curve& (*of)(const Faithfulness&), const std::string& label) {
    draw::Lines panel{.x_label = label, .y_label = "probability", .x_range = draw::Range{0, 1}};
    for (const Row* row : all()) {
      const Curve mean = row->curve(of);
      panel.series.push_back({.name = row->method, .x = mean.fractions, .y = mean.scores});
      if (row != &control_) continue;
      panel.series.back().color = draw::faint;
      panel.series.back().dashed = true;
    }
    return panel;
  };
  draw::Lines similarity{.x_label = "layers with random weights, from the head",
                         .y_label = "rank correlation"};
  for (const Row& row : rows_) {
    draw::Series series{.name = row.method, .points = true};
    for (const Randomization::Step& step : row.randomization().steps) {
      series.x.push_back(static_cast<double>(step.layers));
      series.y.push_back(step.similarity);
    }
    similarity.series.push_back(series);
  }
  return {.panels = {{"deletion, blurred", lines(blur_deletion, "share removed")},
                     {"insertion, from blurred", lines(blur_insertion, "share shown")},
                     {"deletion, mean", lines(mean_deletion, "share removed")},
                     {"insertion, from mean", lines(mean_insertion, "share shown")},
                     {"similarity to the map before", similarity}}};
}

}  // namespace fovea::cli
