#include "fovea/passes/fuse_products.h"

#include <array>
#include <map>
#include <set>

#include "fovea/ops/arithmetic.h"
#include "fovea/ops/pool.h"
#include "fovea/passes/uses.h"

namespace fovea {
namespace {

class FuseProducts {
 public:
  explicit FuseProducts(const Graph& graph) : graph_(graph), uses_(graph), copy_(graph) {
    for (const Node& node : graph.nodes()) {
      if (const Node* product = summed_product(node)) {
        products_[&node] = product;
        inner_.insert(product);
      } else if (const auto sum = find_sum(node)) {
        sums_[&node] = *sum;
        inner_.insert({sum->product, sum->pool});
      }
    }
  }

  std::shared_ptr<Graph> run() {
    for (const Node& node : graph_.nodes()) {
      if (inner_.contains(&node)) continue;
      if (const auto product = products_.find(&node); product != products_.end()) {
        fuse_sum(*product->second, node);
      } else if (const auto sum = sums_.find(&node); sum != sums_.end()) {
        fuse_add(sum->second, node);
      } else {
        copy_.keep(node);
      }
    }
    return copy_.finish();
  }

 private:
  /// x * scale + the gradient of x's averages.
  struct Sum {
    const Node *product, *pool;
    size_t x;  ///< of the product's inputs
  };

  /// The node that makes a value which nothing else uses, or null.
  const Node* only_for_this(int id) const {
    const int node = graph_.value(id).node;
    return node < 0 || uses_.count(id) != 1 ? nullptr : &graph_.node(node);
  }
  const Shape& shape(int id) const { return graph_.value(id).type.shape; }

  const Node* summed_product(const Node& node) const {
    if (node.op.as<SumTo>() == nullptr) return nullptr;
    const Node* product = only_for_this(node.inputs[0]);
    const auto* binary = product == nullptr ? nullptr : product->op.as<Binary>();
    return binary != nullptr && binary->kind == BinaryKind::mul ? product : nullptr;
  }

  std::optional<Sum> find_sum(const Node& node) const {
    const auto* add = node.op.as<Binary>();
    if (add == nullptr || add->kind != BinaryKind::add) return std::nullopt;
    for (const size_t side : {0u, 1u}) {
      const Node *product = only_for_this(node.inputs[side]),
                 *pool = only_for_this(node.inputs[1 - side]);
      if (product == nullptr || pool == nullptr) continue;
      const auto* mul = product->op.as<BroadcastBinary>();
      if (mul == nullptr || mul->kind != BinaryKind::mul) continue;
      if (pool->op.as<AdaptiveAvgPoolBackward>() == nullptr) continue;
      const Shape& dy = shape(pool->inputs[0]);
      if (dy.slice(2).numel() != 1) continue;
      const Shape& y = shape(node.outputs[0]);
      if (shape(product->inputs[0]) == y) return Sum{product, pool, 0};
      if (shape(product->inputs[1]) == y) return Sum{product, pool, 1};
    }
    return std::nullopt;
  }

  void fuse_sum(const Node& product, const Node& sum) {
    const Tensors results = copy_.fuse(std::array{&product, &sum}, [&] {
      return copy_.graph()->add(SumOfProducts{sum.op.get<SumTo>().shape}, copy_.inputs(product));
    });
    copy_.replace(sum.outputs[0], results[0]);
  }

  void fuse_add(const Sum& s, const Node& add) {
    const Tensors results = copy_.fuse(std::array{s.product, s.pool, &add}, [&] {
      const Tensor x = copy_[s.product->inputs[s.x]], scale = copy_[s.product->inputs[1 - s.x]];
      const auto positions = static_cast<double>(x.shape().slice(2).numel());
      return Tensors{multiply_add(x, scale, copy_[s.pool->inputs[0]] / positions)};
    });
    copy_.replace(add.outputs[0], results[0]);
  }

  const Graph& graph_;
  Uses uses_;
  std::map<const Node*, const Node*> products_;  ///< by their sums
  std::map<const Node*, Sum> sums_;
  std::set<const Node*> inner_;
  Rewriter copy_;
};

}  // namespace

std::shared_ptr<Graph> fuse_products(const Graph& graph) { return FuseProducts(graph).run(); }

}  // namespace fovea
