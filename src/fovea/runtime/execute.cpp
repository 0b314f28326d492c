#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "fovea/core/error.h"
#include "fovea/core/flush_to_zero.h"
#include "fovea/core/parallel.h"
#include "fovea/core/spread.h"
#include "fovea/core/timeline.h"
#include "fovea/runtime/compiled.h"

namespace fovea {
namespace {

/// Where the model reads the State array `name`: "net.fc (src/net.cpp:12)"; or "".
std::string reader_of(const Graph& graph, const std::string& name) {
  for (const Node& node : graph.nodes()) {
    for (int id : node.inputs) {
      const Value& value = graph.value(id);
      if (value.leaf == Leaf::state && value.name == name) return graph.location(node);
    }
  }
  return "";
}

Error not_declared(const Graph& graph, const std::string& name) {
  return Error(ErrorKind::usage, fmt::format("program: the State has no array \"{}\"", name))
      .at(reader_of(graph, name))
      .with("try", "nn::declare(state, model, seed) before the first run")
      .with(
          "or",
          "name(at(\"name\"), ...) in the constructor of the module that contains it: nn::declare "
          "does not know parts with a Scope of their own");
}

void require_state(const Graph& graph, const State& state, const std::string& name,
                   const Type& expected) {
  if (!state.contains(name)) throw not_declared(graph, name);
  const Type& type = state.type(name);
  if (type.dtype == expected.dtype && type.shape == expected.shape) return;
  throw Error(
      ErrorKind::usage,
      fmt::format("program: State array \"{}\" has a type other than the compiled one", name))
      .with("given", to_string(type))
      .with("expected", to_string(expected));
}

/// The input of that name. Errors: usage when it is missing or has another type.
const Array& given_input(const Inputs& inputs, const std::string& name, const Type& expected) {
  const auto given = std::ranges::find(inputs, name, &Inputs::value_type::first);
  if (given == inputs.end())
    throw Error(ErrorKind::usage, fmt::format("program: input \"{}\" is not given", name));
  const Array& array = given->second;
  if (array.dtype() == expected.dtype && array.shape() == expected.shape) return array;
  throw Error(ErrorKind::usage,
              fmt::format("program: input \"{}\" has a type other than the compiled one", name))
      .with("given", describe(array))
      .with("expected", to_string(expected))
      .with("try", "compile a Program for this shape");
}

/// Sets the pointers of values that may be elsewhere in each run.
void bind_run(const Compiled& c, Memory::Kept& kept, std::byte* base, const Inputs& inputs) {
  const Graph& graph = *c.graph;
  for (size_t id = 0; id < c.places.size(); ++id) {
    const Compiled::Place& place = c.places[id];
    if (place.kind == Compiled::Place::arena) {
      kept.pointers[id] = base + place.offset;
    } else if (place.kind == Compiled::Place::input) {
      const Array& input = given_input(inputs, c.input_names[static_cast<size_t>(place.index)],
                                       graph.value(c.root(static_cast<int>(id))).type);
      kept.pointers[id] = const_cast<std::byte*>(input.raw());
    }
  }
}

/// Sets the pointers of values that stay where they are while the State does not change.
void bind_state(const Compiled& c, Memory::Kept& kept, State& state) {
  const Graph& graph = *c.graph;
  kept.pointers.resize(c.places.size());
  for (const auto& [name, id] : graph.updates())
    require_state(graph, state, name, graph.value(id).type);
  for (size_t id = 0; id < c.places.size(); ++id) {
    const Compiled::Place& place = c.places[id];
    const Value& value = graph.values()[id];
    switch (place.kind) {
      case Compiled::Place::derived:
        kept.pointers[id] = kept.derived[static_cast<size_t>(place.index)]->data.get();
        break;
      case Compiled::Place::state: {
        const std::string& name = c.state_names[static_cast<size_t>(place.index)];
        if (value.leaf == Leaf::state) require_state(graph, state, name, value.type);
        kept.pointers[id] = state.get(name).raw();
        break;
      }
      case Compiled::Place::constant:
        kept.pointers[id] = const_cast<std::byte*>(graph.value(place.index).constant.raw());
        break;
      case Compiled::Place::arena:
      case Compiled::Place::input:
        break;
    }
  }
}

/// Calls body with the pointers of a step's inputs and outputs.
template <class Body>
void with_pointers(const Compiled::Step& step, const Memory::Kept& kept, const Body& body) {
  constexpr size_t maximum = 64;
  const std::byte* in[maximum];
  std::byte* out[maximum];
  require(step.inputs.size() <= maximum && step.outputs.size() <= maximum,
          "a node has more than 64 inputs or outputs");
  for (size_t k = 0; k < step.inputs.size(); ++k)
    in[k] = kept.pointers[static_cast<size_t>(step.inputs[k])];
  for (size_t k = 0; k < step.outputs.size(); ++k)
    out[k] = kept.pointers[static_cast<size_t>(step.outputs[k])];
  body(std::span<const std::byte* const>(in, step.inputs.size()),
       std::span<std::byte* const>(out, step.outputs.size()));
}

/// Where a step's packed weights are.
std::byte* packed_of(const Compiled::Step& step, const Memory::Kept& kept, std::byte* base) {
  if (step.packed_once < 0) return base + step.packed;
  return kept.derived[static_cast<size_t>(step.packed_once)]->data.get();
}

KernelWork work_of(const StepInfo& info) {
  return {.op = info.op,
          .kernel = info.kernel,
          .module = info.scope,
          .problem = info.problem,
          .backward = info.backward,
          .flops = info.flops,
          .bytes = info.bytes};
}

/// Step `i`, as a Span of the timeline.
void run_step(const Compiled& c, size_t i, const Memory::Kept& kept, std::byte* base) {
  std::optional<Span> span;
  if (recording_timeline()) span.emplace(work_of(c.infos[i]));
  const Compiled::Step& step = c.steps[i];
  with_pointers(step, kept, [&](auto inputs, auto outputs) {
    std::byte* packed = packed_of(step, kept, base);
    if (step.pack_each_run) step.kernel->pack(inputs, packed);
    step.kernel->run(
        {.in = inputs, .out = outputs, .scratch = base + step.scratch, .packed = packed});
  });
}

std::vector<uint64_t> versions_of(const Compiled::Derived& derived, const State& state) {
  std::vector<uint64_t> versions{1};  // of constants
  for (const std::string& name : derived.names) versions.push_back(state.version(name));
  return versions;
}

/// Computes the derived data that are not up to date.
void prepare(const Compiled& c, Memory::Kept& kept, std::byte* base, State& state,
             const std::function<void(size_t)>& after) {
  std::vector<bool> stale;
  for (size_t i = 0; i < c.derived.size(); ++i)
    stale.push_back(kept.derived[i]->versions != versions_of(c.derived[i], state));
  for (const auto& [index, pack, of] : c.preparations) {
    if (std::ranges::none_of(of, [&](int i) { return stale[static_cast<size_t>(i)]; })) continue;
    const Compiled::Step& step = c.steps[index];
    if (pack) {
      with_pointers(step, kept, [&](auto inputs, auto) {
        step.kernel->pack(inputs, packed_of(step, kept, base));
      });
    } else {
      run_step(c, index, kept, base);
      if (after) after(index);
    }
  }
  for (size_t i = 0; i < c.derived.size(); ++i)
    kept.derived[i]->versions = versions_of(c.derived[i], state);
}

/// Runs that take less end before it matters where the system puts their threads; and what runs on
/// one thread only, as small nets do, had better be free to go anywhere.
constexpr std::chrono::milliseconds worth_spreading(20);

}  // namespace

std::vector<Array> execute(const Compiled& c, Memory& memory, State& state, const Inputs& inputs,
                           const std::function<void(size_t)>& after) {
  TeamScope team(c.threads, c.openmp);
  Memory::Kept& kept = memory.kept(c.number);
  const SpreadTeam spread(kept.last_run > worth_spreading);
  const auto start = std::chrono::steady_clock::now();
  FlushToZero flush;
  std::byte* base = memory.arena(c.arena.bytes);
  if (kept.version != state.version()) {
    const std::lock_guard lock(state.deriving());
    kept.version = 0;
    std::vector<std::shared_ptr<State::Derived>> derived;  // before those of the last run end
    for (const auto& [key, bytes, names] : c.derived) derived.push_back(state.derived(key, bytes));
    kept.derived = std::move(derived);
    bind_state(c, kept, state);
    bind_run(c, kept, base, inputs);
    prepare(c, kept, base, state, after);
    kept.version = state.version();
  } else {
    bind_run(c, kept, base, inputs);
  }
  for (size_t i = c.prepared_steps; i < c.steps.size(); ++i) {
    run_step(c, i, kept, base);
    if (after) after(i);
  }

  // The kept pointers still lead to the values themselves: the next run reads those.
  std::vector<std::pair<int, std::byte*>> snapshots;
  for (const auto& [value, bytes, offset] : c.snapshots) {
    std::byte* copy = base + offset;
    std::memcpy(copy, kept.pointers[static_cast<size_t>(value)], bytes);
    snapshots.emplace_back(value, copy);
  }
  const auto result_at = [&](int value) {
    for (const auto& [copied, copy] : snapshots) {
      if (copied == value) return copy;
    }
    return kept.pointers[static_cast<size_t>(value)];
  };
  for (const Compiled::Update& update : c.copied_updates) {
    Array& array = state.get(update.name);
    std::memcpy(array.raw(), result_at(update.value), array.bytes());
  }
  for (const auto& [name, id] : c.graph->updates()) state.touch(name);
  std::vector<Array> outputs;
  for (const auto& [name, id] : c.graph->outputs()) {
    const Type& type = c.graph->value(id).type;
    outputs.emplace_back(type.dtype, type.shape, result_at(id), nullptr);
  }
  kept.last_run = std::chrono::steady_clock::now() - start;
  return outputs;
}

}  // namespace fovea
