#include "fovea/passes/segments.h"

#include <algorithm>
#include <limits>

#include "fovea/ops/shape_ops.h"

namespace fovea {
namespace {

/// Cuts, as positions in the forward pass: a segment begins at each. What is kept for them, and the
/// bytes of the largest segment.
struct Cuts {
  std::vector<size_t> positions;
  double kept = 0, largest = 0;
};

class Cutter {
 public:
  explicit Cutter(const Graph& graph) : graph_(graph), lives_(graph.values().size()) {
    for (size_t i = 0; i < graph.nodes().size(); ++i) {
      if (!graph.nodes()[i].origin.backward) forward_.push_back(i);
    }
    crossing_.assign(forward_.size() + 1, 0);
    needed_.assign(forward_.size() + 1, 0);
    find_lives();
    add_up();
  }

  Segments segments() const {
    const std::vector<size_t> cuts = best().positions;
    Segments result{.inside = std::vector<bool>(lives_.size(), false),
                    .last = cuts.empty() ? 0 : forward_[cuts.back()]};
    for (size_t id = 0; id < lives_.size(); ++id) {
      const Life& life = lives_[root(id)];
      const auto next = std::ranges::upper_bound(cuts, life.first);
      result.inside[id] = life.forward && (next == cuts.end() || life.last < *next);
    }
    return result;
  }

 private:
  /// Where in the forward pass a value is computed and last read.
  struct Life {
    bool forward = false, needed = false;
    size_t first = 0, last = 0;
  };

  /// The value whose bytes a chain of views shares.
  size_t root(size_t id) const {
    while (true) {
      const Value& value = graph_.values()[id];
      if (value.node < 0 || value.slot != 0) return id;
      const Node& node = graph_.node(value.node);
      if (!is_view(node)) return id;
      id = static_cast<size_t>(node.inputs[0]);
    }
  }
  Life& life(int id) { return lives_[root(static_cast<size_t>(id))]; }
  double bytes(size_t id) const { return static_cast<double>(graph_.values()[id].type.bytes()); }

  void find_lives() {
    for (size_t position = 0; position < forward_.size(); ++position) {
      const Node& node = graph_.nodes()[forward_[position]];
      for (const int id : node.inputs) life(id).last = position;
      if (is_view(node)) continue;
      for (const int id : node.outputs)
        lives_[static_cast<size_t>(id)] = {true, false, position, position};
    }
    for (const Node& node : graph_.nodes()) {
      if (!node.origin.backward) continue;
      for (const int id : node.inputs) life(id).needed = true;
    }
  }

  /// The bytes that cross a cut at each position, and those before it that are needed.
  void add_up() {
    std::vector<double> change(forward_.size() + 2, 0);
    for (size_t id = 0; id < lives_.size(); ++id) {
      const Life& life = lives_[id];
      if (!life.forward) continue;
      change[life.first + 1] += bytes(id);
      change[life.last + 1] -= bytes(id);
      if (life.needed) needed_[life.first + 1] += bytes(id);
    }
    for (size_t i = 1; i < crossing_.size(); ++i) {
      crossing_[i] = crossing_[i - 1] + change[i];
      needed_[i] += needed_[i - 1];
    }
  }

  /// The cuts that keep the fewest bytes, of those whose segments have at most `budget`; nothing if
  /// a single op has more.
  std::optional<Cuts> within(double budget) const {
    const size_t end = forward_.size();
    constexpr double none = std::numeric_limits<double>::infinity();
    std::vector<double> kept(end + 1, none);
    std::vector<size_t> begin(end + 1, 0);
    kept[0] = 0;
    for (size_t j = 1; j <= end; ++j) {
      for (size_t i = j; i-- > 0 && needed_[j] - needed_[i] <= budget;) {
        const double all = kept[i] + (i > 0 ? crossing_[i] : 0);
        if (all < kept[j]) kept[j] = all, begin[j] = i;
      }
    }
    if (kept[end] == none) return std::nullopt;
    Cuts cuts{.positions = {}, .kept = kept[end]};
    for (size_t j = end; j > 0; j = begin[j]) {
      cuts.largest = std::max(cuts.largest, needed_[j] - needed_[begin[j]]);
      if (begin[j] > 0) cuts.positions.push_back(begin[j]);
    }
    std::ranges::reverse(cuts.positions);
    return cuts;
  }

  Cuts best() const {
    Cuts best{.positions = {}, .kept = 0, .largest = needed_.back()};
    for (double budget = needed_.back(); budget > needed_.back() / 1000; budget *= 0.8) {
      const std::optional<Cuts> cuts = within(budget);
      if (!cuts) break;
      if (cuts->kept + cuts->largest < best.kept + best.largest) best = *cuts;
    }
    return best;
  }

  const Graph& graph_;
  std::vector<size_t> forward_;  ///< indices of nodes
  std::vector<Life> lives_;      ///< by value
  std::vector<double> crossing_, needed_;
};

}  // namespace

Segments find_segments(const Graph& graph) { return Cutter(graph).segments(); }

}  // namespace fovea
