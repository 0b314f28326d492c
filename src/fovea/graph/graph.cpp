#include "fovea/graph/graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "fovea/core/error.h"
#include "fovea/core/random.h"

namespace fovea {
namespace {

Error mixed(const std::string& what) {
  return Error(ErrorKind::usage, what).with("try", "trace the entire computation in one graph");
}

/// Adds the calls of `other`, each once.
void add_calls(Origin& into, const Origin& other) {
  const auto add = [&](int call) {
    if (call >= 0 && call != into.call && std::ranges::count(into.fused, call) == 0)
      into.fused.push_back(call);
  };
  add(other.call);
  std::ranges::for_each(other.fused, add);
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

const std::string& Node::scope() const {
  static const std::string none;
  return origin.call < 0 ? none : graph->call(origin.call).path;
}

std::shared_ptr<Graph> Graph::make(Mode mode, DType dtype, std::string title) {
  return std::shared_ptr<Graph>(new Graph(mode, dtype, std::move(title)));
}

Graph::Graph(Mode mode, DType dtype, std::string title)
    : mode_(mode), dtype_(dtype), title_(std::move(title)), side_outputs_(mode == Mode::train) {}

Tensor Graph::leaf(Value value) {
  values_.push_back(std::move(value));
  return handle(static_cast<int>(values_.size()) - 1);
}

Tensor Graph::input(std::string name, const Type& type) {
  for (const Value& v : values_) {
    if (v.leaf == Leaf::input && v.name == name) {
      throw Error(ErrorKind::usage,
                  fmt::format("graph: there is already an input named \"{}\"", name));
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
      throw Error(ErrorKind::usage, fmt::format("graph: \"{}\" is read with two types", name))
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

uint64_t Graph::random_key() { return hash(fmt::format("{}#{}", scope(), random_ops_++)); }

Tensors Graph::add(Op op, const Tensors& inputs) {
  Node node{.graph = this, .op = std::move(op), .inputs = {}, .outputs = {}, .origin = origin_};
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
  } catch (Error& e) {
    throw e.at(location(node));
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
  if (!node.scope().empty()) path += (path.empty() ? "" : ".") + node.scope();
  const std::string line = node.origin.call < 0 ? "" : call(node.origin.call).where.text();
  return path.empty() || line.empty() ? path : fmt::format("{} ({})", path, line);
}

void Graph::output(std::string name, const Tensor& value) {
  for (const auto& [taken, id] : outputs_) {
    if (taken == name) {
      throw Error(ErrorKind::usage,
                  fmt::format("graph: there is already an output named \"{}\"", name));
    }
  }
  if (&value.graph() != this)
    throw mixed(fmt::format("graph: output \"{}\" belongs to another graph", name));
  outputs_.emplace_back(std::move(name), value.id());
}

void Graph::update(std::string name, const Tensor& value) {
  if (&value.graph() != this)
    throw mixed(fmt::format("graph: update \"{}\" belongs to another graph", name));
  for (auto& [taken, id] : updates_) {
    if (taken == name) {  // a module used twice: its last statistics win
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
  throw Error(ErrorKind::usage, fmt::format("graph: no output is named \"{}\"", name))
      .with("outputs", names);
}

std::vector<int> Graph::ids_of(const Tensors& tensors, std::string_view whose) const {
  std::vector<int> ids;
  for (const Tensor& t : tensors) {
    if (!t) continue;
    if (&t.graph() != this)
      throw mixed(fmt::format(
          "graph: the inputs and outputs of module \"{}\" belong to different graphs", whose));
    ids.push_back(t.id());
  }
  return ids;
}

void Graph::enter(std::string_view name, const Where& where, std::string_view type,
                  const Tensors& inputs) {
  std::string path = scope();
  if (!path.empty() && !name.empty()) path += ".";
  path += name;
  std::vector<int> taken = ids_of(inputs, path);
  calls_.push_back({.path = std::move(path),
                    .type = std::string(type),
                    .where = where,
                    .parent = origin_.call,
                    .inputs = std::move(taken)});
  origin_.call = static_cast<int>(calls_.size()) - 1;
}

void Graph::leave(const Tensors& outputs) {
  require(origin_.call >= 0, "a module call is left that was never entered");
  Call& call = calls_[static_cast<size_t>(origin_.call)];
  call.outputs = ids_of(outputs, call.path);
  origin_.call = call.parent;
}

std::vector<int> Graph::calls_by_end() const {
  std::vector<int> ended, open;
  const auto close = [&](int inside) {  // the calls that do not enclose this one
    while (!open.empty() && open.back() != inside) {
      ended.push_back(open.back());
      open.pop_back();
    }
  };
  for (size_t i = 0; i < calls_.size(); ++i) {
    close(calls_[i].parent);
    open.push_back(static_cast<int>(i));
  }
  close(-1);
  return ended;
}

Origin Graph::origin(const Tensor& value) const {
  const int index = this->value(value.id()).node;
  return index < 0 ? Origin{} : node(index).origin;
}

const std::string& Graph::scope() const {
  static const std::string none;
  return origin_.call < 0 ? none : call(origin_.call).path;
}

Rewriter::Rewriter(const Graph& from)
    : from_(from),
      to_(Graph::make(from.mode(), from.dtype(), from.title())),
      map_(from.values().size()) {
  to_->random_ops_ = from.random_ops_;
  to_->calls_ = from.calls_;
  // The caller's inputs keep their order, used or not.
  for (size_t id = 0; id < from.values().size(); ++id) {
    if (from.values()[id].leaf == Leaf::input) (void)(*this)[static_cast<int>(id)];
  }
}

Tensor Rewriter::operator[](int old_id) {
  Tensor& mapped = map_[static_cast<size_t>(old_id)];
  if (!mapped) {
    const Value& value = from_.value(old_id);
    require(value.leaf != Leaf::none, "a pass uses a value before it is computed");
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

Tensors Rewriter::add_like(const Node& node, const Op& op, const Tensors& inputs) {
  Tensors results = to_->add(op, inputs);
  for (size_t i = 0; i < std::min(results.size(), node.outputs.size()); ++i)
    to_->set_layout(results[i].id(), from_.value(node.outputs[i]).type.layout);
  return results;
}

void Rewriter::replace(const Node& node, const std::function<Tensors()>& build) {
  const WithOrigin origin(*to_, node.origin);
  const Tensors results = build();
  for (size_t i = 0; i < node.outputs.size() && i < results.size(); ++i) {
    if (results[i]) map_[static_cast<size_t>(node.outputs[i])] = results[i];
  }
}

void Rewriter::merge(const Node& node, const Node& other) {
  for (size_t i = 0; i < node.outputs.size(); ++i)
    replace(node.outputs[i], (*this)[other.outputs[i]]);
  const int kept = to_->value((*this)[other.outputs[0]].id()).node;
  add_calls(to_->nodes_[static_cast<size_t>(kept)].origin, node.origin);
}

Tensors Rewriter::fuse(std::span<const Node* const> nodes, const std::function<Tensors()>& build) {
  Origin all = nodes.front()->origin;
  for (const Node* node : nodes.subspan(1)) add_calls(all, node->origin);
  const WithOrigin origin(*to_, std::move(all));
  return build();
}

void Rewriter::replace(int old_id, const Tensor& value) {
  map_[static_cast<size_t>(old_id)] = value;
}

std::shared_ptr<Graph> Rewriter::finish() {
  for (const auto& [name, id] : from_.outputs()) to_->output(name, (*this)[id]);
  for (const auto& [name, id] : from_.updates()) to_->update(name, (*this)[id]);
  for (size_t i = 0; i < from_.calls().size(); ++i) {
    to_->calls_[i].inputs = mapped(from_.calls()[i].inputs);
    to_->calls_[i].outputs = mapped(from_.calls()[i].outputs);
  }
  return to_;
}

std::vector<int> Rewriter::mapped(std::vector<int> old_ids) const {
  for (int& id : old_ids) {
    if (id != Call::gone && map_[static_cast<size_t>(id)]) {
      id = map_[static_cast<size_t>(id)].id();
    } else {
      id = Call::gone;
    }
  }
  return old_ids;
}

}  // namespace fovea
