#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include "fovea/core/array.h"
#include "fovea/graph/fields.h"
#include "fovea/graph/type.h"

namespace fovea {

class Graph;
struct Node;

/// A handle on a value in a graph being traced: it has a type, no data. A default-constructed one
/// is "no value": an omitted optional input, a gradient that is zero.
class Tensor {
 public:
  Tensor() = default;
  Tensor(std::shared_ptr<Graph> graph, int id) : graph_(std::move(graph)), id_(id) {}

  explicit operator bool() const { return graph_ != nullptr; }
  /// Errors: internal when there is no value.
  const Type& type() const;
  const Shape& shape() const { return type().shape; }
  DType dtype() const { return type().dtype; }
  int rank() const { return type().rank(); }
  int64_t dim(int i) const { return type().dim(i); }

  /// The graph it belongs to. Errors: internal when there is no value.
  Graph& graph() const;
  const std::shared_ptr<Graph>& graph_ptr() const { return graph_; }
  int id() const { return id_; }
  bool operator==(const Tensor& other) const { return graph_ == other.graph_ && id_ == other.id_; }

 private:
  std::shared_ptr<Graph> graph_;
  int id_ = -1;
};

using Tensors = std::vector<Tensor>;

/// The data of one value as an op's reference sees it: float64 for any dtype (integers exact to
/// 2^53), plain layout.
struct View {
  double* data = nullptr;
  Shape shape;

  int64_t dim(int i) const { return shape[i]; }
  int64_t numel() const { return shape.numel(); }
  double& operator[](int64_t i) const { return data[i]; }
};

/// Inputs and outputs of one call. Outputs are not initialised.
struct Views {
  std::vector<View> in, out;
};

/// What the layout pass may do with an op's values of rank 3 to 5.
enum class LayoutRule : uint8_t {
  plain,        ///< all plain
  channelwise,  ///< any layout, as long as all share it
  broadcast,    ///< any for the largest; those broadcast to it, or summed from it, may differ
  convolution,  ///< each N, C, spatial value may have its own; weights are plain
};

/// What mixed precision (passes/precision.h) may do with an op's f32 values. Inputs for which the
/// op says `keeps_wide` stay f32 in any case.
enum class PrecisionRule : uint8_t {
  wide,      ///< stay f32: losses, exponentials, long sums, and ops that do not say more
  as_input,  ///< become 16-bit if the largest input is: activations, pooling, norms
  narrow,    ///< become 16-bit: products
};

/// Properties of an op that passes query. An op declares its own as `static constexpr Traits
/// traits{...}`.
struct Traits {
  bool differentiable =
      true;  ///< false: a backward op, or one that ends the graph; it needs no `gradient`
  bool elementwise =
      false;  ///< output element i depends only on input elements i (and on entire small inputs)
  bool checks_data =
      false;  ///< it throws for some data, such as a label out of range, which ends the run
  bool view =
      false;  ///< output 0 is input 0's bytes with another shape: there is nothing to compute
  LayoutRule layout = LayoutRule::plain;
  PrecisionRule precision = PrecisionRule::wide;
};

/// A sliding window, for receptive fields: one entry per axis.
struct Window {
  std::vector<int64_t> kernel, stride, dilation, padding_begin, padding_end;
};

/// An op's name is a constant of its type or, when one struct is a family of ops, a function.
template <class T>
concept Named = requires {
  { T::name } -> std::convertible_to<std::string_view>;
}
|| requires(const T& op) {
  { op.name() } -> std::convertible_to<std::string_view>;
};

template <class T>
concept Inferring = requires(const T& op, const Types& in) {
  { op.infer(in) } -> std::same_as<Types>;
};

template <class T>
concept Computable = requires(const T& op, const Views& views) {
  { op.reference(views) } -> std::same_as<void>;
};

template <class T>
concept Differentiable = requires(const T& op, const Node& node, const Tensors& dy) {
  { op.gradient(node, dy) } -> std::same_as<Tensors>;
};

template <class T>
constexpr Traits traits_of() {
  if constexpr (requires { T::traits; })
    return T::traits;
  else
    return {};
}

/// Whether `T::fields` visits the members of a T, for reading and for setting (see FieldLister). A
/// struct without members needs no `fields`.
template <class T>
concept Described = std::is_empty_v<T> ||
    requires(T& op, const T& constant, FieldLister& list, FieldSetter& set) {
  { T::fields(constant, list) } -> std::same_as<void>;
  { T::fields(op, set) } -> std::same_as<void>;
};

/// The type that stands for a function, so that two can be compared while compiling.
template <auto function>
struct FunctionConstant {};

/// Converts to the base of T, if there is one, whose `fields` T has as its own.
template <class T>
struct BaseWithFields {
  template <class Base>
  requires(std::is_base_of_v<Base, T> && !std::same_as<Base, T> &&
           std::same_as<FunctionConstant<&Base::template fields<const T, FieldLister&>>,
                        FunctionConstant<&T::template fields<const T, FieldLister&>>>)
  operator Base() const;
};
struct AnyMember {
  template <class Member>
  operator Member() const;
};

/// Whether T adds members to a base but inherits its `fields`, which do not visit them.
template <class T>
concept HidesMembers = requires {
  T{BaseWithFields<T>{}, AnyMember{}};
};

/// What a type must have to be an op: a name, a type rule, a reference, a function that visits its
/// fields, if any, and a gradient unless its traits say that it has none. See ops/ for many; users
/// add their own the same way.
template <class T>
concept OpRule = std::copyable<T> && Named<T> && Inferring<T> && Computable<T> && Described<T> &&
                 !HidesMembers<T> &&
                 (Differentiable<T> || !traits_of<T>().differentiable);

/// Any op: an immutable value that forwards to the struct it was
/// made from. Two are equal when they have the same type and
/// their fields are bitwise equal; the op's name does not matter.
///
/// An op struct may also have `double flops(const Types& in, const Types& out) const` (a
/// multiply-add counts as 2), `std::optional<Window> window() const`, and, if its PrecisionRule is
/// not `wide`, `bool keeps_wide(size_t input) const` for the inputs that stay f32: biases, the
/// parameters and statistics of norms.
class Op {
 public:
  /// Any struct that is an OpRule; for others the compiler says what is missing.
  template <class T>
  requires(std::is_class_v<T> && !std::same_as<T, Op>) Op(T op) {  // NOLINT: implicit
    static_assert(std::copyable<T>, "an op struct has to be copyable");
    static_assert(Named<T>,
                  "the op struct lacks `static constexpr std::string_view name = \"...\";` (or a "
                  "function `std::string_view name() const`)");
    static_assert(Inferring<T>, "the op struct lacks `Types infer(const Types& in) const`");
    static_assert(Computable<T>, "the op struct lacks `void reference(const Views& v) const`");
    static_assert(Differentiable<T> || !traits_of<T>().differentiable,
                  "the op struct lacks `Tensors gradient(const Node& node, const Tensors& dy) "
                  "const`, or traits that say `.differentiable = false`");
    static_assert(Described<T>,
                  "the op struct has members but lacks `static void fields(auto& op, auto&& "
                  "visit)`, which visits each of them by name");
    static_assert(!HidesMembers<T>,
                  "the op struct adds members to its base but inherits its `fields`: it needs its "
                  "own, which calls the base's and visits the added members");
    if constexpr (OpRule<T>) self_ = std::make_shared<Model<T>>(std::move(op));
  }

  std::string_view name() const { return self_->name(); }
  const Traits& traits() const { return self_->traits; }
  /// Types of the outputs for these inputs (absent optional inputs are omitted from the end of the
  /// list). Errors: usage, with both values, when the inputs do not fit.
  Types infer(const Types& in) const { return self_->infer(in); }
  /// The gradient for each input of `node`, built from ops; no value where it has none. `dy` has
  /// one entry per output, no value where nothing depends on it.
  Tensors gradient(const Node& node, const Tensors& dy) const { return self_->gradient(node, dy); }
  void reference(const Views& views) const { self_->reference(views); }
  double flops(const Types& in, const Types& out) const { return self_->flops(in, out); }
  std::optional<Window> window() const { return self_->window(); }
  bool keeps_wide(size_t input) const { return self_->keeps_wide(input); }

  /// Its fields as data, and as text: "kernel=3x5 stride=2".
  Fields fields() const { return self_->fields(); }
  std::string attributes() const { return to_string(fields()); }
  /// An op of the same type with these fields: see FieldSetter. Errors: usage when a value is out
  /// of its field's range.
  Op with(std::span<const Field> fields) const { return self_->with(fields); }

  bool operator==(const Op& other) const;
  /// Equal for equal ops.
  size_t hash() const;

  const std::type_info& type() const { return self_->type(); }
  /// The struct inside this op, or null when it is of another type. Check this, not the name: a
  /// user's op may have any name.
  template <class T>
  const T* as() const {
    return type() == typeid(T) ? &static_cast<const Model<T>&>(*self_).op : nullptr;
  }
  /// The same when it must be of this type. Errors: internal when it is not.
  template <class T>
  const T& get() const {
    const T* op = as<T>();
    if (op == nullptr) throw_wrong_type(typeid(T));
    return *op;
  }

 private:
  [[noreturn]] void throw_wrong_type(const std::type_info& wanted) const;

  struct Concept {
    explicit Concept(Traits t) : traits(t) {}
    virtual ~Concept() = default;
    virtual const std::type_info& type() const = 0;
    virtual std::string_view name() const = 0;
    virtual Types infer(const Types& in) const = 0;
    virtual Tensors gradient(const Node& node, const Tensors& dy) const = 0;
    virtual void reference(const Views& views) const = 0;
    virtual double flops(const Types& in, const Types& out) const = 0;
    virtual std::optional<Window> window() const = 0;
    virtual bool keeps_wide(size_t input) const = 0;
    virtual Fields fields() const = 0;
    virtual Op with(std::span<const Field> fields) const = 0;
    Traits traits;
  };

  template <class T>
  struct Model final : Concept {
    explicit Model(T o) : Concept(traits_of<T>()), op(std::move(o)) {}
    const std::type_info& type() const override { return typeid(T); }
    std::string_view name() const override {
      if constexpr (requires { op.name(); })
        return op.name();
      else
        return T::name;
    }
    Types infer(const Types& in) const override { return op.infer(in); }
    Tensors gradient(const Node& node, const Tensors& dy) const override {
      if constexpr (Differentiable<T>)
        return op.gradient(node, dy);
      else
        return {};
    }
    void reference(const Views& views) const override { op.reference(views); }
    double flops(const Types& in, const Types& out) const override {
      if constexpr (requires { op.flops(in, out); })
        return op.flops(in, out);
      else
        return 0;
    }
    std::optional<Window> window() const override {
      if constexpr (requires { op.window(); })
        return op.window();
      else
        return std::nullopt;
    }
    bool keeps_wide(size_t input) const override {
      if constexpr (requires { op.keeps_wide(input); })
        return op.keeps_wide(input);
      else
        return false;
    }
    Fields fields() const override {
      FieldLister list;
      if constexpr (!std::is_empty_v<T>) T::fields(op, list);
      return list.take();
    }
    Op with(std::span<const Field> given) const override {
      T other = op;
      FieldSetter set(given);
      if constexpr (!std::is_empty_v<T>) T::fields(other, set);
      return other;
    }
    T op;
  };

  std::shared_ptr<const Concept> self_;
};

}  // namespace fovea
