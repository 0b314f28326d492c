#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace fovea {

/// Text that is not JSON, or a value of another kind than asked for.
struct JsonError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A JSON value: null, a boolean, a number, a string, an array, or an object whose members keep
/// their order. It is used as nlohmann::ordered_json is, which reads and writes the text, but no
/// template of it is compiled anew in each file that includes it.
///
///     Json document{{"path", path}, {"classes", Json::array()}};
///     document["classes"].push_back({{"name", "cat"}, {"probability", 0.9}});
class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;

  Json(std::nullptr_t = nullptr);
  Json(const char* text);
  Json(std::string text);
  Json(std::string_view text);
  Json(Array values);
  template <std::same_as<bool> T>
  Json(T value) : Json(Value(value)) {}
  template <std::integral T>
  requires(!std::same_as<T, bool>) Json(T value) {
    if constexpr (std::signed_integral<T>)
      set_signed(value);
    else
      set_unsigned(value);
  }
  /// Infinity and NaN are written as null.
  template <std::floating_point T>
  Json(T value) : Json(Value(static_cast<double>(value))) {}
  template <class T>
  requires(!std::same_as<T, Json> && std::convertible_to<T, Json>)
      Json(const std::vector<T>& values)
      : Json(Array(values.begin(), values.end())) {}
  template <class T, size_t size>
  Json(const std::array<T, size>& values) : Json(Array(values.begin(), values.end())) {}
  /// An object, if each part is a pair of a name and a value, else an array.
  Json(std::initializer_list<Json> parts);
  Json(const Json& other);
  Json(Json&& other) noexcept;
  Json& operator=(const Json& other);
  Json& operator=(Json&& other) noexcept;
  ~Json();

  static Json object();
  static Json array(std::initializer_list<Json> values = {});

  /// The value of a text. Errors: JsonError when it is not JSON, nested more than 500 deep, or has
  /// two members of one name in an object.
  static Json parse(std::string_view text);
  /// The text: in one line, or with `indent` spaces per level. Bytes that are not UTF-8 are
  /// replaced.
  std::string dump(int indent = -1) const;

  bool is_null() const;
  bool is_number() const;
  bool is_string() const;
  bool is_array() const;
  bool is_object() const;
  bool operator==(const Json& other) const;

  /// The value as a bool, a number or a std::string. Errors: JsonError when it is of another kind,
  /// or no integer of this type.
  template <class T>
  T get() const {
    if constexpr (std::same_as<T, bool>) {
      return to_bool();
    } else if constexpr (std::integral<T>) {
      const int64_t value = to_integer();
      if (!std::in_range<T>(value)) fail("a smaller integer");
      return static_cast<T>(value);
    } else if constexpr (std::floating_point<T>) {
      return static_cast<T>(to_double());
    } else {
      static_assert(std::same_as<T, std::string>);
      return to_text();
    }
  }

  /// The number of an array's values or an object's members; 0 for others.
  size_t size() const;
  bool empty() const { return size() == 0; }

  /// An array's values. Errors: JsonError when it is none.
  Array& values();
  const Array& values() const;
  auto begin() { return values().begin(); }
  auto end() { return values().end(); }
  auto begin() const { return values().begin(); }
  auto end() const { return values().end(); }
  Json& back() { return values().back(); }
  /// Errors: JsonError when there is no such value.
  const Json& operator[](std::integral auto index) const {
    return value_at(static_cast<size_t>(index));
  }
  /// Null becomes an array.
  void push_back(Json value);

  /// An object's members. Errors: JsonError when it is none.
  Object& members();
  const Object& members() const;
  bool contains(std::string_view name) const;
  /// Errors: JsonError when there is none of this name.
  const Json& at(std::string_view name) const;
  const Json& operator[](std::string_view name) const { return at(name); }
  const Json& operator[](const char* name) const { return at(name); }
  /// Added, if there is none of this name; null becomes an object.
  Json& operator[](std::string_view name);
  Json& operator[](const char* name) { return (*this)[std::string_view(name)]; }
  /// Adds or replaces the members of another object.
  void update(const Json& other);

 private:
  /// Integers are unsigned only where they do not fit into 63 bits.
  using Value =
      std::variant<std::nullptr_t, bool, int64_t, uint64_t, double, std::string, Array, Object>;

  explicit Json(Value value);
  void set_signed(int64_t value);
  void set_unsigned(uint64_t value);
  bool to_bool() const;
  int64_t to_integer() const;
  double to_double() const;
  const std::string& to_text() const;
  const Json& value_at(size_t index) const;
  [[noreturn]] void fail(const char* expected) const;

  Value value_;
};

}  // namespace fovea
