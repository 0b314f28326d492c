#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::pickle {

// What one pickle may hold; the weights of large networks stay a factor of ten below.
constexpr size_t most_values = 500'000;     ///< in its compounds, on its stack, in its memo: each
constexpr size_t most_compounds = 250'000;  ///< tuples, lists, dicts, objects
constexpr size_t deepest = 100;             ///< compounds within compounds

enum class Kind : uint8_t {
  none,
  boolean,
  integer,
  long_integer,  ///< beyond 64 bits
  number,        ///< of floating point; its value is not kept
  text,
  bytes,
  global,  ///< a name of Python's, such as a function; never more than the name
  // Compounds:
  tuple,
  list,
  set,
  dict,
  object,     ///< what a global would have made of arguments; nothing was made
  reference,  ///< to something outside of the pickle, by a value that names it
};

struct Value {
  Kind kind = Kind::none;
  uint32_t compound = 0;  ///< of a compound: its place in Document::compounds
  int64_t integer = 0;    ///< of an integer or a boolean
  /// Of text (not checked to be UTF-8), bytes, a global ("torch.Size"), and a long integer (bytes,
  /// the least significant first). A view of the pickle, or of the list of globals.
  std::string_view text = {};
};

struct Compound {
  Kind kind = Kind::tuple;
  uint32_t depth = 1;             ///< of the compounds in it, when they were put there
  std::string_view made_by = {};  ///< of an object: a global
  /// Of a dict: key, value, key, value. Of an object: one, the tuple of its arguments. Of a
  /// reference: one, what names it.
  std::vector<Value> items = {};
};

/// A pickle as data.
struct Document {
  Value root;
  std::vector<Compound> compounds;
  size_t size = 0;  ///< bytes of the pickle; others may follow it

  const Compound& compound(const Value& value) const { return compounds[value.compound]; }
  /// What is in a compound; nothing for a plain value.
  std::span<const Value> items(const Value& value) const;
  /// The arguments of an object.
  std::span<const Value> arguments(const Value& object) const;
};

/// Reads the pickle of protocol 2 to 5 at the beginning of `bytes`, which must outlive the result.
/// Data only: nothing is imported, called or made. A pickle that names a global is refused unless
/// that is one of `globals` ("torch._utils._rebuild_tensor_v2") or an OrderedDict, Counter or set
/// (read as dicts and sets); what a known global is called with becomes an object, whose further
/// state is left out. Compounds can hold themselves.
///
/// `source` stands for the pickle in messages. Errors: model for a global that is not known, an
/// opcode that weights need not have, damage, and more than the limits above.
Document read(std::span<const std::byte> bytes, std::span<const std::string_view> globals,
              const std::string& source);

}  // namespace fovea::pickle
