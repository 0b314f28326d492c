#include "fovea/records/batch_pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/data/order.h"
#include "fovea/data/pictures.h"
#include "fovea/draw/grid.h"
#include "fovea/images/codec.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/runtime/program.h"

namespace fovea::records {
namespace {

bool is_drawable(const Type& sample) {
  return data::is_image(sample) && (sample.shape[2] == 1 || sample.shape[2] == 3);
}

/// Sample `i` of stacked arrays.
Array row(const Array& stacked, int64_t i) {
  const Shape shape = stacked.shape().slice(1);
  const size_t bytes = static_cast<size_t>(shape.numel()) * size_of(stacked.dtype());
  Array one(stacked.dtype(), shape);
  std::copy_n(stacked.raw() + static_cast<size_t>(i) * bytes, bytes, one.raw());
  return one;
}

/// A normalised sample [C, spatial...] before its normalisation.
Array original(const Array& values, const Normalization& normalization) {
  Array result = values.clone();
  if (normalization.mean.empty()) return result;
  const int64_t each = values.numel() / values.dim(0);
  for (int64_t i = 0; i < values.numel(); ++i) {
    const auto c = static_cast<size_t>(i / each);
    result.set(i, values.at(i) * normalization.std[c] + normalization.mean[c]);
  }
  return result;
}

/// A normalised sample [C, H, W] as a picture.
Image picture(const Array& values, const Normalization& normalization) {
  const int64_t channels = values.dim(0), height = values.dim(1), width = values.dim(2);
  const Array shown = original(values, normalization);
  Image image =
      Image::black(static_cast<int>(height), static_cast<int>(width), static_cast<int>(channels));
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t i = 0; i < height * width; ++i) {
      const double value = shown.at(c * height * width + i);
      image.pixels[static_cast<size_t>(i * channels + c)] =
          static_cast<uint8_t>(std::lround(std::clamp(255 * value, 0.0, 255.0)));
    }
  }
  return image;
}

/// The batch after the transforms that are part of the training step.
data::Batch mixed(const train::Trainer& trainer) {
  const train::Setup& setup = trainer.setup();
  const data::Batch& batch = trainer.batch();
  const train::StepOptions options = setup.step_options(0);
  const auto graph = Graph::make(Mode::train);
  const data::BatchTensors result = options.mixing.trace(
      {normalized(graph->input("inputs", {batch.inputs.dtype(), batch.inputs.shape()}),
                  options.normalization),
       graph->input("targets", {batch.targets.dtype(), batch.targets.shape()})});
  graph->output("inputs", result.inputs);
  graph->output("targets", result.targets);
  Inputs inputs{{"inputs", batch.inputs}, {"targets", batch.targets}};
  const auto random =  // whose names the inputs refer to
      options.mixing.draw(result.inputs.shape(), options.seed, trainer.progress().updates);
  for (const auto& [name, numbers] : random) inputs.emplace_back(name, numbers);
  State state;
  Memory memory;
  const std::vector<Array> outputs = Program(*graph).run(memory, state, inputs);
  return {outputs[0].clone(), outputs[1].clone()};
}

void save(train::Trainer& trainer, const std::string& name, const std::vector<draw::Tile>& tiles) {
  const std::filesystem::path path = trainer.folder() / name;
  const Image grid = draw::grid(tiles, {.columns = 4});
  trainer.files().file(name, [path, grid] { encode_png(path, grid); });
}

}  // namespace

std::optional<BatchPictures> save_batch(train::Trainer& trainer) {
  const train::Setup& setup = trainer.setup();
  const data::Targets& targets = setup.sets.targets();
  data::Batch batch = trainer.batch();
  const int64_t number = trainer.progress().batch;
  const data::Modality* modality = setup.modality.get();
  if (modality == nullptr && !is_drawable({batch.inputs.dtype(), batch.inputs.shape().slice(1)}))
    return std::nullopt;
  const bool mixes = !setup.augmentation().batch.empty();
  if (mixes) batch = mixed(trainer);
  BatchPictures pictures{.fed = fmt::format("batch-{}.png", number),
                         .original = fmt::format("batch-{}-original.png", number),
                         .labels = {}};
  const std::vector<int64_t> order =
      data::SampleOrder(setup.split.train, data::parse_sampling(setup.settings.sampling),
                        static_cast<uint64_t>(setup.settings.seed))
          .epoch(0);
  const auto samples = setup.prepared(setup.split.train);
  const auto drawn = [&](const Array& input, const Array& target) {
    return data::sample_picture(input, target, targets, modality);
  };
  const auto drawn_mixed = [&](const Array& input) {
    const Normalization normalization = setup.normalization();
    return modality != nullptr ? modality->picture(original(input, normalization))
                               : picture(input, normalization);
  };
  std::vector<draw::Tile> fed, before;
  for (int64_t i = 0; i < std::min(kept_samples, trainer.batch().size()); ++i) {
    const Array input = row(batch.inputs, i);
    const Array target = row(batch.targets, i);
    pictures.labels.push_back(data::target_text(target, targets));
    fed.push_back({mixes ? drawn_mixed(input) : drawn(input, target), pictures.labels.back()});
    const int64_t index = order[static_cast<size_t>((number - 1) * setup.settings.batch + i)];
    const data::Sample sample = samples->sample(index);
    before.push_back(
        {drawn(sample.input, sample.target), data::target_text(sample.target, targets)});
  }
  save(trainer, pictures.fed, fed);
  save(trainer, pictures.original, before);
  return pictures;
}

}  // namespace fovea::records
