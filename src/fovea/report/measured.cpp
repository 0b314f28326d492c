#include "fovea/report/measured.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "fovea/data/order.h"
#include "fovea/data/prepared.h"
#include "fovea/draw/heat.h"
#include "fovea/explain/methods.h"
#include "fovea/images/samples.h"
#include "fovea/tasks/classification.h"

namespace fovea::report {
namespace {

/// What a classifier said of one sample.
struct Verdict {
  int64_t index = 0, target = 0, prediction = 0;
  double probability = 0;
};

/// Of one batch: `decoded` holds a probability and a logit per class.
void add_verdicts(const EvaluatedBatch& batch, std::vector<Verdict>& verdicts) {
  const int64_t classes = batch.decoded.dim(1) / 2;
  for (int64_t i = 0; i < batch.decoded.dim(0); ++i) {
    Verdict v{.index = batch.first + i, .target = static_cast<int64_t>(batch.targets.at(i))};
    for (int64_t k = 0; k < classes; ++k) {
      const double p = batch.decoded.at(2 * i * classes + k);
      if (p <= v.probability) continue;
      v.probability = p;
      v.prediction = k;
    }
    verdicts.push_back(v);
  }
}

std::vector<CalibrationBin> calibration_of(const std::vector<Verdict>& verdicts) {
  constexpr size_t bins = 15;
  std::vector<CalibrationBin> all(bins);
  for (const Verdict& v : verdicts) {
    const auto i = std::min(static_cast<size_t>(v.probability * bins), bins - 1);
    ++all[i].count;
    all[i].confidence += v.probability;
    all[i].accuracy += v.target == v.prediction ? 1 : 0;
  }
  std::erase_if(all, [](const CalibrationBin& bin) { return bin.count == 0; });
  for (CalibrationBin& bin : all) {
    bin.confidence /= static_cast<double>(bin.count);
    bin.accuracy /= static_cast<double>(bin.count);
  }
  return all;
}

/// The most confident mistakes.
std::vector<Verdict> worst(std::vector<Verdict> verdicts, int64_t count) {
  std::erase_if(verdicts, [](const Verdict& v) { return v.target == v.prediction; });
  std::ranges::stable_sort(verdicts, std::greater(), &Verdict::probability);
  verdicts.resize(std::min(verdicts.size(), static_cast<size_t>(count)));
  return verdicts;
}

/// The most confident right verdict of each class, the most confident classes first.
std::vector<Verdict> best(const std::vector<Verdict>& verdicts, int64_t count) {
  std::map<int64_t, Verdict> of_class;
  for (const Verdict& v : verdicts) {
    if (v.target != v.prediction) continue;
    const auto [found, is_new] = of_class.try_emplace(v.target, v);
    if (!is_new && v.probability > found->second.probability) found->second = v;
  }
  std::vector<Verdict> chosen;
  for (const auto& [target, v] : of_class) chosen.push_back(v);
  std::ranges::stable_sort(chosen, std::greater(), &Verdict::probability);
  chosen.resize(std::min(chosen.size(), static_cast<size_t>(count)));
  return chosen;
}

std::string class_name(const Predictor& predictor, int64_t k) {
  return predictor.task().targets().names[static_cast<size_t>(k)];
}

/// The examples for these verdicts. What the net saw of several classes is not mixed: each map is
/// of the prediction.
std::vector<Example> examples_of(const std::vector<Verdict>& verdicts, Predictor& predictor,
                                 const data::Dataset& samples) {
  std::vector<Example> examples;
  for (const Verdict& v : verdicts) {
    examples.push_back({.name = samples.name(v.index),
                        .target = class_name(predictor, v.target),
                        .prediction = class_name(predictor, v.prediction),
                        .probability = v.probability,
                        .picture = to_rgb(to_8_bits(to_picture(samples.sample(v.index).input))),
                        .explained = {}});
  }
  return examples;
}

/// Adds the Grad-CAM of each prediction; returns the layer, or "" for a net without one.
std::string add_maps(const std::vector<Verdict>& verdicts, std::vector<Example>& examples,
                     explain::Explainer& explainer, const data::Dataset& samples) {
  std::string layer;
  const auto method = explain::choose_method("gradcam", explain::Family::cam);
  for (size_t i = 0; i < verdicts.size(); ++i) {
    const Array input = samples.sample(verdicts[i].index).input;
    const explain::Explanation found = explain::explain(
        explainer, method,
        {.inputs = explainer.normalized(input.reshaped(Shape{1}.concat(input.shape()))),
         .classes = {verdicts[i].prediction}});
    const Array maps = explain::scaled(found.maps);
    examples[i].explained =
        draw::overlay(examples[i].picture, maps.reshaped(maps.shape().slice(1)), {0, 1});
    layer = found.layer;
  }
  return layer;
}

bool shows_pictures(const data::Dataset& samples) {
  const std::optional<Type> input = samples.typical_input();
  return input && data::is_image(*input) && (input->shape[2] == 1 || input->shape[2] == 3);
}

}  // namespace

Measured measure(Predictor& predictor, std::shared_ptr<const data::Dataset> samples,
                 const std::string& split, const MeasureOptions& options) {
  Measured result{.split = split, .all = samples->size()};
  if (samples->size() > options.maximum) {
    std::vector<int64_t> order = data::permutation(samples->size(), 0, "report");
    order.resize(static_cast<size_t>(options.maximum));
    std::ranges::sort(order);
    samples = std::make_shared<data::Subset>(std::move(samples), std::move(order));
  }
  if (const auto& preprocessing = predictor.file().preprocessing)
    samples = data::prepared(samples, *preprocessing);
  const bool classifies = predictor.task().name() == tasks::Classification::id;
  std::vector<Verdict> verdicts;
  const tasks::Measures measures = predictor.evaluation().measure(
      samples, options.batch, options.progress, {}, [&](const EvaluatedBatch& batch) {
        if (classifies) add_verdicts(batch, verdicts);
      });
  result.count = measures.count();
  result.numbers = measures.numbers();
  result.tables = measures.tables();
  if (!classifies) return result;
  result.calibration = calibration_of(verdicts);
  if (!shows_pictures(*samples)) return result;
  const auto wrong = worst(verdicts, options.examples);
  const auto right = best(verdicts, options.examples / 2);
  result.mistakes = examples_of(wrong, predictor, *samples);
  result.right = examples_of(right, predictor, *samples);
  try {
    explain::Explainer explainer(predictor);
    result.cam_layer = add_maps(wrong, result.mistakes, explainer, *samples);
    const std::string layer = add_maps(right, result.right, explainer, *samples);
    if (result.cam_layer.empty()) result.cam_layer = layer;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage) throw;  // a net without positions has no such map
  }
  return result;
}

}  // namespace fovea::report
