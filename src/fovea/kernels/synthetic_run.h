#pragma once

#include <memory>
#include <vector>

#include "fovea/core/array.h"
#include "fovea/kernels/kernel.h"

namespace fovea {

/// A kernel with arrays of its own, to be measured: inputs have arbitrary positive numbers, so that
/// variances are valid, or zeros for integers, so that indices and labels are. The kernel must
/// outlive it. Errors: memory.
class SyntheticRun {
 public:
  SyntheticRun(const Kernel& kernel, const Types& in, const Types& out);
  SyntheticRun(const SyntheticRun&) = delete;
  SyntheticRun& operator=(const SyntheticRun&) = delete;

  /// Packs the weights, if the kernel does: once before the first run, or before each.
  void pack() const;
  /// Within a TeamScope of the kernel's threads.
  void operator()() const { kernel_.run(args_); }

 private:
  const Kernel& kernel_;
  std::vector<Array> in_, out_;
  std::vector<const std::byte*> inputs_;
  std::vector<std::byte*> outputs_;
  std::shared_ptr<std::byte> scratch_, packed_;
  Args args_;
};

}  // namespace fovea
