#include "bench_batch.h"

#include <fmt/format.h>

#include <memory>

#include "fovea/core/random.h"
#include "fovea/formats/npy.h"

namespace fovea::cli {
namespace {

BenchBatch synthetic(const models::Config& config, int64_t size) {
  const Type type = batch_type(config.input, size);
  data::Batch batch{.inputs = Array::zeros(type.dtype, type.shape),
                    .targets = Array(DType::i64, {size})};
  Random random(1, "bench");
  if (type.dtype == DType::u8) {
    for (uint8_t& value : batch.inputs.data<uint8_t>())
      value = static_cast<uint8_t>(random.below(256));
  } else {
    for (float& value : batch.inputs.data<float>()) value = static_cast<float>(random.normal());
  }
  for (int64_t& label : batch.targets.data<int64_t>())
    label = static_cast<int64_t>(random.below(static_cast<uint64_t>(config.outputs)));
  return {.samples = std::move(batch), .loss = any_loss};
}

/// `samples`, the contents of that flag's file, if they are of this type.
Array expect_type(Array samples, const Type& type, const std::string& flag,
                  const std::string& file) {
  const Type found{samples.dtype(), samples.shape()};
  if (found == type) return samples;
  throw Error(ErrorKind::usage, fmt::format("{}: the array of {} is of another type", flag, file))
      .with("expected", to_string(type))
      .with("found", to_string(found));
}

/// The first size of an array; 0 for a number.
int64_t count_of(const Array& samples) { return samples.shape().rank() == 0 ? 0 : samples.dim(0); }

}  // namespace

void BatchFlags::add(Command command, bool training) {
  command.text("--weights", weights,
               "Weights to begin with: .safetensors, or PyTorch's .pth and .pt; random by default",
               "FILE");
  if (!training) return;
  command.text(
      "--inputs", inputs,
      "A batch of one's own, as data sets have it: images u8 [N, H, W, C], all else float32 "
      "[N, C, ...]; synthetic by default",
      "FILE.npy");
  command.text("--targets", targets, "Its targets, as --task learns them", "FILE.npy");
  command.text("--task", task, "The task whose loss is computed, such as classify or detect", "T");
}

BenchBatch bench_batch(const BatchFlags& flags, const models::Config& config, int64_t size) {
  if (flags.inputs.empty() != flags.targets.empty() || flags.inputs.empty() != flags.task.empty()) {
    throw Error(ErrorKind::usage, "--inputs, --targets and --task belong together")
        .with("try", "all of them or none");
  }
  if (flags.inputs.empty()) return synthetic(config, size);
  Array inputs = read_npy(flags.inputs), targets = read_npy(flags.targets);
  const int64_t count = count_of(inputs);
  data::Targets meaning = tasks::targets_of_net(flags.task, config.outputs, {});
  if (data::is_boxes(meaning.type) && targets.shape().rank() == 3)
    meaning.capacity = targets.dim(1);
  const Type input = batch_type(config.input, count);
  const Type target = data::target_type(meaning, {input.dtype, input.shape.slice(1, input.rank())});
  const std::shared_ptr<const tasks::Task> task = tasks::make(flags.task, meaning);
  return {.samples = {.inputs = expect_type(std::move(inputs), input, "--inputs", flags.inputs),
                      .targets = expect_type(std::move(targets),
                                             {target.dtype, Shape{count}.concat(target.shape)},
                                             "--targets", flags.targets)},
          .loss = [task](const Tensor& output, const Tensor& given) {
            return task->loss(output, given, {});
          }};
}

}  // namespace fovea::cli
