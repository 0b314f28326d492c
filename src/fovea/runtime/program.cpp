#include "fovea/runtime/program.h"

#include <algorithm>

#include "fovea/core/parallel.h"
#include "fovea/runtime/compiled.h"
#include "fovea/runtime/nonfinite.h"

namespace fovea {

Program::Program(const Graph& traced, const CompileOptions& options) {
  PipelineOptions passes = options.passes;
  passes.threads = options.threads > 0 ? options.threads : fovea::threads();
  compiled_ = std::make_unique<Compiled>(compile(run_passes(traced, passes), passes.threads));
}

Program::~Program() = default;
Program::Program(Program&&) noexcept = default;
Program& Program::operator=(Program&&) noexcept = default;

std::vector<Array> Program::run(Memory& memory, State& state, const Inputs& inputs) const {
  return execute(*compiled_, memory, state, inputs);
}

std::string Program::first_nonfinite(Memory& memory, State& state, const Inputs& inputs) const {
  std::vector<std::pair<std::string, Array>> saved;
  for (const auto& [name, id] : compiled_->graph->updates())
    saved.emplace_back(name, state.get(name).clone());
  std::string found;
  const Memory::Kept& kept = memory.kept(compiled_->number);
  state.touch();  // what is derived from the State is checked too
  execute(*compiled_, memory, state, inputs, [&](size_t i) {
    for (int id : compiled_->steps[i].outputs) {
      const Type& type = compiled_->graph->value(id).type;
      const Array value(type.dtype, type.shape, kept.pointers[static_cast<size_t>(id)], nullptr);
      if (!found.empty() || nonfinite_in(value).empty()) continue;
      const StepInfo& info = compiled_->infos[i];
      found = info.scope.empty() ? info.op : info.scope + " (" + info.op + ")";
    }
  });
  for (const auto& [name, array] : saved) state.set(name, array);
  return found;
}

const Graph& Program::graph() const { return *compiled_->graph; }
const std::vector<StepInfo>& Program::steps() const { return compiled_->infos; }
const ArenaInfo& Program::arena() const { return compiled_->arena; }
int Program::threads() const { return compiled_->threads; }

std::vector<StepInfo> Program::reference_steps() const {
  std::vector<StepInfo> result;
  for (const StepInfo& info : compiled_->infos) {
    if (info.kernel == "reference") result.push_back(info);
  }
  return result;
}

}  // namespace fovea
