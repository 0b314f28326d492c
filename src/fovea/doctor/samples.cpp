#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>

#include "fovea/core/parallel.h"
#include "fovea/doctor/check.h"
#include "fovea/images/likeness.h"
#include "fovea/images/samples.h"

namespace fovea::doctor {
namespace {

/// A sample as a short vector, of mean 0 and length 1.
std::vector<float> features(const Array& input) {
  constexpr int64_t most = 1024;
  std::vector<float> values;
  if (data::is_image({input.dtype(), input.shape()}) && input.dim(2) != 2) {
    const Likeness small = likeness(to_8_bits(to_picture(input)));
    values.assign(small.small.begin(), small.small.end());
  } else {
    const int64_t step = (input.numel() + most - 1) / most;
    for (int64_t i = 0; i < input.numel(); i += step)
      values.push_back(static_cast<float>(input.at(i)));
  }
  const float mean =
      std::accumulate(values.begin(), values.end(), 0.0F) / static_cast<float>(values.size());
  float squares = 0;
  for (float& value : values) {
    value -= mean;
    squares += value * value;
  }
  for (float& value : values) value /= std::sqrt(squares) + 1e-12F;
  return values;
}

}  // namespace

std::shared_ptr<const data::Dataset> some(const train::Setup& setup,
                                          std::shared_ptr<const data::Dataset> split,
                                          int64_t count) {
  const int64_t size = split->size();
  std::vector<int64_t> places;
  for (int64_t i = 0; i < std::min(count, size); ++i)
    places.push_back(i * size / std::min(count, size));
  return setup.prepared(std::make_shared<data::Subset>(std::move(split), std::move(places)));
}

data::Batch stacked(const data::Dataset& samples, int64_t first, int64_t count) {
  data::Batch batch;
  for (int64_t i = 0; i < count; ++i) {
    const data::Sample sample = samples.sample(first + i);
    if (i == 0) {
      batch.inputs = Array(sample.input.dtype(), Shape{count}.concat(sample.input.shape()));
      batch.targets = Array(sample.target.dtype(), Shape{count}.concat(sample.target.shape()));
    }
    const auto copy = [&](const Array& from, Array& to) {
      std::memcpy(to.raw() + static_cast<size_t>(i) * from.bytes(), from.raw(), from.bytes());
    };
    copy(sample.input, batch.inputs);
    copy(sample.target, batch.targets);
  }
  return batch;
}

train::StepOptions plain_step(const train::Setup& setup) {
  train::StepOptions options = setup.step_options(0);
  options.mixing = {};
  options.metrics = {};
  options.weighted = false;
  options.dtype = DType::f32;
  options.loss = [task = setup.task.get()](const Tensor& output, const Tensor& targets) {
    return task->loss(output, targets, {});
  };
  return options;
}

tasks::Numbers measured(Patient& patient, const std::shared_ptr<const data::Dataset>& samples) {
  return patient.experiment.learner()
      .evaluation()
      .measure(samples, train::evaluation_batch(patient.setup().settings.batch), nullptr,
               patient.stop)
      .numbers();
}

double deviations(double hits, double count, double chance) {
  return (hits - count * chance) / std::sqrt(std::max(1e-9, count * chance * (1 - chance)));
}

std::vector<int64_t> labels_of(const data::Dataset& samples) {
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < samples.size(); ++i)
    labels.push_back(static_cast<int64_t>(samples.target(i).at(0)));
  return labels;
}

double chance_of_equal(const std::vector<int64_t>& labels) {
  std::map<int64_t, double> counts;
  for (const int64_t label : labels) ++counts[label];
  double sum = 0;
  for (const auto& [label, count] : counts) sum += count * count;
  const auto n = static_cast<double>(labels.size());
  return sum / (n * n);
}

std::vector<size_t> nearest(const data::Dataset& samples, int64_t apart) {
  const int64_t n = samples.size();
  std::vector<std::vector<float>> all(static_cast<size_t>(n));
  parallel_for(n, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      all[static_cast<size_t>(i)] = features(samples.sample(i).input);
  });
  std::vector<size_t> found(static_cast<size_t>(n));
  parallel_for(n, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const std::vector<float>& own = all[static_cast<size_t>(i)];
      float best = -2;
      for (int64_t k = 0; k < n; ++k) {
        const std::vector<float>& other = all[static_cast<size_t>(k)];
        if (std::abs(i - k) <= apart || other.size() != own.size()) continue;
        const float closeness = std::inner_product(own.begin(), own.end(), other.begin(), 0.0F);
        if (closeness <= best) continue;
        best = closeness;
        found[static_cast<size_t>(i)] = static_cast<size_t>(k);
      }
    }
  });
  return found;
}

}  // namespace fovea::doctor
