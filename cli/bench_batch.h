#pragma once

#include <functional>
#include <string>

#include "commands.h"
#include "fovea/data/sample.h"
#include "model.h"

namespace fovea::cli {

/// The flags --weights, --inputs, --targets and --task: a batch of one's own, for a step that can
/// be compared with another program's.
struct BatchFlags {
  std::string weights, inputs, targets, task;

  void add(Command command, bool training);
};

/// What a step or an inference computes on.
struct BenchBatch {
  data::Batch samples;
  std::function<Tensor(const Tensor& output, const Tensor& targets)> loss;
};

/// The batch in the files that the flags name; without them `size` synthetic samples with labels,
/// and the loss of `any_loss`. Errors: usage where some of the flags are missing, or the model or
/// the task does not take what is in the files; data for files that cannot be read.
BenchBatch bench_batch(const BatchFlags& flags, const models::Config& config, int64_t size);

}  // namespace fovea::cli
