#include "fovea/formats/pickle.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/formats/bytes.h"

namespace fovea::pickle {
namespace {

enum Opcode : uint8_t {
  op_mark = '(',
  op_empty_tuple = ')',
  op_stop = '.',
  op_pop = '0',
  op_pop_mark = '1',
  op_dup = '2',
  op_binbytes = 'B',
  op_short_binbytes = 'C',
  op_binfloat = 'G',
  op_binint = 'J',
  op_binint1 = 'K',
  op_binint2 = 'M',
  op_none = 'N',
  op_binpersid = 'Q',
  op_reduce = 'R',
  op_binstring = 'T',
  op_short_binstring = 'U',
  op_binunicode = 'X',
  op_empty_list = ']',
  op_append = 'a',
  op_build = 'b',
  op_global = 'c',
  op_appends = 'e',
  op_binget = 'h',
  op_long_binget = 'j',
  op_binput = 'q',
  op_long_binput = 'r',
  op_setitem = 's',
  op_tuple = 't',
  op_setitems = 'u',
  op_empty_dict = '}',
  op_proto = 0x80,
  op_newobj = 0x81,
  op_tuple1 = 0x85,
  op_tuple2 = 0x86,
  op_tuple3 = 0x87,
  op_newtrue = 0x88,
  op_newfalse = 0x89,
  op_long1 = 0x8a,
  op_long4 = 0x8b,
  op_short_binunicode = 0x8c,
  op_binunicode8 = 0x8d,
  op_binbytes8 = 0x8e,
  op_empty_set = 0x8f,
  op_additems = 0x90,
  op_frozenset = 0x91,
  op_stack_global = 0x93,
  op_memoize = 0x94,
  op_frame = 0x95,
  op_bytearray8 = 0x96,
};

/// The globals of Python itself that are read as the compounds they build.
constexpr std::array<std::pair<std::string_view, Kind>, 6> own_globals = {{
    {"collections.OrderedDict", Kind::dict},
    {"collections.Counter", Kind::dict},
    {"builtins.set", Kind::set},
    {"__builtin__.set", Kind::set},  // as Python 2 called it, and protocol 2 still does
    {"builtins.frozenset", Kind::set},
    {"__builtin__.frozenset", Kind::set},
}};

Kind made_by(std::string_view global) {
  const auto* own = std::find_if(own_globals.begin(), own_globals.end(),
                                 [&](const auto& entry) { return entry.first == global; });
  return own == own_globals.end() ? Kind::object : own->second;
}

class Reader {
 public:
  Reader(std::span<const std::byte> bytes, std::span<const std::string_view> globals,
         const std::string& source)
      : bytes_(bytes), globals_(globals), source_(source) {}

  Document read() {
    if (take<uint8_t>() != op_proto) fail("does not begin like one of protocol 2 to 5");
    check_protocol();
    for (;;) {
      start_ = at_;
      const auto op = take<uint8_t>();
      if (op == op_stop) break;
      if (!plain(op) && !container(op) && !call(op) && !bookkeeping(op)) {
        fail(fmt::format("has an opcode that weights do not need: {}", op));
      }
    }
    if (stack_.size() != 1 || !marks_.empty()) fail("ends with values left over, or none");
    document_.root = stack_.back();
    document_.size = at_;
    return std::move(document_);
  }

 private:
  /// Plain values.
  bool plain(uint8_t op) {
    switch (op) {
      case op_none:
        return push({});
      case op_newtrue:
      case op_newfalse:
        return push({.kind = Kind::boolean, .integer = op == op_newtrue});
      case op_binint:
        return push_integer(static_cast<int32_t>(take<uint32_t>()));
      case op_binint1:
        return push_integer(take<uint8_t>());
      case op_binint2:
        return push_integer(take<uint16_t>());
      case op_long1:
        return push_long(take_text(take<uint8_t>()));
      case op_long4:
        return push_long(take_text(take<uint32_t>()));
      case op_binfloat:
        take_text(sizeof(double));
        return push({.kind = Kind::number});
      case op_short_binunicode:
      case op_short_binstring:
        return push({.kind = Kind::text, .text = take_text(take<uint8_t>())});
      case op_binunicode:
      case op_binstring:
        return push({.kind = Kind::text, .text = take_text(take<uint32_t>())});
      case op_binunicode8:
        return push({.kind = Kind::text, .text = take_text(take<uint64_t>())});
      case op_short_binbytes:
        return push({.kind = Kind::bytes, .text = take_text(take<uint8_t>())});
      case op_binbytes:
        return push({.kind = Kind::bytes, .text = take_text(take<uint32_t>())});
      case op_binbytes8:
      case op_bytearray8:
        return push({.kind = Kind::bytes, .text = take_text(take<uint64_t>())});
      default:
        return false;
    }
  }

  bool container(uint8_t op) {
    switch (op) {
      case op_empty_tuple:
        return push(make(Kind::tuple, {}));
      case op_tuple1:
      case op_tuple2:
      case op_tuple3:
        return push(make(Kind::tuple, pop(op - op_tuple1 + 1u)));
      case op_tuple:
        return push(make(Kind::tuple, pop_to_mark()));
      case op_empty_list:
        return push(make(Kind::list, {}));
      case op_append:
        return add_to(Kind::list, pop(1));
      case op_appends:
        return add_to(Kind::list, pop_to_mark());
      case op_empty_dict:
        return push(make(Kind::dict, {}));
      case op_setitem:
        return add_pairs(pop(2));
      case op_setitems:
        return add_pairs(pop_to_mark());
      case op_empty_set:
        return push(make(Kind::set, {}));
      case op_additems:
        return add_to(Kind::set, pop_to_mark());
      case op_frozenset:
        return push(make(Kind::set, pop_to_mark()));
      default:
        return false;
    }
  }

  /// Opcodes that make Python call something; here they create an object, or a compound of a known
  /// kind.
  bool call(uint8_t op) {
    switch (op) {
      case op_global: {
        const std::string_view module = take_line(), name = take_line();
        return push_global(module, name);
      }
      case op_stack_global: {
        const std::vector<Value> names = pop(2);
        if (names[0].kind != Kind::text || names[1].kind != Kind::text) {
          fail("names a global by something other than text");
        }
        return push_global(names[0].text, names[1].text);
      }
      case op_reduce:
      case op_newobj: {
        const std::vector<Value> both = pop(2);
        if (both[0].kind != Kind::global || both[1].kind != Kind::tuple) {
          fail("calls something other than a global, or without a tuple of arguments");
        }
        return push(called(both[0].text, both[1]));
      }
      case op_build: {  // the state of an object, which is not needed
        pop(1);
        const Kind target = top().kind;
        if (target != Kind::object && target != Kind::dict) {
          fail("gives state to something other than an object");
        }
        return true;
      }
      case op_binpersid:
        return push(make(Kind::reference, pop(1)));
      default:
        return false;
    }
  }

  bool bookkeeping(uint8_t op) {
    switch (op) {
      case op_proto:
        return check_protocol();
      case op_frame:
        if (take<uint64_t>() > bytes_.size() - at_)
          fail("has a frame that extends beyond the file");
        return true;
      case op_mark:
        if (marks_.size() == max_depth) fail(fmt::format("is nested deeper than {}", max_depth));
        marks_.push_back(stack_.size());
        return true;
      case op_pop:
        if (!marks_.empty() && marks_.back() == stack_.size()) {
          marks_.pop_back();
        } else {
          pop(1);
        }
        return true;
      case op_pop_mark:
        pop_to_mark();
        return true;
      case op_dup:
        return push(top());
      case op_binput:
        return memorize(take<uint8_t>());
      case op_long_binput:
        return memorize(take<uint32_t>());
      case op_memoize:
        return memorize(memo_.size());
      case op_binget:
        return recall(take<uint8_t>());
      case op_long_binget:
        return recall(take<uint32_t>());
      default:
        return false;
    }
  }

  bool check_protocol() {
    const int protocol = take<uint8_t>();
    if (protocol < 2 || protocol > 5) {
      fail(fmt::format("is of protocol {}; 2 to 5 are read", protocol));
    }
    return true;
  }

  template <class T>
  T take() {
    const std::string_view raw = take_text(sizeof(T));
    return little_endian<T>(std::as_bytes(std::span(raw)));
  }

  std::string_view take_text(uint64_t size) {
    if (size > bytes_.size() - at_) {
      fail(fmt::format("ends in the middle: {} bytes are expected, {} are left", size,
                       bytes_.size() - at_));
    }
    const std::string_view text(reinterpret_cast<const char*>(bytes_.data()) + at_, size);
    at_ += size;
    return text;
  }

  std::string_view take_line() {
    const std::string_view rest(reinterpret_cast<const char*>(bytes_.data()) + at_,
                                bytes_.size() - at_);
    const size_t end = rest.find('\n');
    if (end == std::string_view::npos) fail("ends in the middle of a name");
    at_ += end + 1;
    return rest.substr(0, end);
  }

  bool push(const Value& value) {
    if (stack_.size() == max_values) too_many("values");
    stack_.push_back(value);
    return true;
  }
  bool push_integer(int64_t value) { return push({.kind = Kind::integer, .integer = value}); }

  /// Two's complement, least significant byte first, in the fewest bytes.
  bool push_long(std::string_view raw) {
    if (raw.size() > sizeof(int64_t)) return push({.kind = Kind::long_integer, .text = raw});
    const bool negative = !raw.empty() && (raw.back() & 0x80) != 0;
    std::array<std::byte, sizeof(int64_t)> extended;
    extended.fill(negative ? std::byte{0xff} : std::byte{0});
    std::copy_n(std::as_bytes(std::span(raw)).begin(), raw.size(), extended.begin());
    return push_integer(static_cast<int64_t>(little_endian<uint64_t>(extended)));
  }

  /// Whether the next opcodes create an object of the class just read, without arguments, as for
  /// classes written in Python.
  bool is_instantiated() const {
    size_t at = at_;
    const auto is = [&](size_t i, uint8_t op) {
      return i < bytes_.size() && bytes_[i] == static_cast<std::byte>(op);
    };
    if (is(at, op_binput)) at += 2;
    if (is(at, op_long_binput)) at += 5;
    if (is(at, op_memoize)) at += 1;
    return is(at, op_empty_tuple) && is(at + 1, op_newobj);
  }

  bool push_global(std::string_view module, std::string_view name) {
    const std::string full = fmt::format("{}.{}", module, name);
    for (const auto& [own, kind] : own_globals) {
      if (own == full) return push({.kind = Kind::global, .text = own});
    }
    const auto known = std::find(globals_.begin(), globals_.end(), full);
    if (known != globals_.end()) return push({.kind = Kind::global, .text = *known});
    if (stack_.empty() && is_instantiated()) {
      throw Error(ErrorKind::model, fmt::format("{}: it is an entire model, an object of {}, which "
                                                "needs its code to be read; nothing was run",
                                                source_, printable(full)))
          .with("try",
                "in Python with its code: torch.save(torch.load(FILE, "
                "weights_only=False).state_dict(), OTHER)");
    }
    throw error(
        fmt::format("asks for {}, which weights do not need; nothing was run", printable(full)))
        .with("try", "save the weights alone: torch.save(model.state_dict(), FILE)");
  }

  /// The result of calling `global` with `arguments`, a tuple.
  Value called(std::string_view global, const Value& arguments) {
    const Kind kind = made_by(global);
    if (kind == Kind::object) {
      const Value object = make(kind, {&arguments, 1});
      document_.compounds[object.compound].made_by = global;
      return object;
    }
    const std::span<const Value> given = document_.items(arguments);
    const Value result = make(kind, {});
    if (given.empty()) return result;
    const Kind from = given[0].kind;
    // Copies, since appending may move the originals.
    const std::vector<Value> items(document_.items(given[0]).begin(),
                                   document_.items(given[0]).end());
    if (from == kind || (kind == Kind::set && from == Kind::list)) {
      add(result, items);
    } else if (kind == Kind::dict && from == Kind::list) {  // of pairs, as Python 2 wrote them
      for (const Value& item : items) {
        const std::span<const Value> pair = document_.items(item);
        if (pair.size() != 2) fail("makes a dict of items that are not pairs");
        add(result, std::vector<Value>(pair.begin(), pair.end()));
      }
    } else {
      fail(fmt::format("calls {} with invalid arguments", global));
    }
    return result;
  }

  Value& top() {
    if (stack_.size() == (marks_.empty() ? 0 : marks_.back()))
      fail("takes more values than there are");
    return stack_.back();
  }

  std::vector<Value> pop(size_t count) {
    const size_t floor = marks_.empty() ? 0 : marks_.back();
    if (stack_.size() - floor < count) fail("takes more values than there are");
    return pop_from(stack_.size() - count);
  }

  std::vector<Value> pop_to_mark() {
    if (marks_.empty()) fail("looks for a mark that was never set");
    const size_t mark = marks_.back();
    marks_.pop_back();
    return pop_from(mark);
  }

  std::vector<Value> pop_from(size_t first) {
    const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(first);
    std::vector<Value> values(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    return values;
  }

  Value make(Kind kind, std::span<const Value> items) {
    if (document_.compounds.size() == max_compounds) too_many("tuples, lists, dicts and objects");
    const Value value{.kind = kind, .compound = static_cast<uint32_t>(document_.compounds.size())};
    document_.compounds.push_back({.kind = kind});
    add(value, items);
    return value;
  }

  void add(const Value& target, std::span<const Value> values) {
    count_ += values.size();
    if (count_ > max_values) too_many("values");
    Compound& compound = document_.compounds[target.compound];
    for (const Value& value : values) {
      if (value.kind < Kind::tuple) continue;
      compound.depth = std::max(compound.depth, document_.compound(value).depth + 1);
    }
    if (compound.depth > max_depth) fail(fmt::format("is nested deeper than {}", max_depth));
    compound.items.insert(compound.items.end(), values.begin(), values.end());
  }

  bool add_to(Kind kind, const std::vector<Value>& values) {
    const Value& target = top();
    if (target.kind != kind) fail("adds to a value that cannot be added to");
    add(target, values);
    return true;
  }

  bool add_pairs(const std::vector<Value>& values) {
    if (values.size() % 2 != 0) fail("has a key without a value");
    for (size_t i = 0; i < values.size(); i += 2) {
      const Kind key = values[i].kind;
      if (key == Kind::list || key == Kind::dict || key == Kind::set) fail("has a list as a key");
    }
    return add_to(Kind::dict, values);
  }

  bool memorize(size_t index) {
    if (index >= max_values) too_many("values in its memo");
    if (index >= memo_.size()) memo_.resize(index + 1);
    memo_[index] = {top(), true};
    return true;
  }

  bool recall(size_t index) {
    if (index >= memo_.size() || !memo_[index].known) {
      fail(fmt::format("recalls value {}, which it has not memorized", index));
    }
    return push(memo_[index].value);
  }

  Error error(const std::string& what) const {
    return Error(ErrorKind::model, fmt::format("{}: its pickle {}", source_, what))
        .with("at", fmt::format("byte {} of the pickle", start_));
  }
  [[noreturn]] void fail(const std::string& what) const { throw error(what); }
  [[noreturn]] void too_many(const std::string& what) const {
    fail(fmt::format("has more {} than weights need", what));
  }

  struct Memorized {
    Value value;
    bool known = false;
  };

  std::span<const std::byte> bytes_;
  std::span<const std::string_view> globals_;
  const std::string& source_;
  size_t at_ = 0, start_ = 0;  ///< the next byte; the opcode under way
  Document document_;
  size_t count_ = 0;  ///< values in all compounds
  std::vector<Value> stack_;
  std::vector<size_t> marks_;
  std::vector<Memorized> memo_;
};

}  // namespace

std::span<const Value> Document::items(const Value& value) const {
  if (value.kind < Kind::tuple) return {};
  return compound(value).items;
}

std::span<const Value> Document::arguments(const Value& object) const {
  return items(items(object)[0]);
}

Document read(std::span<const std::byte> bytes, std::span<const std::string_view> globals,
              const std::string& source) {
  return Reader(bytes, globals, source).read();
}

}  // namespace fovea::pickle
