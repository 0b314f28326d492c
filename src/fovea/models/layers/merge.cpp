#include "fovea/models/layers/rows.h"
#include "fovea/ops.h"

namespace fovea::models::layers {
namespace {

class Add : public Merge {
 public:
  using Merge::Merge;
  Tensor forward(const Tensor& first, const Tensors& others) const override {
    Tensor sum = first;
    for (const Tensor& x : others) sum = sum + x;
    return sum;
  }
};

class Mul : public Merge {
 public:
  using Merge::Merge;
  Tensor forward(const Tensor& first, const Tensors& others) const override {
    Tensor product = first;
    for (const Tensor& x : others) product = product * x;
    return product;
  }
};

class Concat : public Merge {
 public:
  Concat(const nn::Scope& s, int axis) : Merge(s), axis_(axis) {}
  Tensor forward(const Tensor& first, const Tensors& others) const override {
    Tensors all{first};
    all.insert(all.end(), others.begin(), others.end());
    return concat(all, axis_);
  }

 private:
  int axis_;
};

}  // namespace

std::vector<LayerKind> merges() {
  std::vector<LayerKind> rows{
      row<Add>({.name = "Add", .help = "Elementwise sum of the outputs of several layers"},
               {R"({ type = "Add", from = "stem" })", {3, 8, 8}}),
      row<Concat>(
          {.name = "Concat",
           .arguments = {integer("dim", 4, int64_t{1})},
           .help =
               "Concatenation of the outputs of several layers along dim; 1 is the channel axis"},
          {R"({ type = "Concat", from = "stem" })", {3, 8, 8}},
          [](const Shape&, const Arguments& a) {
            return std::tuple(static_cast<int>(a.integer("dim")));
          }),
      row<Mul>({.name = "Mul",
                .help = "Elementwise product of the outputs of several layers, such as feature "
                        "maps and channel weights"},
               {R"({ type = "Mul", from = "stem" })", {3, 8, 8}}),
  };
  for (LayerKind& kind : rows) kind.merges = true;
  return rows;
}

}  // namespace fovea::models::layers
