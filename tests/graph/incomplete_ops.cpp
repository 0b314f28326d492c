// Op structs that lack a member each: tests/graph/incomplete_ops.sh compiles this file, which has
// to fail, and looks for what the compiler says about each.

#include "fovea/graph/graph.h"

namespace fovea {

struct Whole {
  static constexpr std::string_view name = "whole";
  Types infer(const Types& in) const { return in; }
  Tensors gradient(const Node&, const Tensors& dy) const { return dy; }
  void reference(const Views&) const {}
};

struct Nameless {
  Types infer(const Types& in) const { return in; }
  Tensors gradient(const Node&, const Tensors& dy) const { return dy; }
  void reference(const Views&) const {}
};

struct Untyped {
  static constexpr std::string_view name = "untyped";
  Tensors gradient(const Node&, const Tensors& dy) const { return dy; }
  void reference(const Views&) const {}
};

struct Uncomputed {
  static constexpr std::string_view name = "uncomputed";
  Types infer(const Types& in) const { return in; }
  Tensors gradient(const Node&, const Tensors& dy) const { return dy; }
};

struct Underived {
  static constexpr std::string_view name = "underived";
  Types infer(const Types& in) const { return in; }
  void reference(const Views&) const {}
};

struct Undescribed : Whole {
  int exponent = 2;
};

struct Unprintable : Whole {
  const char* mode = "fast";
  static void fields(auto& op, auto&& visit) { visit("mode", op.mode); }
};

struct Scaled : Whole {
  double scale = 1;
  static void fields(auto& op, auto&& visit) { visit("scale", op.scale); }
};

struct Inheriting : Scaled {
  double shift = 0;
};

struct Renamed : Scaled {  // adds no members: inherits rightly
  static constexpr std::string_view name = "renamed";
};

Tensors add(Graph& graph, const Tensors& in) {
  graph.add(Whole{}, in);
  graph.add(Nameless{}, in);
  graph.add(Untyped{}, in);
  graph.add(Uncomputed{}, in);
  graph.add(Underived{}, in);
  graph.add(Undescribed{}, in);
  graph.add(Scaled{}, in);
  graph.add(Renamed{}, in);
  graph.add(Inheriting{}, in);
  return graph.add(Unprintable{}, in);
}

}  // namespace fovea
