#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fovea/runtime/program.h"

// The inside of a Program: `compile` (compiled.cpp) makes it, `execute` (execute.cpp) runs it.
namespace fovea {

/// A graph with all choices made: the kernel of each node, and where each value's bytes are.
struct Compiled {
  /// Where a value's bytes are when the Program runs.
  struct Place {
    enum Kind : uint8_t { arena, derived, state, input, constant } kind = arena;
    size_t offset = 0;  ///< in the arena
    int index = 0;      ///< in `derived`, or of the State array, input or constant
  };

  struct Step {
    std::unique_ptr<Kernel> kernel;
    std::vector<int> inputs, outputs;
    size_t scratch = 0;  ///< arena offset
    size_t packed = 0;   ///< arena offset, if it packs in each run
    bool pack_each_run = false;
    int packed_once = -1;  ///< else: in `derived`
  };

  /// Data that depend on State arrays alone, and are computed again when one of them changes.
  struct Derived {
    std::string key;  ///< of the same data in any Program
    size_t bytes;
    std::vector<std::string> names;  ///< of the arrays
  };

  /// What computes them: runs a step, or packs what one needs.
  struct Preparation {
    size_t step;
    bool pack;
    std::vector<int> of;  ///< indices in `derived`: it is needed for these
  };

  struct Update {
    std::string name;
    int value;
  };

  struct Snapshot {
    int value;
    size_t bytes, offset;
  };

  std::shared_ptr<Graph> graph;
  int threads = 1;
  bool openmp = false;  ///< some kernel uses OpenMP's threads
  uint64_t number = 0;  ///< unique within the process: a Memory keeps bytes for each
  std::vector<Place> places;
  std::vector<Step> steps;
  std::vector<StepInfo> infos;
  size_t prepared_steps = 0;  ///< this many first steps depend only on the State
  std::vector<Derived> derived;
  std::vector<Preparation> preparations;  ///< in the order to run them
  ArenaInfo arena;
  /// Written to the arena first because the old value is still needed.
  std::vector<Update> copied_updates;
  std::vector<Snapshot> snapshots;  ///< results that no step computes: copied, so that they last
  std::vector<std::string> state_names;  ///< of Place::index
  std::vector<std::string> input_names;

  /// The value whose bytes a chain of views shares.
  int root(int value) const;
};

/// Chooses kernels for a graph after all passes, and plans its memory.
Compiled compile(std::shared_ptr<Graph> graph, int threads);

/// Runs it: see Program::run. `after`, if any, is called after each step with the step's index.
std::vector<Array> execute(const Compiled& compiled, Memory& memory, State& state,
                           const Inputs& inputs,
                           const std::function<void(size_t step)>& after = nullptr);

}  // namespace fovea
