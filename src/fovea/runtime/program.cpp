#include "fovea/runtime/program.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <optional>

#include "fovea/core/error.h"
#include "fovea/core/flush_to_zero.h"
#include "fovea/core/parallel.h"
#include "fovea/passes/memory.h"
#include "fovea/runtime/nonfinite.h"

namespace fovea {
namespace {

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

uint64_t next_program_id() {
  static std::atomic<uint64_t> id{1};
  return id++;
}

/// Where in the model the State array `name` is read: "net.fc (src/net.cpp:12)"; or "".
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
  Error error(ErrorKind::usage, "program: the State has no array \"" + name + "\"");
  if (const std::string at = reader_of(graph, name); !at.empty()) error.with("at", at);
  return error.with("try", "nn::declare(state, model, seed) before the first run")
      .with("or",
            "name(at(\"name\"), ...) in the constructor of the module it is a part of: nn::declare "
            "does not know parts made with a Scope of their own");
}

void require_state(const Graph& graph, const State& state, const std::string& name,
                   const Type& expected) {
  if (!state.contains(name)) throw not_declared(graph, name);
  const Type& type = state.type(name);
  if (type.dtype == expected.dtype && type.shape == expected.shape) return;
  throw Error(ErrorKind::usage,
              "program: State array \"" + name + "\" has another type than was compiled for")
      .with("given", to_string(type))
      .with("expected", to_string(expected));
}

}  // namespace

struct Program::Impl {
  std::shared_ptr<Graph> graph;
  int threads = 1;
  uint64_t program_id = next_program_id();
  std::vector<Place> places;
  std::vector<Step> steps;
  std::vector<StepInfo> infos;
  size_t prepared_steps = 0;  ///< the first so many depend on the State alone
  size_t kept_bytes = 0;
  ArenaInfo arena;
  struct Update {
    std::string name;
    int value;
  };
  std::vector<Update>
      copied_updates;  ///< written to the arena first, since the graph also reads the old value
  struct Snapshot {
    int value;
    size_t bytes, offset;
  };
  std::vector<Snapshot> snapshots;  ///< results that no step makes: copied, so that they last
  std::vector<std::string> direct_updates;  ///< kernels write these State arrays themselves
  std::vector<std::string> state_names;     ///< of Place::index
  std::vector<std::string> input_names;

  void choose_kernels(const std::vector<bool>& prepared);
  void place_values(const std::vector<bool>& prepared);
  void plan(const std::vector<bool>& prepared_value);
  int state_index(const std::string& name);
  std::vector<bool> find_prepared() const;
  std::vector<Snapshot> find_snapshots() const;
  int root(int id) const;

  void bind(Memory::Kept& kept, std::byte* arena, State& state, const Inputs& inputs) const;
  void run_step(size_t i, const Memory::Kept& kept, std::byte* arena, bool pack_now) const;
  template <class After>
  std::vector<Array> run(Memory& memory, State& state, const Inputs& inputs,
                         const After& after) const;
};

/// Nodes that no input reaches: in eval graphs their results hold until the State changes. In
/// training it changes with every step, so nothing is kept.
std::vector<bool> Program::Impl::find_prepared() const {
  std::vector<bool> value(graph->values().size(), false),
      node_prepared(graph->nodes().size(), false);
  if (graph->mode() == Mode::train || !graph->updates().empty()) return node_prepared;
  for (size_t id = 0; id < value.size(); ++id) {
    const Leaf leaf = graph->values()[id].leaf;
    value[id] = leaf == Leaf::state || leaf == Leaf::constant;
  }
  for (size_t i = 0; i < graph->nodes().size(); ++i) {
    bool all = true;
    for (int id : graph->nodes()[i].inputs) all = all && value[static_cast<size_t>(id)];
    node_prepared[i] = all;
    for (int id : graph->nodes()[i].outputs) value[static_cast<size_t>(id)] = all;
  }
  return node_prepared;
}

/// The value whose bytes a chain of views shows.
int Program::Impl::root(int id) const {
  while (true) {
    const Value& value = graph->value(id);
    if (value.node < 0) return id;
    const Node& node = graph->node(value.node);
    if (!node.op.traits().view || value.slot != 0) return id;
    id = node.inputs[0];
  }
}

void Program::Impl::choose_kernels(const std::vector<bool>& prepared) {
  TeamScope team(threads);
  const auto emit = [&](size_t i) {
    const Node& node = graph->nodes()[i];
    if (node.op.traits().view) return;
    Problem problem{.op = node.op, .in = {}, .out = {}, .threads = threads};
    for (int id : node.inputs) problem.in.push_back(graph->value(id).type);
    for (int id : node.outputs) problem.out.push_back(graph->value(id).type);
    Choice choice = choose_kernel(problem);
    Step step;
    step.kernel = std::move(choice.kernel);
    step.inputs = node.inputs;
    step.outputs = node.outputs;
    steps.push_back(std::move(step));
    infos.push_back({.scope = node.scope,
                     .op = std::string(node.op.name()),
                     .problem = describe(problem),
                     .kernel = choice.name,
                     .refused = std::move(choice.refused),
                     .flops = node.op.flops(problem.in, problem.out),
                     .prepared = prepared[i]});
  };
  for (size_t i = 0; i < graph->nodes().size(); ++i) {
    if (prepared[i]) emit(i);
  }
  prepared_steps = steps.size();
  for (size_t i = 0; i < graph->nodes().size(); ++i) {
    if (!prepared[i]) emit(i);
  }
}

int Program::Impl::state_index(const std::string& name) {
  for (size_t i = 0; i < state_names.size(); ++i) {
    if (state_names[i] == name) return static_cast<int>(i);
  }
  state_names.push_back(name);
  return static_cast<int>(state_names.size()) - 1;
}

void Program::Impl::place_values(const std::vector<bool>& prepared) {
  const size_t count = graph->values().size();
  places.resize(count);
  std::vector<bool> prepared_value(count, false);
  for (size_t id = 0; id < count; ++id) {
    const Value& value = graph->values()[id];
    Place& place = places[id];
    switch (value.leaf) {
      case Leaf::input:
        place = {.kind = Place::input, .index = static_cast<int>(input_names.size())};
        input_names.push_back(value.name);
        break;
      case Leaf::state:
        place = {.kind = Place::state, .index = state_index(value.name)};
        break;
      case Leaf::constant:
        place = {.kind = Place::constant};
        break;
      case Leaf::none:
        prepared_value[id] = prepared[static_cast<size_t>(value.node)];
        break;
    }
  }
  // A State array that the graph does not read can be written in place.
  std::vector<int> writers(count, 0);
  for (const auto* list : {&graph->outputs(), &graph->updates()}) {
    for (const auto& [name, id] : *list) ++writers[static_cast<size_t>(root(id))];
  }
  for (const auto& [name, id] : graph->updates()) {
    bool read = false;
    for (const Value& value : graph->values())
      read = read || (value.leaf == Leaf::state && value.name == name);
    const int source = root(id);
    const bool fresh =
        graph->value(source).leaf == Leaf::none && writers[static_cast<size_t>(source)] == 1;
    if (!read && fresh && !prepared_value[static_cast<size_t>(source)]) {
      places[static_cast<size_t>(source)] = {.kind = Place::state, .index = state_index(name)};
      direct_updates.push_back(name);
    } else {
      copied_updates.push_back({name, id});
    }
  }
  plan(prepared_value);
  for (size_t id = 0; id < count; ++id)
    places[id] = places[static_cast<size_t>(root(static_cast<int>(id)))];
}

/// Outputs that are inputs, State arrays or constants, and updates with what another one replaces.
std::vector<Program::Impl::Snapshot> Program::Impl::find_snapshots() const {
  std::vector<Snapshot> result;
  const auto add = [&](int id) {
    result.push_back({.value = id, .bytes = graph->value(id).type.bytes(), .offset = 0});
  };
  for (const auto& [name, id] : graph->outputs()) {
    if (graph->value(root(id)).leaf != Leaf::none) add(id);
  }
  for (const auto& [name, id] : graph->updates()) {
    if (graph->value(root(id)).leaf == Leaf::state) add(id);
  }
  return result;
}

void Program::Impl::plan(const std::vector<bool>& prepared_value) {
  const int end = static_cast<int>(steps.size());
  std::vector<Block> blocks;
  std::vector<size_t*> targets;  // where each block's offset goes
  std::vector<int> block_of(graph->values().size(), -1);
  const auto keep = [this](size_t bytes) {
    const size_t offset = kept_bytes;
    kept_bytes += align_up(bytes);
    return offset;
  };

  for (int i = 0; i < end; ++i) {
    Step& step = steps[static_cast<size_t>(i)];
    for (int id : step.outputs) {
      Place& place = places[static_cast<size_t>(id)];
      if (place.kind != Place::arena) continue;
      const size_t bytes = graph->value(id).type.bytes();
      if (prepared_value[static_cast<size_t>(id)]) {
        place = {.kind = Place::kept, .offset = keep(bytes)};
      } else {
        block_of[static_cast<size_t>(id)] = static_cast<int>(blocks.size());
        blocks.push_back({.bytes = bytes, .first = i, .last = i});
        targets.push_back(&place.offset);
      }
    }
    for (int id : step.inputs) {
      const int block = block_of[static_cast<size_t>(root(id))];
      if (block >= 0) blocks[static_cast<size_t>(block)].last = i;
    }
    if (const size_t scratch = step.kernel->scratch_bytes(); scratch > 0) {
      blocks.push_back({.bytes = scratch, .first = i, .last = i});
      targets.push_back(&step.scratch);
    }
    if (const size_t packed = step.kernel->packed_bytes(); packed > 0) {
      bool constant = graph->mode() == Mode::eval && graph->updates().empty();
      for (int k : step.kernel->packed_inputs()) {
        const int id = root(step.inputs[static_cast<size_t>(k)]);
        const Leaf leaf = graph->value(id).leaf;
        constant = constant && (leaf == Leaf::state || leaf == Leaf::constant ||
                                prepared_value[static_cast<size_t>(id)]);
      }
      if (constant) {
        step.packed = keep(packed);
        step.pack_kept = true;
      } else {
        blocks.push_back({.bytes = packed, .first = i, .last = i});
        targets.push_back(&step.packed);
        step.pack_each_run = true;
      }
    }
  }
  for (const auto* list : {&graph->outputs(), &graph->updates()}) {
    for (const auto& [name, id] : *list) {
      const int block = block_of[static_cast<size_t>(root(id))];
      if (block >= 0) blocks[static_cast<size_t>(block)].last = end;
    }
  }
  snapshots = find_snapshots();
  for (Snapshot& snapshot : snapshots) {
    blocks.push_back({.bytes = snapshot.bytes, .first = end, .last = end});
    targets.push_back(&snapshot.offset);
  }
  const MemoryPlan memory = plan_memory(blocks);
  for (size_t i = 0; i < blocks.size(); ++i) *targets[i] = blocks[i].offset;
  arena = {.bytes = memory.bytes, .lower_bound = memory.lower_bound, .kept = kept_bytes};
}

void Program::Impl::bind(Memory::Kept& kept, std::byte* base, State& state,
                         const Inputs& inputs) const {
  kept.pointers.resize(places.size());
  for (const auto& [name, id] : graph->updates())
    require_state(*graph, state, name, graph->value(id).type);
  for (size_t id = 0; id < places.size(); ++id) {
    const Place& place = places[id];
    const Value& value = graph->values()[id];
    switch (place.kind) {
      case Place::arena:
        kept.pointers[id] = base + place.offset;
        break;
      case Place::kept:
        kept.pointers[id] = kept.data.get() + place.offset;
        break;
      case Place::state: {
        const std::string& name = state_names[static_cast<size_t>(place.index)];
        if (value.leaf == Leaf::state) require_state(*graph, state, name, value.type);
        kept.pointers[id] = state.get(name).raw();
        break;
      }
      case Place::constant:
        kept.pointers[id] = const_cast<std::byte*>(value.constant.raw());
        break;
      case Place::input: {
        const std::string& name = input_names[static_cast<size_t>(place.index)];
        const Array* given = nullptr;
        for (const auto& [key, array] : inputs) given = key == name ? &array : given;
        const Type& expected = graph->value(root(static_cast<int>(id))).type;
        if (given == nullptr)
          throw Error(ErrorKind::usage, "program: input \"" + name + "\" is not given");
        if (given->dtype() != expected.dtype || given->shape() != expected.shape) {
          throw Error(ErrorKind::usage,
                      "program: input \"" + name + "\" has another type than was compiled for")
              .with("given", describe(*given))
              .with("expected", to_string(expected))
              .with("try", "compile a Program for this shape");
        }
        kept.pointers[id] = const_cast<std::byte*>(given->raw());
        break;
      }
    }
  }
}

void Program::Impl::run_step(size_t i, const Memory::Kept& kept, std::byte* base,
                             bool pack_now) const {
  constexpr size_t most = 64;
  const Step& step = steps[i];
  const std::byte* in[most];
  std::byte* out[most];
  require(step.inputs.size() <= most && step.outputs.size() <= most,
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

/// after(i) is called behind each step.
template <class After>
std::vector<Array> Program::Impl::run(Memory& memory, State& state, const Inputs& inputs,
                                      const After& after) const {
  TeamScope team(threads);
  FlushToZero flush;
  std::byte* base = memory.arena(arena.bytes);
  Memory::Kept& kept = memory.kept(program_id, kept_bytes);
  bind(kept, base, state, inputs);

  const bool changed = kept.version != state.version();
  for (size_t i = changed ? 0 : prepared_steps; i < steps.size(); ++i) {
    run_step(i, kept, base, changed);
    after(i);
  }
  kept.version = state.version();

  for (const Snapshot& snapshot : snapshots) {
    std::byte*& data = kept.pointers[static_cast<size_t>(snapshot.value)];
    data = static_cast<std::byte*>(std::memcpy(base + snapshot.offset, data, snapshot.bytes));
  }
  for (const Update& update : copied_updates) {
    Array& array = state.get(update.name);
    std::memcpy(array.raw(), kept.pointers[static_cast<size_t>(update.value)], array.bytes());
  }
  if (!graph->updates().empty()) state.touch();
  std::vector<Array> outputs;
  for (const auto& [name, id] : graph->outputs()) {
    const Type& type = graph->value(id).type;
    outputs.emplace_back(type.dtype, type.shape, kept.pointers[static_cast<size_t>(id)], nullptr);
  }
  return outputs;
}

Program::Program(const Graph& traced, const CompileOptions& options)
    : impl_(std::make_unique<Impl>()) {
  impl_->graph = run_passes(traced, options.passes);
  impl_->threads = options.threads > 0 ? options.threads : fovea::threads();
  const std::vector<bool> prepared = impl_->find_prepared();
  impl_->choose_kernels(prepared);
  impl_->place_values(prepared);
}

Program::~Program() = default;
Program::Program(Program&&) noexcept = default;
Program& Program::operator=(Program&&) noexcept = default;

std::vector<Array> Program::run(Memory& memory, State& state, const Inputs& inputs) const {
  return impl_->run(memory, state, inputs, [](size_t) {});
}

std::vector<Array> Program::run_profiled(Memory& memory, State& state, const Inputs& inputs,
                                         std::vector<double>& seconds) const {
  using Clock = std::chrono::steady_clock;
  seconds.resize(impl_->steps.size());
  Clock::time_point last = Clock::now();
  return impl_->run(memory, state, inputs, [&](size_t i) {
    const Clock::time_point now = Clock::now();
    seconds[i] += std::chrono::duration<double>(now - last).count();
    last = now;
  });
}

std::string Program::first_nonfinite(Memory& memory, State& state, const Inputs& inputs) const {
  std::vector<std::pair<std::string, Array>> saved;
  for (const auto& [name, id] : impl_->graph->updates())
    saved.emplace_back(name, state.get(name).clone());
  std::string found;
  Memory::Kept& kept = memory.kept(impl_->program_id, impl_->kept_bytes);
  kept.version = 0;  // what is prepared for the State is looked at too
  impl_->run(memory, state, inputs, [&](size_t i) {
    for (int id : impl_->steps[i].outputs) {
      const Type& type = impl_->graph->value(id).type;
      const Array value(type.dtype, type.shape, kept.pointers[static_cast<size_t>(id)], nullptr);
      if (!found.empty() || nonfinite_in(value).empty()) continue;
      const StepInfo& info = impl_->infos[i];
      found = info.scope.empty() ? info.op : info.scope + " (" + info.op + ")";
    }
  });
  for (const auto& [name, array] : saved) state.set(name, array);
  return found;
}

const Graph& Program::graph() const { return *impl_->graph; }
const std::vector<StepInfo>& Program::steps() const { return impl_->infos; }
const ArenaInfo& Program::arena() const { return impl_->arena; }
int Program::threads() const { return impl_->threads; }

std::vector<StepInfo> Program::reference_steps() const {
  std::vector<StepInfo> result;
  for (const StepInfo& info : impl_->infos) {
    if (info.kernel == "reference") result.push_back(info);
  }
  return result;
}

std::vector<Array> eval(const std::function<Tensors(const Tensors&)>& f,
                        const std::vector<Array>& arrays) {
  DType dtype = DType::f32;
  for (const Array& array : arrays) dtype = array.dtype() == DType::f64 ? DType::f64 : dtype;
  const std::shared_ptr<Graph> graph = Graph::make(Mode::eval, dtype);
  Tensors tensors;
  std::vector<std::string> names;
  for (size_t i = 0; i < arrays.size(); ++i) {
    names.push_back("input" + std::to_string(i));
    tensors.push_back(graph->input(names.back(), {arrays[i].dtype(), arrays[i].shape()}));
  }
  const Tensors results = f(tensors);
  for (size_t i = 0; i < results.size(); ++i)
    graph->output("output" + std::to_string(i), results[i]);

  Inputs inputs;
  for (size_t i = 0; i < arrays.size(); ++i) inputs.emplace_back(names[i], arrays[i]);
  State state;
  Memory memory;
  std::vector<Array> outputs = Program(*graph).run(memory, state, inputs);
  for (Array& array : outputs) array = array.clone();
  return outputs;
}

}  // namespace fovea
