#include "fovea/core/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace fovea {
namespace {

using Document = nlohmann::ordered_json;

constexpr size_t deepest = 500;

/// Builds the value while its text is read: a document of nlohmann's searches an object's members
/// one by one for each that is added.
class Reader final : public nlohmann::json_sax<Document> {
 public:
  explicit Reader(Json& root) : root_(root) {}

  bool null() override { return add(nullptr), true; }
  bool boolean(bool value) override { return add(value), true; }
  bool number_integer(int64_t value) override { return add(value), true; }
  bool number_unsigned(uint64_t value) override { return add(value), true; }
  bool number_float(double value, const std::string&) override { return add(value), true; }
  bool string(std::string& value) override { return add(std::move(value)), true; }
  bool binary(Document::binary_t&) override { return false; }  // never in text
  bool start_object(size_t) override { return open(Json::object()), true; }
  bool start_array(size_t) override { return open(Json::array()), true; }
  bool end_array() override { return open_.pop_back(), true; }

  bool key(std::string& name) override {
    open_.back()->members().emplace_back(std::move(name), nullptr);
    return true;
  }
  bool end_object() override {
    std::vector<std::string_view> names;
    for (const auto& [name, value] : open_.back()->members()) names.push_back(name);
    std::ranges::sort(names);
    const auto twice = std::ranges::adjacent_find(names);
    if (twice != names.end()) throw JsonError(fmt::format("an object has \"{}\" twice", *twice));
    open_.pop_back();
    return true;
  }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception& error) override {
    throw JsonError(error.what());
  }

 private:
  /// The value's place: an array's end, the last member, or the root.
  Json& add(Json value) {
    if (open_.empty()) return root_ = std::move(value);
    Json& parent = *open_.back();
    if (parent.is_object()) return parent.members().back().second = std::move(value);
    parent.push_back(std::move(value));
    return parent.back();
  }
  void open(Json value) {
    if (open_.size() == deepest)
      throw JsonError(fmt::format("arrays and objects nested more than {} deep", deepest));
    open_.push_back(&add(std::move(value)));
  }

  Json& root_;
  std::vector<Json*> open_;  ///< arrays and objects that have not ended, from the root on
};

}  // namespace

Json::Json(std::nullptr_t) : value_(nullptr) {}
Json::Json(const char* text) : value_(std::string(text)) {}
Json::Json(std::string text) : value_(std::move(text)) {}
Json::Json(std::string_view text) : value_(std::string(text)) {}
Json::Json(Array values) : value_(std::move(values)) {}
Json::Json(Value value) : value_(std::move(value)) {}
Json::Json(const Json& other) = default;
Json::Json(Json&& other) noexcept = default;
Json& Json::operator=(const Json& other) = default;
Json& Json::operator=(Json&& other) noexcept = default;
Json::~Json() = default;

Json::Json(std::initializer_list<Json> parts) {
  const auto is_member = [](const Json& part) {
    return part.is_array() && part.size() == 2 && part[0].is_string();
  };
  if (!std::ranges::all_of(parts, is_member)) {
    value_ = Array(parts);
    return;
  }
  *this = object();
  for (const Json& part : parts) (*this)[part[0].to_text()] = part[1];
}

Json Json::object() { return Json(Value(Object())); }
Json Json::array(std::initializer_list<Json> values) { return Json(Value(Array(values))); }

void Json::set_signed(int64_t value) { value_ = value; }

void Json::set_unsigned(uint64_t value) {
  if (std::in_range<int64_t>(value))
    value_ = static_cast<int64_t>(value);
  else
    value_ = value;
}

Json Json::parse(std::string_view text) {
  Json root;
  Reader reader(root);
  Document::sax_parse(text, &reader);
  return root;
}

std::string Json::dump(int indent) const {
  const auto document = [](const auto& self, const Json& json) -> Document {
    return std::visit(
        [&](const auto& value) -> Document {
          using T = std::decay_t<decltype(value)>;
          if constexpr (std::is_same_v<T, Array>) {
            Document array = Document::array();
            for (const Json& element : value) array.push_back(self(self, element));
            return array;
          } else if constexpr (std::is_same_v<T, Object>) {
            Document object = Document::object();
            for (const auto& [name, member] : value) {
              object.get_ref<Document::object_t&>().emplace_back(name, self(self, member));
            }
            return object;
          } else {
            return value;
          }
        },
        json.value_);
  };
  return document(document, *this).dump(indent, ' ', false, Document::error_handler_t::replace);
}

bool Json::is_null() const { return std::holds_alternative<std::nullptr_t>(value_); }
bool Json::is_string() const { return std::holds_alternative<std::string>(value_); }
bool Json::is_array() const { return std::holds_alternative<Array>(value_); }
bool Json::is_object() const { return std::holds_alternative<Object>(value_); }
bool Json::is_number() const {
  return std::holds_alternative<int64_t>(value_) || std::holds_alternative<uint64_t>(value_) ||
         std::holds_alternative<double>(value_);
}

bool Json::operator==(const Json& other) const { return value_ == other.value_; }

void Json::fail(const char* expected) const {
  static constexpr const char* kinds[] = {"null",     "a boolean", "an integer", "an integer",
                                          "a number", "a string",  "an array",   "an object"};
  throw JsonError(fmt::format("{} was expected, but it is {}", expected, kinds[value_.index()]));
}

bool Json::to_bool() const {
  if (const bool* value = std::get_if<bool>(&value_)) return *value;
  fail("a boolean");
}

int64_t Json::to_integer() const {
  if (const int64_t* value = std::get_if<int64_t>(&value_)) return *value;
  fail("an integer");
}

double Json::to_double() const {
  if (const int64_t* value = std::get_if<int64_t>(&value_)) return static_cast<double>(*value);
  if (const uint64_t* value = std::get_if<uint64_t>(&value_)) return static_cast<double>(*value);
  if (const double* value = std::get_if<double>(&value_)) return *value;
  fail("a number");
}

const std::string& Json::to_text() const {
  if (const std::string* value = std::get_if<std::string>(&value_)) return *value;
  fail("a string");
}

size_t Json::size() const {
  if (const Array* array = std::get_if<Array>(&value_)) return array->size();
  if (const Object* object = std::get_if<Object>(&value_)) return object->size();
  return 0;
}

const Json::Array& Json::values() const {
  if (const Array* array = std::get_if<Array>(&value_)) return *array;
  fail("an array");
}

Json::Array& Json::values() { return const_cast<Array&>(std::as_const(*this).values()); }

const Json& Json::value_at(size_t index) const {
  if (index < values().size()) return values()[index];
  throw JsonError(fmt::format("value {} was expected, but there are {}", index, size()));
}

void Json::push_back(Json value) {
  if (is_null()) value_ = Array();
  values().push_back(std::move(value));
}

const Json::Object& Json::members() const {
  if (const Object* object = std::get_if<Object>(&value_)) return *object;
  fail("an object");
}

bool Json::contains(std::string_view name) const {
  return is_object() &&
         std::ranges::any_of(members(), [&](const Member& member) { return member.first == name; });
}

const Json& Json::at(std::string_view name) const {
  for (const auto& [other, value] : members()) {
    if (other == name) return value;
  }
  throw JsonError(fmt::format("there is no \"{}\"", name));
}

Json::Object& Json::members() { return const_cast<Object&>(std::as_const(*this).members()); }

Json& Json::operator[](std::string_view name) {
  if (is_null()) value_ = Object();
  for (auto& [other, value] : members()) {
    if (other == name) return value;
  }
  return members().emplace_back(std::string(name), nullptr).second;
}

void Json::update(const Json& other) {
  for (const auto& [name, value] : other.members()) (*this)[name] = value;
}

}  // namespace fovea
