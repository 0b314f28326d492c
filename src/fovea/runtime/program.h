#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/core/array.h"
#include "fovea/graph/graph.h"
#include "fovea/kernels/kernel.h"
#include "fovea/passes/pipeline.h"
#include "fovea/runtime/memory.h"
#include "fovea/runtime/state.h"

namespace fovea {

struct Compiled;

struct CompileOptions {
  PipelineOptions passes;
  int threads = 0;  ///< team size; 0: threads()
};

/// How one node runs, for `--explain-kernels` and profiles.
struct StepInfo {
  std::string scope, op, problem, kernel;
  std::vector<std::pair<std::string, std::string>> refused;
  double flops = 0, bytes = 0;  ///< bytes: of inputs and outputs
  bool prepared = false;        ///< runs only when the State has changed
  bool backward = false;        ///< part of the gradient of its scope's module
};

struct ArenaInfo {
  size_t bytes = 0;        ///< of the arena
  size_t lower_bound = 0;  ///< the largest sum of bytes live at once
  /// Bytes of packed and folded weights, which last from run to run; other Programs share them.
  size_t derived = 0;
};

/// Inputs of a run, by name.
using Inputs = std::vector<std::pair<std::string_view, Array>>;

/// A graph compiled for fixed shapes: a flat list of kernel calls with all offsets known.
/// Immutable; several threads may run it, each with its own Memory.
class Program {
 public:
  /// Runs the passes, chooses kernels, plans memory. Errors: usage from shapes; internal.
  Program(const Graph& traced, const CompileOptions& options = {});
  ~Program();
  Program(Program&&) noexcept;
  Program& operator=(Program&&) noexcept;

  /// Reads inputs and State, runs every step, replaces the State arrays that the graph updates, and
  /// returns the outputs in the graph's order. Outputs point into `memory` and are valid until its
  /// next use; clone those that should last. Allocates no tensor. Denormals are flushed to zero
  /// meanwhile. Each step is a Span of the timeline. Errors: usage when an input is missing or has
  /// a type other than the compiled one; whatever kernels throw (data: a label out of range).
  std::vector<Array> run(Memory& memory, State& state, const Inputs& inputs) const;

  /// Runs again on the same inputs and checks every value: returns the first step with a non-finite
  /// result, as "scope (op)"; empty when there is none. The State is left unchanged.
  std::string first_nonfinite(Memory& memory, State& state, const Inputs& inputs) const;

  const Graph& graph() const;
  const std::vector<StepInfo>& steps() const;
  const ArenaInfo& arena() const;
  int threads() const;
  /// Steps that run on the float64 reference: slow, worth a warning in training.
  std::vector<StepInfo> reference_steps() const;

 private:
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace fovea
