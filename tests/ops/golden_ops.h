#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "fovea/graph/graph.h"
#include "fovea/ops.h"

namespace fovea::golden_ops {

using Json = nlohmann::json;

/// One case of a golden file: an op's inputs and options by name. Remembers which options were
/// asked for, so that one which the test does not know is found.
class Call {
 public:
  using Inputs = std::vector<std::pair<std::string, Tensor>>;

  Call(Inputs inputs, Json options) : inputs_(std::move(inputs)), options_(std::move(options)) {}

  /// An input by name; no value where the case has none.
  Tensor operator[](const std::string& name) const;
  /// All inputs, in order.
  Tensors inputs() const;

  bool has(const std::string& name) const { return options_.contains(name); }
  /// Sets `value` to the option, or leaves it where the case has none.
  template <class T>
  void set(const std::string& name, T& value) {
    asked_.insert(name);
    if (has(name)) parse(options_.at(name), value);
  }
  template <class T>
  T get(const std::string& name, T value = {}) {
    set(name, value);
    return value;
  }
  /// f(the option), or, where the case has none, f() and so its own default.
  template <class T, class F>
  Tensor with(const std::string& name, const F& f) {
    return has(name) ? f(get<T>(name)) : f();
  }
  /// The options that were not asked for.
  std::vector<std::string> unknown() const;

 private:
  template <class T>
  static void parse(const Json& json, T& value) {
    json.get_to(value);
  }
  static void parse(const Json& json, Dims& value);
  static void parse(const Json& json, Factors& value);
  static void parse(const Json& json, Padding& value);
  static void parse(const Json& json, Shape& value);
  static void parse(const Json& json, std::optional<Dims>& value);
  static void parse(const Json& json, std::optional<int64_t>& value) { value = json; }
  static void parse(const Json& json, PadMode& value);
  static void parse(const Json& json, Reduction& value);
  static void parse(const Json& json, DType& value);

  Inputs inputs_;
  Json options_;
  std::set<std::string> asked_;
};

/// The functions of fovea/ops.h by the names that golden files know them by.
using Row = std::function<Tensors(Call&)>;
const std::map<std::string, Row>& rows();

}  // namespace fovea::golden_ops
