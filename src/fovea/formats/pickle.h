#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::pickle {

// Limits of one pickle; the weights of large networks stay a factor of ten below.
constexpr size_t max_values = 500'000;     ///< in its compounds, on its stack and in its memo, each
constexpr size_t max_compounds = 250'000;  ///< tuples, lists, dicts, objects
constexpr size_t max_depth = 100;          ///< compounds within compounds

enum class Kind : uint8_t {
  none,
  boolean,
  integer,
  long_integer,  ///< beyond 64 bits
  number,        ///< floating-point; its value is not kept
  text,
  bytes,
  global,  ///< the name of something in Python, such as a function; only the name
  // Compounds:
  tuple,
  list,
  set,
  dict,
  object,     ///< the result of calling a global, which was not called
  reference,  ///< to something outside the pickle, by a value that names it
};

struct Value {
  Kind kind = Kind::none;
  uint32_t compound = 0;  ///< of a compound: its index in Document::compounds
  int64_t integer = 0;    ///< of an integer or a boolean
  /// Of text (not checked to be UTF-8), bytes, a global ("torch.Size"), and a long integer (bytes,
  /// least significant first). A view of the pickle, or of the list of globals.
  std::string_view text = {};
};

struct Compound {
  Kind kind = Kind::tuple;
  uint32_t depth = 1;             ///< of the compounds in it, when they were added
  std::string_view made_by = {};  ///< of an object: a global
  /// Of a dict: key, value, key, value. Of an object: one value, the tuple of its arguments. Of a
  /// reference: one, its name.
  std::vector<Value> items = {};
};

/// A pickle as data.
struct Document {
  Value root;
  std::vector<Compound> compounds;
  size_t size = 0;  ///< bytes of the pickle; more may follow it

  const Compound& compound(const Value& value) const { return compounds[value.compound]; }
  /// The contents of a compound; empty for a plain value.
  std::span<const Value> items(const Value& value) const;
  /// The arguments of an object.
  std::span<const Value> arguments(const Value& object) const;
};

/// Reads the pickle (protocol 2 to 5) at the beginning of `bytes`, which must outlive the result.
/// Data only: nothing is imported, called or constructed. Globals are refused, except those in
/// `globals` ("torch._utils._rebuild_tensor_v2") and OrderedDict, Counter and set (read as dicts
/// and sets); a call of a known global becomes an object with its arguments, without further state.
/// Compounds can contain themselves.
///
/// `source` stands for the pickle in messages. Errors: model for an unknown global, an opcode that
/// weights do not need, damage, and exceeded limits.
Document read(std::span<const std::byte> bytes, std::span<const std::string_view> globals,
              const std::string& source);

}  // namespace fovea::pickle
