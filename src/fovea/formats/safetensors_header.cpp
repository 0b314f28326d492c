#include "fovea/formats/safetensors_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "fovea/core/error.h"

namespace fovea {
namespace {

constexpr std::array<std::pair<std::string_view, DType>, 11> safetensors_dtypes = {{
    {"F64", DType::f64},
    {"F32", DType::f32},
    {"BF16", DType::bf16},
    {"F16", DType::f16},
    {"I64", DType::i64},
    {"I32", DType::i32},
    {"I16", DType::i16},
    {"I8", DType::i8},
    {"U8", DType::u8},
    {"U16", DType::u16},
    {"BOOL", DType::boolean},
}};

/// Follows the JSON event by event, so that duplicate keys are noticed (a parsed document would
/// keep the last) and nothing is built beyond what the format has: two levels of objects, and
/// arrays of integers in a tensor's entry.
class JsonHeaderReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  JsonHeaderReader(const std::string& file, SafeTensorsHeader& out) : file_(file), out_(out) {}

  bool start_object(size_t) override {
    if (place_ == Place::start) {
      place_ = Place::root;
    } else if (place_ == Place::root) {
      place_ = key_ == "__metadata__" ? Place::metadata : Place::tensor;
      dtype_.reset();
      shape_.reset();
      offsets_.reset();
    } else {
      unexpected("an object");
    }
    return true;
  }

  bool end_object() override {
    if (place_ == Place::tensor) finish_tensor();
    place_ = place_ == Place::root ? Place::start : Place::root;
    return true;
  }

  bool key(string_t& name) override {
    if (place_ == Place::root) {
      if (!names_.insert(name).second) fail(fmt::format("the header names \"{}\" twice", name));
      key_ = name;
      return true;
    }
    field_ = name;
    if (place_ == Place::metadata && out_.metadata.contains(name)) {
      fail(fmt::format("the metadata has the key \"{}\" twice", name));
    }
    if (place_ == Place::tensor) {
      const bool twice = (name == "dtype" && dtype_) || (name == "shape" && shape_) ||
                         (name == "data_offsets" && offsets_);
      if (twice) fail(fmt::format("it has \"{}\" twice", name));
      if (name != "dtype" && name != "shape" && name != "data_offsets") {
        fail(fmt::format("it has an unknown field \"{}\"", name));
      }
    }
    return true;
  }

  bool string(string_t& value) override {
    if (place_ == Place::metadata) {
      out_.metadata[field_] = value;
    } else if (place_ == Place::tensor && field_ == "dtype") {
      const auto* found = std::find_if(safetensors_dtypes.begin(), safetensors_dtypes.end(),
                                       [&](const auto& entry) { return entry.first == value; });
      if (found == safetensors_dtypes.end()) {
        throw error(fmt::format("dtype \"{}\" is not one that can be read", value))
            .with("known", "F64, F32, BF16, F16, I64, I32, I16, I8, U8, BOOL");
      }
      dtype_ = found->second;
    } else {
      unexpected("a string");
    }
    return true;
  }

  bool start_array(size_t) override {
    if (place_ != Place::tensor || field_ == "dtype") unexpected("an array");
    numbers_.clear();
    place_ = Place::numbers;
    return true;
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ != Place::numbers) unexpected("a number");
    const size_t maximum = field_ == "shape" ? Shape::max_rank : 2;
    if (numbers_.size() == maximum) {
      fail(fmt::format("{} has more than {} numbers", field_, maximum));
    }
    if (value > uint64_t{1} << 62) fail(fmt::format("{} has {}, beyond 2^62", field_, value));
    numbers_.push_back(static_cast<int64_t>(value));
    return true;
  }

  bool end_array() override {
    place_ = Place::tensor;
    if (field_ == "shape") {
      shape_ = Shape(numbers_);
    } else if (numbers_.size() == 2) {
      offsets_ = {static_cast<uint64_t>(numbers_[0]), static_cast<uint64_t>(numbers_[1])};
    } else {
      fail(fmt::format("data_offsets has {} numbers, not 2", numbers_.size()));
    }
    return true;
  }

  bool null() override {  // as in the reference reader: no metadata
    return (place_ == Place::root && key_ == "__metadata__") || unexpected("null");
  }
  bool boolean(bool) override { return unexpected("a boolean"); }
  bool number_integer(number_integer_t value) override {
    return unexpected(fmt::format("the number {}", value));
  }
  bool number_float(number_float_t, const string_t& text) override {
    return unexpected("the number " + text.substr(0, 40));
  }
  bool binary(binary_t&) override { return unexpected("bytes"); }

  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception&) override {
    throw Error(ErrorKind::model, fmt::format("{}: its header is not valid JSON", file_))
        .with("offset", std::to_string(8 + position - std::min<size_t>(position, 1)));
  }

 private:
  enum class Place { start, root, metadata, tensor, numbers };

  /// An error about the header, the metadata or the tensor being read.
  Error error(const std::string& what) const {
    const bool in_tensor = place_ == Place::tensor || place_ == Place::numbers;
    return {ErrorKind::model,
            fmt::format("{}: {}{}", file_, in_tensor ? fmt::format("tensor \"{}\": ", key_) : "",
                        what)};
  }
  [[noreturn]] void fail(const std::string& what) const { throw error(what); }

  bool unexpected(const std::string& what) const {
    switch (place_) {
      case Place::start:
        fail(fmt::format("its header is {}, not an object", what));
      case Place::root:
        fail(fmt::format("\"{}\" in its header is {}, not an object", key_, what));
      case Place::metadata:
        fail(fmt::format("metadata \"{}\" is {}, not a string", field_, what));
      default:
        fail(fmt::format("{} is or has {}{}", field_, what,
                         field_ == "dtype" ? ", not a string" : ", not numbers of at least 0"));
    }
  }

  void finish_tensor() {
    if (!dtype_ || !shape_ || !offsets_) {
      fail(std::string("it has no ") + (!dtype_ ? "dtype" : !shape_ ? "shape" : "data_offsets"));
    }
    out_.tensors.push_back({key_, *dtype_, *shape_, offsets_->first, offsets_->second});
  }

  const std::string& file_;
  SafeTensorsHeader& out_;
  Place place_ = Place::start;
  std::set<std::string> names_;
  std::string key_, field_;
  std::optional<DType> dtype_;
  std::optional<Shape> shape_;
  std::optional<std::pair<uint64_t, uint64_t>> offsets_;
  std::vector<int64_t> numbers_;
};

}  // namespace

SafeTensorsHeader parse_safetensors_header(std::string_view json, const std::string& file) {
  SafeTensorsHeader header;
  JsonHeaderReader reader(file, header);
  nlohmann::json::sax_parse(json, &reader);
  return header;
}

std::string_view safetensors_name(DType dtype) {
  for (const auto& [text, known] : safetensors_dtypes) {
    if (known == dtype) return text;
  }
  return "";
}

}  // namespace fovea
