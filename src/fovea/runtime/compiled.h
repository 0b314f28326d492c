#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fovea/runtime/program.h"

// What a Program is inside: `compile` (compiled.cpp) makes it, `execute` (execute.cpp) runs it.
namespace fovea {

/// A graph with all choices made: which kernel runs each node, and where each value's bytes are.
struct Compiled {
  /// Where a value's bytes are when the Program runs.
  struct Place {
    enum Kind : uint8_t { arena, kept, state, input, constant } kind = arena;
    size_t offset = 0;  ///< in the arena or in what is kept
    int index = 0;      ///< of the State array or input
  };

  struct Step {
    std::unique_ptr<Kernel> kernel;
    std::vector<int> inputs, outputs;
    size_t scratch = 0;  ///< arena offset
    size_t packed = 0;   ///< offset in the arena, or in what is kept
    bool pack_each_run = false;
    bool pack_kept = false;
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
  uint64_t number = 0;  ///< of this one among all of the process: a Memory keeps bytes for each
  std::vector<Place> places;
  std::vector<Step> steps;
  std::vector<StepInfo> infos;
  size_t prepared_steps = 0;  ///< the first so many depend on the State alone
  ArenaInfo arena;
  /// Written to the arena first, since the old value is still needed.
  std::vector<Update> copied_updates;
  std::vector<Snapshot> snapshots;       ///< results that no step makes: copied, so that they last
  std::vector<std::string> state_names;  ///< of Place::index
  std::vector<std::string> input_names;

  /// The value whose bytes a chain of views shows.
  int root(int value) const;
};

/// Picks the kernels of a graph that the passes have been over, and plans its memory.
Compiled compile(std::shared_ptr<Graph> graph, int threads);

/// Runs it: see Program::run. `after`, if any, is called after each step with its number.
std::vector<Array> execute(const Compiled& compiled, Memory& memory, State& state,
                           const Inputs& inputs,
                           const std::function<void(size_t step)>& after = nullptr);

}  // namespace fovea
