#include "fovea/runtime/compiled.h"

#include <algorithm>
#include <atomic>
#include <map>

#include "fovea/core/parallel.h"
#include "fovea/passes/memory.h"

namespace fovea {
namespace {

using Place = Compiled::Place;
using Step = Compiled::Step;
using Snapshot = Compiled::Snapshot;

uint64_t next_number() {
  static std::atomic<uint64_t> next{1};
  return next++;
}

/// Nodes that no input reaches: in eval graphs their results are valid until the State changes. In
/// training it changes in every step, so nothing is kept.
std::vector<bool> find_prepared(const Graph& graph) {
  std::vector<bool> value(graph.values().size(), false), node_prepared(graph.nodes().size(), false);
  if (graph.mode() == Mode::train || !graph.updates().empty()) return node_prepared;
  for (size_t id = 0; id < value.size(); ++id) {
    const Leaf leaf = graph.values()[id].leaf;
    value[id] = leaf == Leaf::state || leaf == Leaf::constant;
  }
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    bool all = true;
    for (int id : graph.nodes()[i].inputs) all = all && value[static_cast<size_t>(id)];
    node_prepared[i] = all;
    for (int id : graph.nodes()[i].outputs) value[static_cast<size_t>(id)] = all;
  }
  return node_prepared;
}

/// Fills in a Compiled, one aspect after another.
class Compiler {
 public:
  explicit Compiler(Compiled& into)
      : c_(into), graph_(*into.graph), prepared_(find_prepared(*into.graph)) {}

  void choose_kernels();
  void place_values();

 private:
  int state_index(const std::string& name);
  void place_leaves();
  void place_updates();
  std::vector<bool> find_replaceable() const;
  void plan_memory();
  bool is_prepared(int value) const;
  bool packs_once(const Step& step) const;
  void find_snapshots();
  size_t keep(size_t bytes);

  Compiled& c_;
  const Graph& graph_;
  std::vector<bool> prepared_;  ///< of nodes
};

void Compiler::choose_kernels() {
  TeamScope team(c_.threads);
  const auto emit = [&](size_t i) {
    const Node& node = graph_.nodes()[i];
    if (node.op.traits().view) return;
    Problem problem{.op = node.op, .in = {}, .out = {}, .threads = c_.threads};
    for (int id : node.inputs) problem.in.push_back(graph_.value(id).type);
    for (int id : node.outputs) problem.out.push_back(graph_.value(id).type);
    KernelChoice choice = choose_kernel(problem);
    Step step;
    step.kernel = std::move(choice.kernel);
    c_.openmp = c_.openmp || step.kernel->uses_openmp();
    step.inputs = node.inputs;
    step.outputs = node.outputs;
    c_.steps.push_back(std::move(step));
    c_.infos.push_back({.scope = node.scope(),
                        .op = std::string(node.op.name()),
                        .problem = describe(problem),
                        .kernel = choice.name,
                        .refused = std::move(choice.refused),
                        .flops = node.op.flops(problem.in, problem.out),
                        .prepared = prepared_[i],
                        .backward = node.origin.backward});
  };
  for (size_t i = 0; i < graph_.nodes().size(); ++i) {
    if (prepared_[i]) emit(i);
  }
  c_.prepared_steps = c_.steps.size();
  for (size_t i = 0; i < graph_.nodes().size(); ++i) {
    if (!prepared_[i]) emit(i);
  }
}

int Compiler::state_index(const std::string& name) {
  const auto found = std::ranges::find(c_.state_names, name);
  if (found == c_.state_names.end()) {
    c_.state_names.push_back(name);
    return static_cast<int>(c_.state_names.size()) - 1;
  }
  return static_cast<int>(found - c_.state_names.begin());
}

bool Compiler::is_prepared(int value) const {
  const int node = graph_.value(value).node;
  return node >= 0 && prepared_[static_cast<size_t>(node)];
}

void Compiler::place_leaves() {
  for (size_t id = 0; id < graph_.values().size(); ++id) {
    const Value& value = graph_.values()[id];
    Place& place = c_.places[id];
    switch (value.leaf) {
      case Leaf::input:
        place = {.kind = Place::input, .index = static_cast<int>(c_.input_names.size())};
        c_.input_names.push_back(value.name);
        break;
      case Leaf::state:
        place = {.kind = Place::state, .index = state_index(value.name)};
        break;
      case Leaf::constant:
        place = {.kind = Place::constant};
        break;
      case Leaf::none:
        break;
    }
  }
}

/// For each update, whether the kernel that computes the new value may overwrite the old one: no
/// later node reads it, it is not an output, and no later node can end the run because of its data,
/// which must leave the State unchanged.
std::vector<bool> Compiler::find_replaceable() const {
  const int end = static_cast<int>(graph_.nodes().size());
  std::vector<int> last_read(graph_.values().size(), -1);  // by which node; `end`: after the last
  int last_check = -1;
  for (int i = 0; i < end; ++i) {
    const Node& node = graph_.node(i);
    if (node.op.traits().checks_data) last_check = i;
    if (node.op.traits().view) continue;
    for (int id : node.inputs) last_read[static_cast<size_t>(c_.root(id))] = i;
  }
  for (const auto* list : {&graph_.outputs(), &graph_.updates()}) {
    for (const auto& [name, id] : *list) last_read[static_cast<size_t>(c_.root(id))] = end;
  }
  std::map<std::string_view, int> old;  // the value that reads each State array
  for (size_t id = 0; id < graph_.values().size(); ++id) {
    const Value& value = graph_.values()[id];
    if (value.leaf == Leaf::state) old.emplace(value.name, static_cast<int>(id));
  }
  std::vector<bool> in_place(graph_.values().size(), false);  // its kernel supports it
  for (const Step& step : c_.steps) {
    for (int id : step.outputs) in_place[static_cast<size_t>(id)] = step.kernel->in_place();
  }
  std::vector<bool> result;
  for (const auto& [name, id] : graph_.updates()) {
    const int source = c_.root(id), node = graph_.value(source).node;
    const auto read = old.find(name);
    if (read == old.end()) {
      result.push_back(true);
      continue;
    }
    const int last = last_read[static_cast<size_t>(read->second)];
    const bool same_elements =
        graph_.value(read->second).type.bytes() == graph_.value(source).type.bytes();
    result.push_back(node > last_check && (last < node || (last == node && same_elements &&
                                                           in_place[static_cast<size_t>(source)])));
  }
  return result;
}

/// Has kernels write the new value of a State array in place if the old one is no longer needed.
void Compiler::place_updates() {
  const std::vector<bool> replaceable = find_replaceable();
  std::vector<int> uses(graph_.values().size(), 0);  // as outputs and updates
  for (const auto* list : {&graph_.outputs(), &graph_.updates()}) {
    for (const auto& [name, id] : *list) ++uses[static_cast<size_t>(c_.root(id))];
  }
  for (size_t i = 0; i < replaceable.size(); ++i) {
    const auto& [name, id] = graph_.updates()[i];
    const int source = c_.root(id);
    const bool fresh =
        graph_.value(source).leaf == Leaf::none && uses[static_cast<size_t>(source)] == 1;
    if (replaceable[i] && fresh && !is_prepared(source)) {
      c_.places[static_cast<size_t>(source)] = {.kind = Place::state, .index = state_index(name)};
    } else {
      c_.copied_updates.push_back({name, id});
    }
  }
}

void Compiler::place_values() {
  c_.places.resize(graph_.values().size());
  place_leaves();
  place_updates();
  plan_memory();
  for (size_t id = 0; id < c_.places.size(); ++id)
    c_.places[id] = c_.places[static_cast<size_t>(c_.root(static_cast<int>(id)))];
}

/// Outputs that are inputs, State arrays or constants; updates by values that another one replaces.
void Compiler::find_snapshots() {
  const auto add = [&](int id) {
    c_.snapshots.push_back({.value = id, .bytes = graph_.value(id).type.bytes(), .offset = 0});
  };
  for (const auto& [name, id] : graph_.outputs()) {
    if (graph_.value(c_.root(id)).leaf != Leaf::none) add(id);
  }
  for (const auto& [name, id] : graph_.updates()) {
    if (graph_.value(c_.root(id)).leaf == Leaf::state) add(id);
  }
}

size_t Compiler::keep(size_t bytes) {
  const size_t offset = c_.arena.kept;
  c_.arena.kept += align_up(bytes);
  return offset;
}

/// Whether what a step packs is valid until the State changes.
bool Compiler::packs_once(const Step& step) const {
  if (graph_.mode() == Mode::train || !graph_.updates().empty()) return false;
  return std::ranges::all_of(step.kernel->packed_inputs(), [&](int k) {
    const int id = c_.root(step.inputs[static_cast<size_t>(k)]);
    const Leaf leaf = graph_.value(id).leaf;
    return leaf == Leaf::state || leaf == Leaf::constant || is_prepared(id);
  });
}

/// Arena offsets of all values, scratch memory and packed weights that do not outlive a run.
void Compiler::plan_memory() {
  const int end = static_cast<int>(c_.steps.size());
  std::vector<Block> blocks;
  std::vector<size_t*> targets;  // where to store each block's offset
  std::vector<int> block_of(graph_.values().size(), -1);
  const auto add = [&](size_t bytes, int step, size_t& offset) {
    blocks.push_back({.bytes = bytes, .first = step, .last = step});
    targets.push_back(&offset);
  };
  const auto extend = [&](int value, int step) {
    const int block = block_of[static_cast<size_t>(c_.root(value))];
    if (block >= 0) blocks[static_cast<size_t>(block)].last = step;
  };

  for (int i = 0; i < end; ++i) {
    Step& step = c_.steps[static_cast<size_t>(i)];
    for (int id : step.outputs) {
      Place& place = c_.places[static_cast<size_t>(id)];
      if (place.kind != Place::arena) continue;
      const size_t bytes = graph_.value(id).type.bytes();
      if (is_prepared(id)) {
        place = {.kind = Place::kept, .offset = keep(bytes)};
      } else {
        block_of[static_cast<size_t>(id)] = static_cast<int>(blocks.size());
        add(bytes, i, place.offset);
      }
    }
    for (int id : step.inputs) extend(id, i);
    if (const size_t scratch = step.kernel->scratch_bytes(); scratch > 0)
      add(scratch, i, step.scratch);
    const size_t packed = step.kernel->packed_bytes();
    step.pack_kept = packed > 0 && packs_once(step);
    step.pack_each_run = packed > 0 && !step.pack_kept;
    if (step.pack_kept) step.packed = keep(packed);
    if (step.pack_each_run) add(packed, i, step.packed);
  }
  for (const auto* list : {&graph_.outputs(), &graph_.updates()}) {
    for (const auto& [name, id] : *list) extend(id, end);
  }
  find_snapshots();
  for (Snapshot& snapshot : c_.snapshots) add(snapshot.bytes, end, snapshot.offset);

  const MemoryPlan memory = fovea::plan_memory(blocks);
  for (size_t i = 0; i < blocks.size(); ++i) *targets[i] = blocks[i].offset;
  c_.arena.bytes = memory.bytes;
  c_.arena.lower_bound = memory.lower_bound;
}

}  // namespace

int Compiled::root(int id) const {
  while (true) {
    const Value& value = graph->value(id);
    if (value.node < 0) return id;
    const Node& node = graph->node(value.node);
    if (!node.op.traits().view || value.slot != 0) return id;
    id = node.inputs[0];
  }
}

Compiled compile(std::shared_ptr<Graph> graph, int threads) {
  Compiled compiled;
  compiled.graph = std::move(graph);
  compiled.threads = threads;
  compiled.number = next_number();
  Compiler compiler(compiled);
  compiler.choose_kernels();
  compiler.place_values();
  return compiled;
}

}  // namespace fovea
