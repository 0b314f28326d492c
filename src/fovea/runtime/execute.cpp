#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "fovea/core/error.h"
#include "fovea/core/flush_to_zero.h"
#include "fovea/core/parallel.h"
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

/// Sets every value's pointer for this run.
void bind(const Compiled& c, Memory::Kept& kept, std::byte* base, State& state,
          const Inputs& inputs) {
  const Graph& graph = *c.graph;
  kept.pointers.resize(c.places.size());
  for (const auto& [name, id] : graph.updates())
    require_state(graph, state, name, graph.value(id).type);
  for (size_t id = 0; id < c.places.size(); ++id) {
    const Compiled::Place& place = c.places[id];
    const Value& value = graph.values()[id];
    switch (place.kind) {
      case Compiled::Place::arena:
        kept.pointers[id] = base + place.offset;
        break;
      case Compiled::Place::kept:
        kept.pointers[id] = kept.data.get() + place.offset;
        break;
      case Compiled::Place::state: {
        const std::string& name = c.state_names[static_cast<size_t>(place.index)];
        if (value.leaf == Leaf::state) require_state(graph, state, name, value.type);
        kept.pointers[id] = state.get(name).raw();
        break;
      }
      case Compiled::Place::constant:
        kept.pointers[id] = const_cast<std::byte*>(value.constant.raw());
        break;
      case Compiled::Place::input:
        kept.pointers[id] = const_cast<std::byte*>(
            given_input(inputs, c.input_names[static_cast<size_t>(place.index)],
                        graph.value(c.root(static_cast<int>(id))).type)
                .raw());
        break;
    }
  }
}

void run_step(const Compiled::Step& step, const Memory::Kept& kept, std::byte* base,
              bool pack_now) {
  constexpr size_t maximum = 64;
  const std::byte* in[maximum];
  std::byte* out[maximum];
  require(step.inputs.size() <= maximum && step.outputs.size() <= maximum,
          "a node has more than 64 inputs or outputs");
  for (size_t k = 0; k < step.inputs.size(); ++k)
    in[k] = kept.pointers[static_cast<size_t>(step.inputs[k])];
  for (size_t k = 0; k < step.outputs.size(); ++k)
    out[k] = kept.pointers[static_cast<size_t>(step.outputs[k])];
  const std::span<const std::byte* const> inputs(in, step.inputs.size());
  std::byte* packed = step.pack_kept ? kept.data.get() + step.packed : base + step.packed;
  if (step.pack_each_run || (step.pack_kept && pack_now)) step.kernel->pack(inputs, packed);
  step.kernel->run({.in = inputs,
                    .out = {out, step.outputs.size()},
                    .scratch = base + step.scratch,
                    .packed = packed});
}

}  // namespace

std::vector<Array> execute(const Compiled& c, Memory& memory, State& state, const Inputs& inputs,
                           const std::function<void(size_t)>& after) {
  TeamScope team(c.threads, c.openmp);
  FlushToZero flush;
  std::byte* base = memory.arena(c.arena.bytes);
  Memory::Kept& kept = memory.kept(c.number, c.arena.kept);
  bind(c, kept, base, state, inputs);

  const bool changed = kept.version != state.version();
  for (size_t i = changed ? 0 : c.prepared_steps; i < c.steps.size(); ++i) {
    run_step(c.steps[i], kept, base, changed);
    if (after) after(i);
  }
  kept.version = state.version();

  for (const Compiled::Snapshot& snapshot : c.snapshots) {
    std::byte*& data = kept.pointers[static_cast<size_t>(snapshot.value)];
    data = static_cast<std::byte*>(std::memcpy(base + snapshot.offset, data, snapshot.bytes));
  }
  for (const Compiled::Update& update : c.copied_updates) {
    Array& array = state.get(update.name);
    std::memcpy(array.raw(), kept.pointers[static_cast<size_t>(update.value)], array.bytes());
  }
  if (!c.graph->updates().empty()) state.touch();
  std::vector<Array> outputs;
  for (const auto& [name, id] : c.graph->outputs()) {
    const Type& type = c.graph->value(id).type;
    outputs.emplace_back(type.dtype, type.shape, kept.pointers[static_cast<size_t>(id)], nullptr);
  }
  return outputs;
}

}  // namespace fovea
