#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "fovea/core/dtype.h"
#include "fovea/core/shape.h"

namespace fovea {

/// An enumerator, as its position among the names of its enumeration (kept by reference, so they
/// must be constants).
struct EnumValue {
  int64_t index = 0;
  std::span<const std::string_view> names;
};

/// The value of one field of an op. Integers of any width are stored in 64 bits, shapes as lists.
using FieldValue = std::variant<bool, int64_t, uint64_t, float, double, EnumValue,
                                std::vector<int64_t>, std::vector<float>, std::vector<double>>;

/// One field of an op as data.
struct Field {
  std::string_view name;
  FieldValue value;
  bool optional = false;     ///< may be "none"
  bool absent = false;       ///< is none: `value` only shows the type
  bool per_axis = false;     ///< a list; a single number applies to every spatial axis
  bool in_name = false;      ///< implied by the op's name, so omitted from text
  bool has_default = false;  ///< may be omitted from text
  bool at_default = false;   ///< is omitted from text
};
using Fields = std::vector<Field>;

/// One number per spatial axis: "3" when all are equal, else "3x5".
std::string dims_text(const std::vector<int64_t>& values);

/// Fields as text: "kernel=3x5 stride=1 mode=reflect shape=[8, 3] bias". Numbers read back exactly;
/// a field at its default is omitted; a true bool is just its name.
std::string to_string(const Fields& fields);

/// Reads what to_string writes. `like` are the fields of an op of that name; a single number in a
/// per-axis list is repeated for all `axes`. Returns the fields in the text, in its order. Errors:
/// usage, naming `op` and the field, for an unknown field (with the nearest names), a duplicate, a
/// missing field that has no default, and a value that is not of its type.
Fields read_fields(std::string_view op, const Fields& like, std::string_view text, int axes);

/// All fields as bytes: equal exactly when names, types and values are equal, floating-point values
/// bitwise (so -0 differs from 0, and a NaN equals itself).
std::string exact_bytes(const Fields& fields);

template <class E>
concept NamedEnum = std::is_enum_v<E> && requires(E e) {
  { enum_names(e) } -> std::convertible_to<std::span<const std::string_view>>;
};

/// Converts the type of an op's member to a FieldValue and back.
template <class T>
struct FieldType {
  static constexpr bool known = false;
};
template <class T>
requires std::same_as<T, bool> || std::floating_point<T> || std::integral<T>
struct FieldType<T> {
  static constexpr bool known = !std::same_as<T, long double>;
  using Stored = std::conditional_t<std::same_as<T, bool> || std::floating_point<T>, T,
                                    std::conditional_t<std::signed_integral<T>, int64_t, uint64_t>>;
  static FieldValue from(T value) { return static_cast<Stored>(value); }
  static T to(const FieldValue& value) { return static_cast<T>(std::get<Stored>(value)); }
};
template <NamedEnum T>
struct FieldType<T> {
  static constexpr bool known = true;
  static FieldValue from(T value) {
    return EnumValue{static_cast<int64_t>(value), enum_names(T{})};
  }
  static T to(const FieldValue& value) { return static_cast<T>(std::get<EnumValue>(value).index); }
};
template <>
struct FieldType<Shape> {
  static constexpr bool known = true;
  static FieldValue from(const Shape& value) {
    return std::vector<int64_t>(value.begin(), value.end());
  }
  static Shape to(const FieldValue& value) { return Shape(std::get<std::vector<int64_t>>(value)); }
};
template <class T>
requires std::signed_integral<T> || std::same_as<T, float> || std::same_as<T, double>
struct FieldType<std::vector<T>> {
  static constexpr bool known = true;
  using Stored = std::vector<std::conditional_t<std::signed_integral<T>, int64_t, T>>;
  static FieldValue from(const std::vector<T>& value) { return Stored(value.begin(), value.end()); }
  static std::vector<T> to(const FieldValue& value) {
    const auto& stored = std::get<Stored>(value);
    return std::vector<T>(stored.begin(), stored.end());
  }
};
template <class T>
struct FieldType<std::optional<T>> {
  static constexpr bool known = FieldType<T>::known;
};

template <class T>
constexpr void require_field_type() {
  static_assert(FieldType<T>::known,
                "a field of an op is a bool, a number, an enumeration with `enum_names`, a Shape, "
                "a vector of signed numbers, or a std::optional of one of these");
}

/// The argument of an op's `fields` function, which calls, for each member in turn,
///
///     visit("eps", op.eps);                        always in the text
///     visit("groups", op.groups, 1);               omitted from the text at this default
///     visit.per_axis("stride", op.stride);         one number per spatial axis, "3" when all are 3
///     visit.per_axis("end", op.end, op.begin);     a default may be a previously visited field
///     visit.in_name("kind", op.kind);              implied by the op's name
///
/// This one lists the fields of an op; FieldSetter sets them.
class FieldLister {
 public:
  template <class T>
  void operator()(std::string_view name, const T& value) {
    list_.push_back(field(name, value));
  }
  template <class T, class D>
  void operator()(std::string_view name, const T& value, const D& otherwise) {
    list_.push_back(with_default(field(name, value), field(name, T(otherwise))));
  }
  template <class... Args>
  void per_axis(std::string_view name, const Args&... args) {
    (*this)(name, args...);
    list_.back().per_axis = true;
  }
  template <class T>
  void in_name(std::string_view name, const T& value) {
    (*this)(name, value);
    list_.back().in_name = true;
  }

  Fields take() { return std::move(list_); }

 private:
  template <class T>
  static Field field(std::string_view name, const T& value) {
    require_field_type<T>();
    return {.name = name, .value = FieldType<T>::from(value)};
  }
  template <class T>
  static Field field(std::string_view name, const std::optional<T>& value) {
    require_field_type<T>();
    return {.name = name,
            .value = FieldType<T>::from(value.value_or(T{})),
            .optional = true,
            .absent = !value.has_value()};
  }
  static Field with_default(Field field, const Field& otherwise);

  Fields list_;
};

/// Sets the fields of an op: those given to their values, the others to their defaults. A field
/// that is not given and has no default is unchanged.
class FieldSetter {
 public:
  explicit FieldSetter(std::span<const Field> given) : given_(given) {}

  template <class T>
  void operator()(std::string_view name, T& value) {
    require_field_type<T>();
    if (const Field* field = find(name)) assign(*field, value);
  }
  template <class T, class D>
  void operator()(std::string_view name, T& value, const D& otherwise) {
    require_field_type<T>();
    if (const Field* field = find(name)) {
      assign(*field, value);
    } else {
      value = T(otherwise);
    }
  }
  template <class T, class... Default>
  void per_axis(std::string_view name, T& value, const Default&... otherwise) {
    (*this)(name, value, otherwise...);
  }
  template <class T>
  void in_name(std::string_view name, T& value) {
    (*this)(name, value);
  }

 private:
  const Field* find(std::string_view name) const;
  template <class T>
  static void assign(const Field& field, T& value) {
    value = FieldType<T>::to(field.value);
    require_kept(field, FieldType<T>::from(value));
  }
  template <class T>
  static void assign(const Field& field, std::optional<T>& value) {
    value.reset();
    if (!field.absent) assign(field, value.emplace());
  }
  /// Errors: usage when the value does not fit a narrower integer.
  static void require_kept(const Field& given, const FieldValue& kept);

  std::span<const Field> given_;
};

}  // namespace fovea
