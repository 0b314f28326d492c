#pragma once

#include <gtest/gtest.h>

#include "error_text.h"
#include "fovea/runtime/eval.h"
#include "fovea/tasks/task.h"

namespace fovea::tasks {

/// The task's metrics for these outputs and targets.
inline Measures measured(const Task& task, const std::vector<Array>& outputs,
                         const std::vector<Array>& targets) {
  Measures measures(metrics(task));
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto sums = eval(
        [&](const Tensors& t) {
          Tensors results;
          for (const Metric& metric : with_own(measures.metrics()))
            results.push_back((metric.rows ? metric.rows : metric.sum)(t[0], t[1]));
          return results;
        },
        {outputs[i], targets[i]});
    measures.add(sums, outputs[i].dim(0));
  }
  return measures;
}

inline double loss_of(const Task& task, const Array& output, const Array& target,
                      const LossOptions& options = {}) {
  return eval([&](const Tensors& t) { return Tensors{task.loss(t[0], t[1], options)}; },
              {output, target})[0]
      .item();
}

}  // namespace fovea::tasks
