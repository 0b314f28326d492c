// Trains a net of the registry on recorded batches, and prints the loss of each, one per line; see
// ../curve.py.
//     recorded_steps MODEL WEIGHTS INPUTS.npy TARGETS.npy BATCH RATES.npy MOMENTUM WEIGHT_DECAY
// inputs f32[N, C, H, W], normalised; targets i64[N]; a rate for each batch.
#include <fovea/formats/npy.h>
#include <fovea/formats/weight_file.h>
#include <fovea/models/registry.h>
#include <fovea/optim/sgd.h>
#include <fovea/train/step.h>
#include <fovea/weights/fit.h>

#include <cstdio>
#include <cstring>
#include <string>

using namespace fovea;

/// Elements [first, first + count) along the first axis.
Array rows(const Array& all, int64_t first, int64_t count) {
  Shape shape = all.shape();
  const size_t bytes = all.bytes() / static_cast<size_t>(shape[0]);
  shape.set(0, count);
  Array part(all.dtype(), shape);
  std::memcpy(part.raw(), all.raw() + static_cast<size_t>(first) * bytes, part.bytes());
  return part;
}

int main(int argc, char** argv) {
  if (argc != 9) return 2;
  const auto model = models::make(argv[1]);
  const Array inputs = read_npy(argv[3]), targets = read_npy(argv[4]), rates = read_npy(argv[6]);
  const int64_t batch = std::stoll(argv[5]);
  State state;
  nn::declare(state, *model, 1);
  load_weights(*model, state, read_weights(argv[2]).tensors);
  const auto optimizer =
      optim::sgd({.momentum = std::stod(argv[7]), .weight_decay = std::stod(argv[8])});
  optimizer->declare(state);
  train::TrainStep step(*model, state, {});
  for (int64_t i = 0; i < rates.numel(); ++i) {
    const double loss =
        step.gradient(rows(inputs, i * batch, batch), rows(targets, i * batch, batch), i + 1).loss;
    optimizer->update(state, {.lr = rates.at(i)});
    std::printf("%.9g\n", loss);
  }
}
