#include "fovea/nn/module.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/core/error.h"
#include "fovea/nn/type_name.h"

namespace fovea::nn {
namespace {

std::string below(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "." + name;
}

}  // namespace

Scope::Scope(std::string title, Where where) : name_(std::move(title)), where_(std::move(where)) {}

Scope::Scope(Module* parent, std::string name, Where where)
    : parent_(parent), name_(std::move(name)), where_(std::move(where)) {}

std::string Scope::path() const { return parent_ ? below(parent_->path_, name_) : ""; }

std::string Scope::describe() const {
  const std::string path = parent_ ? below(parent_->full_name(), name_) : name_;
  return path + " (" + where_.text() + ")";
}

Variable::Variable(const Scope& scope, const Shape& shape, Initializer initializer, Role role,
                   std::optional<DType> dtype)
    : owner_(scope.parent_),
      name_(scope.path()),
      shape_(shape),
      initializer_(std::move(initializer)),
      role_(role),
      dtype_(dtype) {
  if (owner_ == nullptr) {
    throw Error(ErrorKind::usage,
                fmt::format("nn: the array \"{}\" does not belong to a module", scope.name_))
        .at(scope.describe())
        .with("try", fmt::format("a scope that the module's at(\"{}\") makes", scope.name_));
  }
  owner_->claim(scope.name_);
  owner_->variables_.push_back(this);
}

Variable::~Variable() {
  if (owner_) std::erase(owner_->variables_, this);
}

Tensor Variable::operator()(Graph& graph) const {
  const bool trainable = role_ == Role::parameter && graph.mode() == Mode::train;
  return graph.read(name_, {dtype_.value_or(graph.dtype()), shape_}, trainable);
}

void Variable::declare(State& state, uint64_t seed, DType dtype) const {
  state.declare(name_, {dtype_.value_or(dtype), shape_}, role_,
                [initializer = initializer_, seed, array_name = name_](Array& array) {
                  Random random(seed, array_name);
                  initializer(array, random);
                });
}

Module::Module(const Scope& scope)
    : parent_(scope.parent_), name_(scope.name_), path_(scope.path()), where_(scope.where_) {
  if (!parent_) return;
  parent_->claim(name_);
  parent_->children_.push_back(this);
}

Module::~Module() {
  if (parent_) std::erase(parent_->children_, this);
  for (Module* child : children_) child->parent_ = nullptr;
  for (Variable* variable : variables_) variable->owner_ = nullptr;
}

void Module::claim(const std::string& name) const {
  const auto named = [&](const auto* other) { return other->name_ == name; };
  const auto full = [&](const auto* other) { return other->name_ == below(path_, name); };
  const char* wrong = nullptr;
  if (name.empty() || name.find('.') != std::string::npos) {
    wrong = "is not a valid name: it is empty or contains a dot";
  } else if (std::any_of(children_.begin(), children_.end(), named) ||
             std::any_of(variables_.begin(), variables_.end(), full)) {
    wrong = "is the name of two parts of the same module";
  }
  if (!wrong) return;
  throw Error(ErrorKind::usage, fmt::format("nn: \"{}\" {}", name, wrong))
      .with("in", Scope(parent_, name_, where_).describe());
}

Scope Module::at(std::string_view name, const Where& where) {
  return {this, std::string(name), where.code && !where_.code ? where_ : where};
}

Tensor Module::forward(Tensor) const {
  throw Error(ErrorKind::internal,
              fmt::format("nn: \"{}\" has no forward for a single Tensor", name_))
      .with("try", "call(module, ...), or override Tensor forward(Tensor) const");
}

Tensor Module::operator()(Tensor x) const { return call(*this, x); }

std::string Module::full_name() const {
  return parent_ ? below(parent_->full_name(), name_) : name_;
}

std::string Module::title() const { return parent_ ? parent_->full_name() : name_; }

std::vector<const Variable*> Module::variables() const {
  std::vector<const Variable*> all;
  collect(all);
  return all;
}

void Module::collect(std::vector<const Variable*>& into) const {
  for (Role role : {Role::parameter, Role::buffer}) {
    std::copy_if(variables_.begin(), variables_.end(), std::back_inserter(into),
                 [&](const Variable* v) { return v->role() == role; });
  }
  for (const Module* child : children_) child->collect(into);
}

std::vector<const Variable*> Module::parameters() const {
  std::vector<const Variable*> all = variables();
  std::erase_if(all, [](const Variable* v) { return v->role() != Role::parameter; });
  return all;
}

std::vector<const Variable*> Module::buffers() const {
  std::vector<const Variable*> all = variables();
  std::erase_if(all, [](const Variable* v) { return v->role() != Role::buffer; });
  return all;
}

Entered::Entered(Graph& graph, const Module& module, const Tensors& inputs) : graph_(graph) {
  // A root's title is the graph's own, not part of the path.
  graph.enter(module.path_.empty() ? "" : module.name_, module.where_, type_name(module), inputs);
}

void Entered::leave(const Tensors& outputs) {
  graph_.leave(outputs);
  open_ = false;
}

void declare(State& state, const Module& module, uint64_t seed, DType dtype) {
  for (const Variable* variable : module.variables()) variable->declare(state, seed, dtype);
}

}  // namespace fovea::nn
