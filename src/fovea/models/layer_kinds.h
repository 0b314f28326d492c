#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "fovea/nn/module.h"
#include "fovea/ops/window.h"

// What a net's text may be made of: see net_file.h.
namespace fovea::models {

/// The value of an attribute: nothing, an integer, another number, true or false, a word, integers
/// or other numbers, one per spatial axis.
using AttributeValue = std::variant<std::monostate, int64_t, double, bool, std::string,
                                    std::vector<int64_t>, std::vector<double>>;

/// What an attribute takes: the kinds of AttributeValue. A list of sizes or factors may be one
/// number, for all axes.
enum class AttributeType : uint8_t { whole, number, flag, word, sizes, factors };

/// One attribute of a kind of layer.
struct Attribute {
  std::string name;  ///< PyTorch's, where PyTorch has the layer
  AttributeType type;
  AttributeValue usual = {};   ///< when it is not given; nothing: it has to be, or `follows`
  double least = 0, most = 0;  ///< of numbers, both included
  std::vector<std::string> words = {};  ///< that may be given, instead of a number or alone
  std::string follows = {};             ///< what it is when not given: "the input's"

  /// As it stands in a list: "out_channels", "stride = 1", "padding_mode = \"zeros\"".
  std::string text() const;
};

/// The attributes of one layer: those that were given, and for others their usual values.
class Attributes {
 public:
  explicit Attributes(std::map<std::string, AttributeValue> values) : values_(std::move(values)) {}

  int64_t whole(const std::string& name) const { return get<int64_t>(name); }
  /// `otherwise` when it was not given and has no usual value.
  int64_t whole(const std::string& name, int64_t otherwise) const;
  double number(const std::string& name) const { return get<double>(name); }
  /// Nothing where a word was given instead.
  std::optional<double> optional_number(const std::string& name) const;
  bool flag(const std::string& name) const { return get<bool>(name); }
  const std::string& word(const std::string& name) const { return get<std::string>(name); }
  Dims sizes(const std::string& name) const { return Dims(get<std::vector<int64_t>>(name)); }
  Factors factors(const std::string& name) const { return Factors(get<std::vector<double>>(name)); }
  Padding padding(const std::string& name) const;
  bool has(const std::string& name) const;

 private:
  const AttributeValue& at(const std::string& name) const;
  template <class T>
  const T& get(const std::string& name) const;

  std::map<std::string, AttributeValue> values_;
};

/// A layer that takes several values.
class Merge : public nn::Module {
 public:
  using Module::forward;  // overloaded, not hidden
  using Module::Module;
  virtual Tensor forward(const Tensor& first, const Tensors& others) const = 0;
};

/// One kind of layer.
struct LayerKind {
  std::string name;   ///< the `type` in a text
  std::string about;  ///< in a few words
  std::vector<Attribute> attributes = {};
  /// Makes it for an input of this shape, N, C, spatial. A Merge takes the first of its inputs.
  /// Nothing for the kind Sequential, which is a list of layers. Errors: as of the layer.
  std::function<std::unique_ptr<nn::Module>(const nn::Scope&, const Shape& input,
                                            const Attributes&)>
      build = nullptr;
  bool merges = false;  ///< what it makes is a Merge
};

/// All kinds, in the order in which they are listed.
const std::vector<LayerKind>& layer_kinds();

/// The kind of that name. Errors: model when there is none, with the nearest names.
const LayerKind& layer_kind(const std::string& name);

/// The kinds as text: a line with the name and what it is, and one with its attributes.
std::string layer_kinds_text();

}  // namespace fovea::models
