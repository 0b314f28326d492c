#include "augmented.h"

#include <algorithm>

#include "fovea/core/error.h"
#include "fovea/data/loader.h"
#include "fovea/data/pictures.h"
#include "fovea/data/prepared.h"
#include "fovea/ops.h"
#include "fovea/predict/inference.h"
#include "fovea/runtime/program.h"

namespace fovea::cli {
namespace {

constexpr int side_of_several_sizes = 112;  // if image sizes differ

/// The net input for these samples: images of a common size keep it.
Preprocessing preprocessing_of(const data::Dataset& dataset) {
  const Type type = dataset.typical_input().value_or(
      Type{DType::u8, {side_of_several_sizes, side_of_several_sizes, 3}});
  if (type.dtype != DType::u8 || (type.shape[2] != 1 && type.shape[2] != 3)) {
    throw Error(ErrorKind::usage, "the data set's inputs are not pictures")
        .with("inputs", to_string(type));
  }
  Preprocessing result;
  if (!dataset.typical_input() && data::is_boxes(dataset.targets().type))
    result.letterbox = letterbox_gray;  // as in training
  result.height = static_cast<int>(type.shape[0]);
  result.width = static_cast<int>(type.shape[1]);
  result.channels = static_cast<int>(type.shape[2]);
  result.mean.assign(static_cast<size_t>(type.shape[2]), 0.0);
  result.std.assign(static_cast<size_t>(type.shape[2]), 1.0);
  return result;
}

/// The inputs of a batch after mixing, as in that training step.
Array mixed(const data::Mixing& mixing, const data::Batch& batch, uint64_t seed, int64_t step) {
  const Shape& shape = batch.inputs.shape();
  const bool pixels = is_pixel(batch.inputs.dtype());
  const auto graph = Graph::make(Mode::eval);
  Tensor given = graph->input("inputs", {batch.inputs.dtype(), shape});
  if (pixels) {
    const std::vector<double> mean(static_cast<size_t>(shape[shape.rank() - 1]), 0),
        std(mean.size(), 1);
    given = normalized(given, {mean, std});
  }
  const Tensor targets = graph->input("targets", {batch.targets.dtype(), batch.targets.shape()});
  Tensor result = mixing.trace({given, targets}).inputs;
  if (pixels) {
    const Tensor bytes = minimum(maximum(result * 255 + 0.5, 0), 255);
    std::vector<int> axes{0};
    for (int axis = 2; axis < bytes.rank(); ++axis) axes.push_back(axis);
    axes.push_back(1);
    result = cast(permute(bytes, axes), DType::u8);
  }
  graph->output("inputs", result);
  const auto random = mixing.draw(given.shape(), seed, step);
  Inputs inputs{{"inputs", batch.inputs}, {"targets", batch.targets}};
  inputs.insert(inputs.end(), random.begin(), random.end());
  Memory memory;
  State none;
  return Program(*graph).run(memory, none, inputs)[0].clone();
}

/// A view of sample `i` of a batch, which must outlive it.
Array row(const Array& batch, int64_t i) {
  const Shape shape = batch.shape().slice(1);
  const size_t bytes = static_cast<size_t>(shape.numel()) * size_of(batch.dtype());
  return {batch.dtype(), shape,
          const_cast<std::byte*>(batch.raw()) + static_cast<size_t>(i) * bytes, nullptr};
}

}  // namespace

std::vector<Image> augmented(const std::shared_ptr<const data::Dataset>& samples,
                             const std::string& augment, uint64_t seed, int64_t epoch) {
  const auto modality = samples->modality();
  data::LoaderOptions options{.batch = samples->size(), .seed = seed};
  options.augment = data::Augmentation::parse(augment, data::Augmentation::standard(*samples));
  Type input;  // as the net takes it
  if (modality) {
    input = {DType::f32, data::net_shape(modality->input())};
  } else {
    Preprocessing preprocessing = preprocessing_of(*samples);
    if (options.augment.frames()) preprocessing.letterbox.reset();  // the frame is all there is
    options.resize = std::make_shared<data::Resize>(preprocessing);
    input = {DType::f32, {preprocessing.channels, preprocessing.height, preprocessing.width}};
  }
  const data::Mixing mixing(std::exchange(options.augment.batch, {}), input, samples->targets());
  data::Loader loader(samples, std::move(options));
  loader.start(epoch);
  const data::Batch loaded = *loader.next();
  const Array batch = mixed(mixing, loaded, seed, epoch);
  std::vector<Image> images;
  for (int64_t i = 0; i < batch.dim(0); ++i) {
    images.push_back(
        modality ? modality->picture(row(batch, i))
                 : data::sample_picture(row(batch, i), row(loaded.targets, i), samples->targets()));
  }
  return images;
}

}  // namespace fovea::cli
