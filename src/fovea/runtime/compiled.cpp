#include "fovea/runtime/compiled.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <span>

#include "fovea/core/parallel.h"
#include "fovea/kernels/fixed_weights.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/passes/layout.h"
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
/// training it changes in every step, so they are like others.
std::vector<bool> find_prepared(const Graph& graph) {
  std::vector<bool> value(graph.values().size(), false), node_prepared(graph.nodes().size(), false);
  if (!weights_are_fixed(graph)) return node_prepared;
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

/// What identifies a value that depends on State arrays and constants alone.
struct Source {
  std::string key;
  std::set<std::string> names;  ///< of the arrays
};

/// Bytes of a problem's inputs and outputs.
double bytes_of(const Problem& problem) {
  double bytes = 0;
  for (const Types* types : {&problem.in, &problem.out}) {
    for (const Type& type : *types) bytes += static_cast<double>(type.bytes());
  }
  return bytes;
}

/// Fills in a Compiled, one aspect after another.
class Compiler {
 public:
  explicit Compiler(Compiled& into)
      : c_(into), graph_(*into.graph), prepared_(find_prepared(*into.graph)) {}

  void choose_kernels();
  void find_derived();
  void place_values();

 private:
  int state_index(const std::string& name);
  void place_leaves();
  void place_updates();
  std::vector<bool> find_replaceable() const;
  std::vector<int> last_uses() const;
  void plan_memory();
  bool is_prepared(int value) const;
  bool works_in_place(const Step& step, int value, size_t output) const;
  bool packs_once(const Step& step) const;
  Source source_of(std::span<const int> values, std::string_view what) const;
  int add_derived(const Source& source, size_t bytes);
  std::vector<bool> read_by_steps() const;
  void order_preparations();
  void find_targets();
  void find_snapshots();

  Compiled& c_;
  const Graph& graph_;
  std::vector<bool> prepared_;     ///< of nodes
  std::map<int, Source> sources_;  ///< of results of prepared nodes
};

void Compiler::choose_kernels() {
  TeamScope team(c_.threads);
  const FixedWeightsScope fixed(weights_are_fixed(graph_));
  const auto emit = [&](size_t i) {
    const Node& node = graph_.nodes()[i];
    if (is_view(node)) return;
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
                        .bytes = bytes_of(problem),
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
        place = {.kind = Place::constant, .index = static_cast<int>(id)};
        break;
      case Leaf::none:
        break;
    }
  }
}

/// Whether this output of a step may take the place of a value that it reads, perhaps more than
/// once.
bool Compiler::works_in_place(const Step& step, int value, size_t output) const {
  for (size_t k = 0; k < step.inputs.size(); ++k) {
    if (c_.root(step.inputs[k]) == c_.root(value) && !step.kernel->in_place(k, output))
      return false;
  }
  return true;
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
    if (is_view(node)) continue;
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
  struct Source {
    const Step* step = nullptr;
    size_t output = 0;
  };
  std::vector<Source> sources(graph_.values().size());
  for (const Step& step : c_.steps) {
    for (size_t k = 0; k < step.outputs.size(); ++k)
      sources[static_cast<size_t>(step.outputs[k])] = {&step, k};
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
    const auto& [step, output] = sources[static_cast<size_t>(source)];
    const bool in_place =
        last == node && step != nullptr && works_in_place(*step, read->second, output) &&
        graph_.value(read->second).type.bytes() == graph_.value(source).type.bytes();
    result.push_back(node > last_check && (last < node || in_place));
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

/// Whether what a step packs is valid until the State changes.
bool Compiler::packs_once(const Step& step) const {
  if (graph_.mode() == Mode::train || !graph_.updates().empty()) return false;
  if (step.kernel->packed_bytes() == 0) return false;
  return std::ranges::all_of(step.kernel->packed_inputs(), [&](int k) {
    const int id = c_.root(step.inputs[static_cast<size_t>(k)]);
    const Leaf leaf = graph_.value(id).leaf;
    return leaf == Leaf::state || leaf == Leaf::constant || is_prepared(id);
  });
}

/// The source of what is computed, as `what` describes, from values that have one.
Source Compiler::source_of(std::span<const int> values, std::string_view what) const {
  Source result{std::string(what) + "(", {}};
  for (const int value : values) {
    const int id = c_.root(value);
    const Value& root = graph_.value(id);
    if (root.leaf == Leaf::state) {
      result.key += '"' + root.name + "\" ";
      result.names.insert(root.name);
    } else if (root.leaf == Leaf::constant) {  // of this Program
      result.key += fmt::format("{}:{} ", c_.number, id);
    } else {
      const Source& source = sources_.at(id);
      result.key += source.key + " ";
      result.names.insert(source.names.begin(), source.names.end());
    }
  }
  result.key += ")";
  return result;
}

int Compiler::add_derived(const Source& source, size_t bytes) {
  c_.derived.push_back({source.key, bytes, {source.names.begin(), source.names.end()}});
  c_.arena.derived += align_up(bytes);
  return static_cast<int>(c_.derived.size()) - 1;
}

/// Values that a run reads itself, not only through what is packed of them.
std::vector<bool> Compiler::read_by_steps() const {
  std::vector<bool> read(graph_.values().size(), false);
  const auto mark = [&](int value) { read[static_cast<size_t>(c_.root(value))] = true; };
  for (size_t i = c_.prepared_steps; i < c_.steps.size(); ++i) {
    const Step& step = c_.steps[i];
    const std::vector<int> packed = step.kernel->packed_inputs();
    for (size_t k = 0; k < step.inputs.size(); ++k) {
      if (step.packed_once < 0 || std::ranges::count(packed, static_cast<int>(k)) == 0)
        mark(step.inputs[k]);
    }
  }
  for (const auto* list : {&graph_.outputs(), &graph_.updates()}) {
    for (const auto& [name, id] : *list) mark(id);
  }
  return read;
}

/// Finds what lasts from run to run: packed weights, and results of prepared steps that runs read.
void Compiler::find_derived() {
  for (size_t i = 0; i < c_.prepared_steps; ++i) {
    const Step& step = c_.steps[i];
    const Source source = source_of(step.inputs, c_.infos[i].kernel + " " + c_.infos[i].problem);
    for (size_t k = 0; k < step.outputs.size(); ++k)
      sources_[step.outputs[k]] = {fmt::format("{}#{}", source.key, k), source.names};
  }
  for (size_t i = c_.prepared_steps; i < c_.steps.size(); ++i) {
    Step& step = c_.steps[i];
    if (!packs_once(step)) continue;
    std::string form = step.kernel->packed_form();
    if (form.empty()) form = fmt::format("step {}:{}", c_.number, i);
    std::vector<int> inputs;
    for (const int k : step.kernel->packed_inputs())
      inputs.push_back(step.inputs[static_cast<size_t>(k)]);
    step.packed_once =
        add_derived(source_of(inputs, "packed as " + form), step.kernel->packed_bytes());
  }
  c_.places.resize(graph_.values().size());
  const std::vector<bool> read = read_by_steps();
  for (const auto& [id, source] : sources_) {
    if (!read[static_cast<size_t>(id)]) continue;
    c_.places[static_cast<size_t>(id)] = {
        .kind = Place::derived, .index = add_derived(source, graph_.value(id).type.bytes())};
  }
  order_preparations();
  find_targets();
}

/// Prepared steps, each followed by the packing that it makes possible, so that a result that only
/// packing needs does not live long.
void Compiler::order_preparations() {
  std::set<size_t> waiting;  // steps that pack
  for (size_t i = c_.prepared_steps; i < c_.steps.size(); ++i) {
    if (c_.steps[i].packed_once >= 0) waiting.insert(i);
  }
  std::set<int> known;
  const auto pack = [&] {
    std::erase_if(waiting, [&](size_t i) {
      const Step& step = c_.steps[i];
      const bool ready = std::ranges::all_of(step.kernel->packed_inputs(), [&](int k) {
        const int id = c_.root(step.inputs[static_cast<size_t>(k)]);
        return !is_prepared(id) || known.contains(id);
      });
      if (ready) c_.preparations.push_back({i, true, {step.packed_once}});
      return ready;
    });
  };
  pack();
  for (size_t i = 0; i < c_.prepared_steps; ++i) {
    c_.preparations.push_back({i, false, {}});
    known.insert(c_.steps[i].outputs.begin(), c_.steps[i].outputs.end());
    pack();
  }
}

/// For each preparation, the derived data that it is needed for: backwards, since results that do
/// not last are needed for what is computed from them.
void Compiler::find_targets() {
  std::map<int, std::set<int>> needed;  // for which derived data each value is needed
  for (auto p = c_.preparations.rbegin(); p != c_.preparations.rend(); ++p) {
    const Step& step = c_.steps[p->step];
    std::set<int> targets(p->of.begin(), p->of.end());
    if (!p->pack) {
      for (const int id : step.outputs) {
        const Place& place = c_.places[static_cast<size_t>(id)];
        if (place.kind == Place::derived) targets.insert(place.index);
        targets.insert(needed[id].begin(), needed[id].end());
      }
    }
    for (const int id : step.inputs) needed[c_.root(id)].insert(targets.begin(), targets.end());
    p->of.assign(targets.begin(), targets.end());
  }
}

/// Blocks of the arena, each with the offsets to store once it is placed.
struct Blocks {
  std::vector<Block> list;
  std::vector<std::vector<size_t*>> offsets;

  int add(size_t bytes, int first, int last, size_t& offset) {
    list.push_back({.bytes = bytes, .first = first, .last = last});
    offsets.push_back({&offset});
    return static_cast<int>(list.size()) - 1;
  }
  Block& operator[](int i) { return list[static_cast<size_t>(i)]; }
  MemoryPlan place() {
    const MemoryPlan plan = fovea::plan_memory(list);
    for (size_t i = 0; i < list.size(); ++i) {
      for (size_t* offset : offsets[i]) *offset = list[i].offset;
    }
    return plan;
  }
};

/// The time of the last use of each value's bytes, -1: none. Time counts preparations first, then
/// the other steps; what outlives them is used at the end.
std::vector<int> Compiler::last_uses() const {
  std::vector<int> last(graph_.values().size(), -1);
  const auto use = [&](int value, int time) { last[static_cast<size_t>(c_.root(value))] = time; };
  int time = 0;
  for (const auto& [index, pack, of] : c_.preparations) {
    const Step& step = c_.steps[index];
    for (size_t k = 0; k < step.inputs.size(); ++k) {
      if (!pack || std::ranges::count(step.kernel->packed_inputs(), static_cast<int>(k)) > 0)
        use(step.inputs[k], time);
    }
    ++time;
  }
  for (size_t i = c_.prepared_steps; i < c_.steps.size(); ++i, ++time) {
    for (const int id : c_.steps[i].inputs) use(id, time);
  }
  for (const auto* list : {&graph_.outputs(), &graph_.updates()}) {
    for (const auto& [name, id] : *list) use(id, time);
  }
  return last;
}

/// Arena offsets of all values, scratch memory and packed weights that do not outlive a run. A
/// result takes the place of an input of its type that is not used again, if the kernel can do so.
void Compiler::plan_memory() {
  const std::vector<int> last = last_uses();
  const auto last_use = [&](int id) { return last[static_cast<size_t>(id)]; };
  Blocks blocks;
  std::vector<int> block_of(graph_.values().size(), -1);
  const auto replaced = [&](const Step& step, size_t output, int time) {
    const Type& type = graph_.value(step.outputs[output]).type;
    for (const int id : step.inputs) {
      const int root = c_.root(id), block = block_of[static_cast<size_t>(root)];
      if (block >= 0 && last_use(root) == time && blocks[block].last == time &&
          graph_.value(id).type == type && works_in_place(step, id, output))
        return block;
    }
    return -1;
  };
  const auto run = [&](Step& step, int time) {
    for (size_t k = 0; k < step.outputs.size(); ++k) {
      const int id = step.outputs[k];
      Place& place = c_.places[static_cast<size_t>(id)];
      if (place.kind != Place::arena) continue;
      const int end = std::max(time, last_use(id));
      int& block = block_of[static_cast<size_t>(id)];
      block = replaced(step, k, time);
      if (block >= 0 && end > time) {
        blocks[block].last = end;
        blocks.offsets[static_cast<size_t>(block)].push_back(&place.offset);
      } else {
        block = blocks.add(graph_.value(id).type.bytes(), time, end, place.offset);
      }
    }
    if (const size_t scratch = step.kernel->scratch_bytes(); scratch > 0)
      blocks.add(scratch, time, time, step.scratch);
    const size_t packed = step.kernel->packed_bytes();
    step.pack_each_run = packed > 0 && step.packed_once < 0;
    if (step.pack_each_run) blocks.add(packed, time, time, step.packed);
  };

  int time = 0;
  for (const auto& [index, pack, of] : c_.preparations) {
    if (!pack) run(c_.steps[index], time);
    ++time;
  }
  for (size_t i = c_.prepared_steps; i < c_.steps.size(); ++i) run(c_.steps[i], time++);
  find_snapshots();
  for (Snapshot& snapshot : c_.snapshots) blocks.add(snapshot.bytes, time, time, snapshot.offset);

  const MemoryPlan memory = blocks.place();
  c_.arena.bytes = memory.bytes;
  c_.arena.lower_bound = memory.lower_bound;
}

}  // namespace

int Compiled::root(int id) const {
  while (true) {
    const Value& value = graph->value(id);
    if (value.node < 0) return id;
    const Node& node = graph->node(value.node);
    if (value.slot != 0 || !is_view(node)) return id;
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
  compiler.find_derived();
  compiler.place_values();
  return compiled;
}

}  // namespace fovea
