#include "fovea/graph/graph.h"

#include <algorithm>
#include <utility>

#include "fovea/core/error.h"
#include "fovea/core/random.h"

namespace fovea {
namespace {

Error mixed(const std::string& what) {
  return Error(ErrorKind::usage, what).with("try", "trace the whole computation in one graph");
}

}  // namespace

const Type& Tensor::type() const { return graph().value(id_).type; }

Graph& Tensor::graph() const {
  require(graph_ != nullptr, "a Tensor without a value was used");
  return *graph_;
}

Tensor Node::input(int i) const {
  return {graph->shared_from_this(), inputs[static_cast<size_t>(i)]};
}
Tensor Node::output(int i) const {
  return {graph->shared_from_this(), outputs[static_cast<size_t>(i)]};
}

std::shared_ptr<Graph> Graph::make(Mode mode, DType dtype, std::string title) {
  return std::shared_ptr<Graph>(new Graph(mode, dtype, std::move(title)));
}

Graph::Graph(Mode mode, DType dtype, std::string title)
    : mode_(mode), dtype_(dtype), title_(std::move(title)) {}

Tensor Graph::leaf(Value value) {
  values_.push_back(std::move(value));
  return handle(static_cast<int>(values_.size()) - 1);
}

Tensor Graph::input(std::string name, const Type& type) {
  for (const Value& v : values_) {
    if (v.leaf == Leaf::input && v.name == name) {
      throw Error(ErrorKind::usage, "graph: there is an input named \"" + name + "\" already");
    }
  }
  return leaf({.type = type, .leaf = Leaf::input, .name = std::move(name)});
}

Tensor Graph::read(std::string name, const Type& type, bool trainable) {
  trainable = trainable && !frozen(name);
  for (size_t id = 0; id < values_.size(); ++id) {
    const Value& v = values_[id];
    if (v.leaf != Leaf::state || v.name != name) continue;
    if (v.type != type) {
      throw Error(ErrorKind::usage, "graph: \"" + name + "\" is read with two types")
          .with("first", to_string(v.type))
          .with("then", to_string(type))
          .with("try", "another name for one of the two");
    }
    values_[id].trainable = v.trainable || trainable;
    return handle(static_cast<int>(id));
  }
  return leaf({.type = type, .leaf = Leaf::state, .name = std::move(name), .trainable = trainable});
}

Tensor Graph::constant(const Array& data) {
  return leaf({.type = {data.dtype(), data.shape()}, .leaf = Leaf::constant, .constant = data});
}

Tensor Graph::random() {
  for (size_t id = 0; id < values_.size(); ++id) {
    if (values_[id].leaf == Leaf::input && values_[id].name == "random") {
      return handle(static_cast<int>(id));
    }
  }
  return input("random", {DType::i64, {2}});
}

uint64_t Graph::random_key() { return hash(scope() + "#" + std::to_string(random_ops_++)); }

Tensors Graph::add(Op op, const Tensors& inputs) {
  Node node{.graph = this,
            .op = std::move(op),
            .inputs = {},
            .outputs = {},
            .scope = scope(),
            .where = {}};
  if (!frames_.empty()) node.where = frames_.back().where;
  Types types;
  for (const Tensor& t : inputs) {
    if (!t) continue;
    if (&t.graph() != this)
      throw mixed(std::string(node.op.name()) + ": its inputs belong to different graphs");
    node.inputs.push_back(t.id());
    types.push_back(t.type());
  }
  Types out;
  try {
    out = node.op.infer(types);
  } catch (const Error& e) {
    // "at" belongs after the values and before the advice.
    Error located(e.kind(), e.headline());
    const auto at = [&] {
      if (const std::string place = location(node); !place.empty()) located.with("at", place);
    };
    bool done = false;
    for (const auto& [key, text] : e.details()) {
      if (key == "try" && !std::exchange(done, true)) at();
      located.with(key, text);
    }
    if (!done) at();
    throw located;
  }
  Tensors results;
  const int index = static_cast<int>(nodes_.size());
  for (size_t slot = 0; slot < out.size(); ++slot) {
    values_.push_back({.type = out[slot], .node = index, .slot = static_cast<int>(slot)});
    node.outputs.push_back(static_cast<int>(values_.size()) - 1);
    results.push_back(handle(node.outputs.back()));
  }
  nodes_.push_back(std::move(node));
  return results;
}

std::string Graph::location(const Node& node) const {
  std::string path = title_;
  if (!node.scope.empty()) path += (path.empty() ? "" : ".") + node.scope;
  const std::string line = node.where.text();
  return path.empty() || line.empty() ? path : path + " (" + line + ")";
}

void Graph::output(std::string name, const Tensor& value) {
  for (const auto& [taken, id] : outputs_) {
    if (taken == name) {
      throw Error(ErrorKind::usage, "graph: there is an output named \"" + name + "\" already");
    }
  }
  if (&value.graph() != this)
    throw mixed("graph: output \"" + name + "\" belongs to another graph");
  outputs_.emplace_back(std::move(name), value.id());
}

void Graph::update(std::string name, const Tensor& value) {
  if (&value.graph() != this)
    throw mixed("graph: update \"" + name + "\" belongs to another graph");
  for (auto& [taken, id] : updates_) {
    if (taken == name) {  // a module used twice: its last statistics stand
      id = value.id();
      return;
    }
  }
  updates_.emplace_back(std::move(name), value.id());
}

Tensor Graph::output(std::string_view name) {
  std::string names;
  for (const auto& [known, id] : outputs_) {
    if (known == name) return handle(id);
    names += (names.empty() ? "" : ", ") + known;
  }
  throw Error(ErrorKind::usage, "graph: no output is named \"" + std::string(name) + "\"")
      .with("outputs", names);
}

void Graph::enter(std::string_view name, const Where& where) {
  frames_.push_back({std::string(name), where});
}

void Graph::leave() { frames_.pop_back(); }

std::string Graph::scope() const {
  std::string path;
  for (const Frame& frame : frames_) {
    if (frame.name.empty()) continue;
    path += (path.empty() ? "" : ".") + frame.name;
  }
  return path;
}

Rewriter::Rewriter(const Graph& from)
    : from_(from),
      to_(Graph::make(from.mode(), from.dtype(), from.title())),
      map_(from.values().size()) {
  to_->random_ops_ = from.random_ops_;
  // The caller's inputs keep their order, used or not.
  for (size_t id = 0; id < from.values().size(); ++id) {
    if (from.values()[id].leaf == Leaf::input) (void)(*this)[static_cast<int>(id)];
  }
}

Tensor Rewriter::operator[](int old_id) {
  Tensor& mapped = map_[static_cast<size_t>(old_id)];
  if (!mapped) {
    const Value& value = from_.value(old_id);
    require(value.leaf != Leaf::none, "a pass uses a value before it is made");
    mapped = to_->leaf(value);
  }
  return mapped;
}

Tensors Rewriter::inputs(const Node& node) {
  Tensors result;
  for (int id : node.inputs) result.push_back((*this)[id]);
  return result;
}

void Rewriter::keep(const Node& node) {
  replace(node, [&] { return to_->add(node.op, inputs(node)); });
}

void Rewriter::replace(const Node& node, const std::function<Tensors()>& build) {
  to_->enter(node.scope, node.where);
  const Tensors results = build();
  to_->leave();
  for (size_t i = 0; i < node.outputs.size() && i < results.size(); ++i) {
    if (results[i]) map_[static_cast<size_t>(node.outputs[i])] = results[i];
  }
}

void Rewriter::replace(int old_id, const Tensor& value) {
  map_[static_cast<size_t>(old_id)] = value;
}

std::shared_ptr<Graph> Rewriter::finish() {
  for (const auto& [name, id] : from_.outputs()) to_->output(name, (*this)[id]);
  for (const auto& [name, id] : from_.updates()) to_->update(name, (*this)[id]);
  return to_;
}

}  // namespace fovea
