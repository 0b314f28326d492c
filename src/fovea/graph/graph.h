#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fovea/core/array.h"
#include "fovea/graph/op.h"
#include "fovea/graph/where.h"

namespace fovea {

/// Whether a graph is traced for training (batch statistics, dropout) or for inference.
enum class Mode : uint8_t { train, eval };

/// Where a value comes from when no node computes it.
enum class Leaf : uint8_t {
  none,      ///< a node's output
  input,     ///< given by the caller at each run
  state,     ///< an array of the State, read at each run
  constant,  ///< fixed data of the graph
};

/// One value of a graph.
struct Value {
  Type type;
  int node = -1;  ///< the node that computes it, or -1
  int slot = 0;   ///< which output of that node
  Leaf leaf = Leaf::none;
  std::string name = {};   ///< of an input or a state array
  bool trainable = false;  ///< a state array that needs a gradient
  Array constant = {};     ///< of Leaf::constant
};

/// One call of a module while the graph was traced. A module that is called twice has two; an
/// identity module has one too.
struct Call {
  static constexpr int gone = -1;  ///< the id of a value that a pass has removed

  std::string path;  ///< of the module, dotted: "layer1.0.conv1"; "" for the root of a model
  std::string type;  ///< the module's class: "Conv2d"; "" where it is not known
  Where where;       ///< the line that defines the module
  int parent = -1;   ///< the call inside which it was made; -1: none
  /// Value ids of the module's input and output Tensors, in order, `gone` for those that no longer
  /// exist.
  std::vector<int> inputs = {}, outputs = {};
};

/// The part of a model that a node belongs to.
struct Origin {
  int call = -1;                ///< the innermost call (of Graph::calls) that made it; -1: none
  std::vector<int> fused = {};  ///< further calls, whose nodes a pass has fused into this one
  bool backward = false;        ///< part of the gradient of these calls
};

/// One call of an op.
struct Node {
  Graph* graph;
  Op op;
  std::vector<int> inputs, outputs;  ///< value ids
  Origin origin;

  /// The path of the module whose call made it: "layer1.0.conv1"; "" for the root of a model and
  /// outside any module.
  const std::string& scope() const;
  Tensor input(int i) const;
  Tensor output(int i) const;
  int arity() const { return static_cast<int>(inputs.size()); }
};

/// A computation: values and the nodes that compute them, in order of execution. Traced by calling
/// functions on Tensors; rewritten by passes; compiled into a Program. It also knows the module
/// calls that it was traced from, each with its input and output values. Made by `Graph::make`,
/// since Tensors share it.
class Graph : public std::enable_shared_from_this<Graph> {
 public:
  /// `dtype` is that of parameters and normalised images: f32, or f64 to verify numerics. `title`
  /// names it in messages.
  static std::shared_ptr<Graph> make(Mode mode, DType dtype = DType::f32, std::string title = {});

  Mode mode() const { return mode_; }
  DType dtype() const { return dtype_; }
  const std::string& title() const { return title_; }
  /// Whether modules name outputs beside their result, such as those of auxiliary heads: in a
  /// training graph, and in others after `add_side_outputs`.
  bool has_side_outputs() const { return side_outputs_; }
  void add_side_outputs() { side_outputs_ = true; }

  /// A value that the caller gives at each run, by name. Errors: usage when the name is taken.
  Tensor input(std::string name, const Type& type);
  /// A State array. The same name gives the same value, so a module used twice shares its weights;
  /// it is trainable when any of the reads says so and it is not frozen. Errors: usage when it was
  /// previously read with another type.
  Tensor read(std::string name, const Type& type, bool trainable = false);
  /// From now on, State arrays for which `frozen` returns true are read as not trainable: they get
  /// no gradient, and a norm whose parameters are all frozen keeps its running statistics.
  void freeze(std::function<bool(std::string_view name)> frozen) { frozen_ = std::move(frozen); }
  bool frozen(std::string_view name) const { return frozen_ && frozen_(name); }
  /// Fixed data.
  Tensor constant(const Array& data);
  /// The seed and the step, i64[2]: an input named "random" that all random ops share.
  Tensor random();
  /// A number for one random op, from its scope and the count of those before it there.
  uint64_t random_key();

  /// Adds a node and returns its outputs. Inputs without a value are dropped (only trailing ones
  /// may be). Errors: what the op's infer throws, with the scope and source line added; usage when
  /// graphs are mixed.
  Tensors add(Op op, const Tensors& inputs);
  Tensor add_one(Op op, const Tensors& inputs) { return add(std::move(op), inputs)[0]; }

  /// Names a value that runs return. Errors: usage when the name is taken, or graphs are mixed.
  void output(std::string name, const Tensor& value);
  /// After each run, the State array `name` is replaced by this value; of two updates of one name
  /// the last wins. Errors: usage when graphs are mixed.
  void update(std::string name, const Tensor& value);

  /// Opens a call of the module `name` inside the current one: nodes belong to it until `leave`
  /// closes it and records its outputs. A root has no name, since the graph's title stands for it.
  /// nn::Module does this; Tensors without a value are left out. Errors: usage when graphs are
  /// mixed.
  void enter(std::string_view name, const Where& where, std::string_view type = {},
             const Tensors& inputs = {});
  void leave(const Tensors& outputs = {});
  /// All calls, in the order in which they began, so that a call follows its parent. Passes keep
  /// them: a call has the same index in the rewritten graph.
  const std::deque<Call>& calls() const { return calls_; }
  const Call& call(int i) const { return calls_[static_cast<size_t>(i)]; }
  /// The indices of all calls in the order in which they ended: a call follows those inside it.
  std::vector<int> calls_by_end() const;
  /// The origin of the node that computes a value; an empty one for a leaf.
  Origin origin(const Tensor& value) const;
  /// The path of the current call.
  const std::string& scope() const;
  /// Where a node comes from, for the "at" of a message: "net.layer1.conv (src/net.cpp:41)"; empty
  /// when neither title nor scope is known.
  std::string location(const Node& node) const;

  const std::deque<Value>& values() const { return values_; }
  const std::deque<Node>& nodes() const { return nodes_; }
  const Value& value(int id) const { return values_[static_cast<size_t>(id)]; }
  const Node& node(int i) const { return nodes_[static_cast<size_t>(i)]; }
  using Named = std::pair<std::string, int>;
  const std::vector<Named>& outputs() const { return outputs_; }
  const std::vector<Named>& updates() const { return updates_; }
  /// The named output. Errors: usage when there is none, listing the existing names.
  Tensor output(std::string_view name);

  /// Sets a value's layout: for the layout pass.
  void set_layout(int id, Layout layout) { values_[static_cast<size_t>(id)].type.layout = layout; }

 private:
  friend class Rewriter;
  friend class WithOrigin;
  Graph(Mode mode, DType dtype, std::string title);
  Tensor leaf(Value value);
  Tensor handle(int id) { return {shared_from_this(), id}; }
  std::vector<int> ids_of(const Tensors& tensors, std::string_view whose) const;

  Mode mode_;
  DType dtype_;
  std::string title_;
  std::deque<Value> values_;  // deques: references stay valid while gradients add nodes
  std::deque<Node> nodes_;
  std::deque<Call> calls_;
  Origin origin_;  ///< of nodes added next
  std::vector<Named> outputs_, updates_;
  std::function<bool(std::string_view)> frozen_;
  bool side_outputs_;
  int random_ops_ = 0;
};

/// While it lives, added nodes have this origin: for passes.
class WithOrigin {
 public:
  WithOrigin(Graph& graph, Origin origin)
      : graph_(graph), before_(std::exchange(graph.origin_, std::move(origin))) {}
  ~WithOrigin() { graph_.origin_ = std::move(before_); }
  WithOrigin(const WithOrigin&) = delete;
  WithOrigin& operator=(const WithOrigin&) = delete;

 private:
  Graph& graph_;
  Origin before_;
};

/// Copies a graph node by node, so that a pass need only say what it changes. Calls are carried
/// over; their values become the replacements that the pass made, or gone.
///
///     Rewriter copy(graph);
///     for (const Node& node : graph.nodes()) {
///       if (...) copy.replace(node.outputs[0], ...);   // made of ops on copy's Tensors
///       else copy.keep(node);
///     }
///     return copy.finish();
class Rewriter {
 public:
  explicit Rewriter(const Graph& from);

  /// The new graph's value for an old one; leaves are copied when first requested.
  Tensor operator[](int old_id);
  Tensors inputs(const Node& node);
  /// The same node in the new graph.
  void keep(const Node& node);
  /// Adds an op to the new graph whose results have the layouts of those of `node`, as far as it
  /// has any: `keep` forgets them.
  Tensors add_like(const Node& node, const Op& op, const Tensors& inputs);
  /// Ops made by `build` have the origin of `node`, whose outputs are replaced by its result: the
  /// same values.
  void replace(const Node& node, const std::function<Tensors()>& build);
  /// `node` computes the same as `other`, which is already in the new graph and now represents
  /// both.
  void merge(const Node& node, const Node& other);
  /// Ops made by `build` do the work of all of `nodes`: they belong to the call of the first, and
  /// to those of the others as fused ones. The values of `nodes` are gone, except those that the
  /// caller replaces by the result.
  Tensors fuse(std::span<const Node* const> nodes, const std::function<Tensors()>& build);
  /// The same value in the new graph.
  void replace(int old_id, const Tensor& value);
  const std::shared_ptr<Graph>& graph() const { return to_; }
  /// Carries outputs and updates over, and returns the new graph.
  std::shared_ptr<Graph> finish();

 private:
  std::vector<int> mapped(std::vector<int> old_ids) const;

  const Graph& from_;
  std::shared_ptr<Graph> to_;
  std::vector<Tensor> map_;
};

}  // namespace fovea
