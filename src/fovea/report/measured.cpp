#include "fovea/report/measured.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <span>

#include "fovea/data/order.h"
#include "fovea/data/pictures.h"
#include "fovea/draw/grid.h"
#include "fovea/draw/heat.h"
#include "fovea/explain/methods.h"
#include "fovea/images/codec.h"
#include "fovea/images/resize.h"
#include "fovea/images/samples.h"
#include "fovea/tasks/classification.h"
#include "fovea/tasks/reconstruction.h"

namespace fovea::report {
namespace {

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

std::vector<Example> examples_of(const std::vector<Verdict>& verdicts, const Predictor& predictor,
                                 const data::Dataset& samples) {
  std::vector<Example> examples;
  for (const Verdict& v : verdicts) {
    examples.push_back(
        {.name = samples.name(v.index),
         .target = class_name(predictor, v.target),
         .prediction = class_name(predictor, v.prediction),
         .probability = v.probability,
         .picture = data::input_picture(samples.sample(v.index).input, samples.modality().get()),
         .explained = {},
         .predicted = {}});
  }
  return examples;
}

/// Targets and predictions of `count` samples, evenly spaced in the split; none if predictions have
/// no pictures.
std::vector<Example> compare(Predictor& predictor, const data::Dataset& samples, int64_t count,
                             const std::stop_token& stop) {
  constexpr int readable = 224;  // pixels, for the names of boxes
  std::vector<Example> examples;
  count = std::min(count, samples.size());
  for (int64_t k = 0; k < count && !stop.stop_requested(); ++k) {
    const int64_t i = (2 * k + 1) * samples.size() / (2 * count);
    const data::Sample sample = samples.sample(i);
    const auto made =
        predictor.predict(sample.input.reshaped(Shape{1}.concat(sample.input.shape())));
    const Image input = data::input_picture(sample.input, samples.modality().get());
    const Image target =
        draw::scaled_to(to_rgb(data::sample_picture(sample.input, sample.target, samples.targets(),
                                                    samples.modality().get())),
                        readable);
    // As high as the target's, whose size may be another multiple of the input's.
    const Image shown =
        resize(input, target.height, std::max(input.width * target.height / input.height, 1),
               Filter::bilinear);
    const InputPlace place{
        .area = {0, 0, static_cast<double>(shown.height), static_cast<double>(shown.width)},
        .height = input.height,
        .width = input.width,
        .picture_height = shown.height,
        .picture_width = shown.width};
    made[0]->place(place);
    const auto pictures =
        made[0]->pictures({.picture = shown, .place = place, .only_surest = true});
    if (pictures.empty()) break;
    const std::string& png = pictures.back().png;
    examples.push_back(
        {.name = samples.name(i),
         .target = data::target_text(sample.target, samples.targets()),
         .prediction = pictures.back().note,
         .picture = target,
         .explained = {},
         .predicted = to_rgb(decode_image(std::as_bytes(std::span(png)), "the prediction"))});
  }
  return examples;
}

/// Adds the Grad-CAM of each prediction, a batch at a time; returns the layer, or "" where there is
/// no example.
std::string add_maps(const std::vector<Verdict>& verdicts, std::vector<Example>& examples,
                     explain::Explainer& explainer, const data::Dataset& samples,
                     const std::stop_token& stop) {
  std::string layer;
  const auto method = explain::choose_method("gradcam", explain::Family::cam);
  for (size_t first = 0; first < verdicts.size() && !stop.stop_requested();
       first += explain::batch_size) {
    const size_t count = std::min(verdicts.size() - first, size_t{explain::batch_size});
    explain::Request request;
    Array together;
    for (size_t i = 0; i < count; ++i) {
      const Array input = samples.sample(verdicts[first + i].index).input;
      if (i == 0)
        together = Array(input.dtype(), Shape{static_cast<int64_t>(count)}.concat(input.shape()));
      std::memcpy(together.raw() + i * input.bytes(), input.raw(), input.bytes());
      request.classes.push_back(verdicts[first + i].prediction);
    }
    request.inputs = explainer.normalized(together);
    const explain::Explanation found = explain::explain(explainer, method, request);
    const Array maps = explain::scaled(found.maps);
    for (size_t i = 0; i < count; ++i) {
      const Array map = explain::rows(maps, static_cast<int64_t>(i), 1);
      const Array drawn = map.reshaped(map.shape().slice(1));
      Example& example = examples[first + i];
      if (const auto modality = samples.modality()) {
        example.explained =
            modality->picture(samples.sample(verdicts[first + i].index).input, &drawn);
      } else {
        example.explained = draw::overlay(example.picture, drawn, {0, 1});
      }
    }
    layer = found.layers[0];
  }
  return layer;
}

/// What the net gives back for these samples.
std::vector<Restored> restored(std::span<const std::pair<double, int64_t>> errors,
                               Predictor& predictor, const data::Dataset& samples) {
  const auto modality = samples.modality();
  std::vector<Restored> all;
  for (const auto& [error, index] : errors) {
    const Array input = samples.sample(index).input;
    const auto said = predictor.predict(input.reshaped(Shape{1}.concat(input.shape())));
    const auto& given = dynamic_cast<const tasks::ReconstructionPrediction&>(*said[0]);
    all.push_back({.name = samples.name(index),
                   .error = error,
                   .input = data::input_picture(input, modality.get()),
                   .reconstruction = modality ? modality->picture(given.reconstruction)
                                              : draw::input_image(given.reconstruction, {0, 1})});
  }
  return all;
}

bool shows_pictures(const data::Dataset& samples) {
  if (samples.modality()) return true;
  const std::optional<Type> input = samples.typical_input();
  return input && data::is_image(*input) && (input->shape[2] == 1 || input->shape[2] == 3);
}

}  // namespace

void Results::add(const EvaluatedBatch& batch, const tasks::Task& task) {
  if (task.learns_inputs()) {
    for (int64_t i = 0; i < batch.decoded.dim(0); ++i) {
      const auto said = task.predict(batch.decoded, i, 0);
      if (const auto* given = dynamic_cast<const tasks::ReconstructionPrediction*>(said.get()))
        errors.emplace_back(given->mse, batch.first + i);
    }
    return;
  }
  if (task.name() != tasks::Classification::id) return;
  const int64_t classes = batch.decoded.dim(1) / 2;  // a probability and a logit of each
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

Results evaluate(Predictor& predictor, std::shared_ptr<const data::Dataset> samples,
                 const std::string& split, const EvaluateOptions& options) {
  Results results{.split = split, .all = samples->size()};
  if (samples->size() > options.maximum) {
    std::vector<int64_t> order = data::permutation(samples->size(), 0, "report");
    order.resize(static_cast<size_t>(options.maximum));
    std::ranges::sort(order);
    samples = std::make_shared<data::Subset>(std::move(samples), std::move(order));
  }
  samples = predictor.prepared(std::move(samples));
  results.samples = samples;
  const tasks::Measures measures = predictor.evaluation().measure(
      samples, options.batch, options.progress, options.stop,
      [&](const EvaluatedBatch& batch) { results.add(batch, predictor.task()); });
  results.count = measures.count();
  results.numbers = measures.numbers();
  results.tables = measures.tables();
  return results;
}

Measured describe(Predictor& predictor, const Results& results, int64_t mistakes,
                  const std::stop_token& stop) {
  const data::Dataset& samples = *results.samples;
  Measured shown{.split = results.split,
                 .count = results.count,
                 .all = results.all,
                 .numbers = results.numbers,
                 .tables = results.tables,
                 .calibration = calibration_of(results.verdicts)};
  if (!shows_pictures(samples)) return shown;
  if (!results.errors.empty()) {
    auto errors = results.errors;
    const size_t few = std::min(errors.size(), static_cast<size_t>(mistakes / 2));
    shown.typical = restored(std::span(errors).first(few), predictor, samples);
    std::ranges::stable_sort(errors, std::greater());
    shown.worst = restored(std::span(errors).first(few), predictor, samples);
    return shown;
  }
  if (results.verdicts.empty()) {
    shown.compared = compare(predictor, samples, mistakes, stop);
    return shown;
  }
  const auto wrong = worst(results.verdicts, mistakes);
  const auto right = best(results.verdicts, mistakes / 2);
  shown.mistakes = examples_of(wrong, predictor, samples);
  shown.right = examples_of(right, predictor, samples);
  try {
    explain::Explainer explainer(predictor);
    shown.cam_layer = add_maps(wrong, shown.mistakes, explainer, samples, stop);
    const std::string layer = add_maps(right, shown.right, explainer, samples, stop);
    if (shown.cam_layer.empty()) shown.cam_layer = layer;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage) throw;  // a net without positions has no such map
  }
  return shown;
}

}  // namespace fovea::report
