#include "fovea/formats/pickle.h"

#include <gtest/gtest.h>

#include "error_text.h"
#include "pickles.h"

namespace fovea::pickle {
namespace {

using namespace pickles;  // NOLINT

constexpr std::string_view known[] = {"torch.Size", "a.b.C"};

/// Owns the bytes that the document is a view of.
struct Read {
  explicit Read(const std::string& body, char protocol = 2)
      : bytes(pickles::pickled(body, protocol)),
        document(read(std::as_bytes(std::span(bytes)), known, "w.pth")) {}
  std::span<const Value> items() const { return document.items(document.root); }
  std::string bytes;
  Document document;
};

void expect_refusal(const std::string& body, const std::string& message, char protocol = 2) {
  const std::string text = error_text(ErrorKind::model, [&] { Read(body, protocol); });
  EXPECT_EQ(text.substr(0, text.find('\n')), "w.pth: its pickle " + message);
}

TEST(Pickle, IntegersOfEverySize) {
  const auto integer_of = [](const std::string& body) { return Read(body).document.root.integer; };
  EXPECT_EQ(integer_of("K\xff"), 255);
  EXPECT_EQ(integer_of("M" + little(0xffff, 2)), 65535);
  EXPECT_EQ(integer_of("J" + little(0xfffffffe, 4)), -2);
  EXPECT_EQ(integer_of("\x8a" + little(0, 1)), 0);
  EXPECT_EQ(integer_of("\x8a\x01\x80"), -128);
  EXPECT_EQ(integer_of("\x8a\x02" + little(0x0080, 2)), 128);
  EXPECT_EQ(integer_of("\x8a\x08" + little(uint64_t{1} << 63, 8)), INT64_MIN);
  EXPECT_EQ(integer_of("\x8b" + little(3, 4) + little(0xff0000, 3)), -65536);
  const Read large("\x8a\x09" + little(7, 8) + "\1");
  EXPECT_EQ(large.document.root.kind, Kind::long_integer);
  EXPECT_EQ(large.document.root.text.size(), 9u);
}

TEST(Pickle, TextsAndOtherPlainValues) {
  const auto root = [](const std::string& body) {
    const Read read(body, 5);
    return std::pair(read.document.root.kind, std::string(read.document.root.text));
  };
  EXPECT_EQ(root(pickles::text("abc")), std::pair(Kind::text, std::string("abc")));
  EXPECT_EQ(root("\x8c\x03xyz"), std::pair(Kind::text, std::string("xyz")));
  EXPECT_EQ(root("\x8d" + little(2, 8) + "xy"), std::pair(Kind::text, std::string("xy")));
  EXPECT_EQ(root("U\x02xy"), std::pair(Kind::text, std::string("xy")));
  EXPECT_EQ(root("T" + little(2, 4) + "xy"), std::pair(Kind::text, std::string("xy")));
  EXPECT_EQ(root("C\x02xy"), std::pair(Kind::bytes, std::string("xy")));
  EXPECT_EQ(root("B" + little(2, 4) + "xy"), std::pair(Kind::bytes, std::string("xy")));
  EXPECT_EQ(root("\x96" + little(2, 8) + "xy"), std::pair(Kind::bytes, std::string("xy")));
  EXPECT_EQ(root("N").first, Kind::none);
  EXPECT_EQ(root("G12345678").first, Kind::number);
  EXPECT_EQ(Read("\x88").document.root.integer, 1);
  EXPECT_EQ(Read("\x89").document.root.integer, 0);
}

TEST(Pickle, CompoundsHoldTheirItemsInOrder) {
  const Read tuple("K\1K\2K\3\x87");
  EXPECT_EQ(tuple.document.root.kind, Kind::tuple);
  ASSERT_EQ(tuple.items().size(), 3u);
  EXPECT_EQ(tuple.items()[2].integer, 3);
  const Read list("]K\1a(K\2K\3e");
  EXPECT_EQ(list.document.root.kind, Kind::list);
  ASSERT_EQ(list.items().size(), 3u);
  EXPECT_EQ(list.items()[1].integer, 2);
  const Read dict("}K\1K\2s(K\3K\4u");
  EXPECT_EQ(dict.document.root.kind, Kind::dict);
  ASSERT_EQ(dict.items().size(), 4u);
  EXPECT_EQ(dict.items()[3].integer, 4);
  const Read set("\x8f(K\1K\2\x90", 4);
  EXPECT_EQ(set.document.root.kind, Kind::set);
  EXPECT_EQ(set.items().size(), 2u);
  EXPECT_EQ(Read("(K\1\x91", 4).document.root.kind, Kind::set);
}

TEST(Pickle, TheMemoGivesBackTheSameCompound) {
  const Read read("]q\x07h\x07\x86");
  ASSERT_EQ(read.items().size(), 2u);
  EXPECT_EQ(read.items()[0].compound, read.items()[1].compound);
  EXPECT_EQ(Read("]\x94h" + little(0, 1) + "0", 4).document.root.kind, Kind::list);
}

TEST(Pickle, ACompoundCanHoldItself) {
  const Read read("]q\1h\1a");
  ASSERT_EQ(read.items().size(), 1u);
  EXPECT_EQ(read.items()[0].compound, read.document.root.compound);
}

TEST(Pickle, KnownGlobalsMakeObjectsAndDicts) {
  const Read size(call(global("torch", "Size"), {integers({1, 2})}));
  EXPECT_EQ(size.document.root.kind, Kind::object);
  EXPECT_EQ(size.document.compound(size.document.root).made_by, "torch.Size");
  ASSERT_EQ(size.document.arguments(size.document.root).size(), 1u);
  // By NEWOBJ, with state that is ignored; the module of the name has a dot.
  const Read object(
      "\x8c\x03"
      "a.b\x8c\x01"
      "C\x93)\x81}(K\1K\2ub",
      4);
  EXPECT_EQ(object.document.root.kind, Kind::object);
  EXPECT_EQ(object.document.compound(object.document.root).made_by, "a.b.C");
  EXPECT_EQ(Read(ordered_dict({"K\1", "K\2"})).document.root.kind, Kind::dict);
  const Read counter(call(global("collections", "Counter"), {dict({"K\1", "K\2"})}));
  EXPECT_EQ(counter.document.root.kind, Kind::dict);
  EXPECT_EQ(counter.items().size(), 2u);
  const Read set(call(global("__builtin__", "set"), {list({"K\1", "K\2"})}));
  EXPECT_EQ(set.document.root.kind, Kind::set);
  EXPECT_EQ(set.items().size(), 2u);
  const Read reference("K\5Q");
  EXPECT_EQ(reference.document.root.kind, Kind::reference);
  EXPECT_EQ(reference.items()[0].integer, 5);
}

TEST(Pickle, OtherGlobalsAreRefusedByName) {
  for (const auto& [module, name] :
       std::vector<std::pair<std::string, std::string>>{{"os", "system"},
                                                        {"builtins", "eval"},
                                                        {"__builtin__", "getattr"},
                                                        {"torch", "Size.__class__"},
                                                        {"torch", ""},
                                                        {"collections", "OrderedDict "},
                                                        {"torch.Size", ""}}) {
    const std::string message =
        "asks for " + module + "." + name + ", which weights do not need; nothing was run";
    expect_refusal(global(module, name) + ")R", message);
    expect_refusal("\x8c" + little(module.size(), 1) + module + "\x8c" + little(name.size(), 1) +
                       name + "\x93",
                   message, 4);
  }
  expect_refusal(global("os\x1b[2J", "x"),
                 "asks for os?[2J.x, which weights do not need; nothing was run");
  expect_refusal(
      global(std::string(100000, 'x'), "y"),
      "asks for " + std::string(80, 'x') + "..., which weights do not need; nothing was run");
}

TEST(Pickle, EachFaultIsNamed) {
  expect_refusal("N", "is of protocol 1; 2 to 5 are read", 1);
  expect_refusal("N", "is of protocol 6; 2 to 5 are read", 6);
  expect_refusal("", "ends with values left over, or none");
  expect_refusal("NN", "ends with values left over, or none");
  expect_refusal("N(", "ends with values left over, or none");
  expect_refusal("i", "has an opcode that weights do not need: 105");
  expect_refusal("\x92", "has an opcode that weights do not need: 146");
  expect_refusal("X" + little(0xffffffff, 4),
                 "ends in the middle: 4294967295 bytes are expected, "
                 "1 are left");
  expect_refusal("\x8d" + little(UINT64_MAX, 8),
                 "ends in the middle: 18446744073709551615 bytes are expected, 1 are left");
  expect_refusal("\x95" + little(UINT64_MAX, 8) + "N", "has a frame that extends beyond the file",
                 4);
  expect_refusal(
      "c"
      "os",
      "ends in the middle of a name");
  expect_refusal("t", "looks for a mark that was never set");
  expect_refusal("N\x86", "takes more values than there are");
  expect_refusal("N(\x85", "takes more values than there are");
  expect_refusal("a", "takes more values than there are");
  expect_refusal("NNa", "adds to a value that cannot be added to");
  expect_refusal(")Na", "adds to a value that cannot be added to");
  expect_refusal("]NNs", "adds to a value that cannot be added to");
  expect_refusal(call(global("torch", "Size"), {}) + "NNs",
                 "adds to a value that cannot be added to");
  expect_refusal("}(Nu", "has a key without a value");
  expect_refusal("}]Ns", "has a list as a key");
  expect_refusal("NNb", "gives state to something other than an object");
  expect_refusal("N)R", "calls something other than a global, or without a tuple of arguments");
  expect_refusal(global("torch", "Size") + "NR",
                 "calls something other than a global, or without a tuple of arguments");
  expect_refusal(call(global("collections", "OrderedDict"), {"K\1"}),
                 "calls collections.OrderedDict with invalid arguments");
  expect_refusal(call(global("collections", "OrderedDict"), {list({"K\1"})}),
                 "makes a dict of items that are not pairs");
  expect_refusal("NN\x93", "names a global by something other than text", 4);
  expect_refusal("h\1", "recalls value 1, which it has not memorized");
  expect_refusal("Nq\2h\1", "recalls value 1, which it has not memorized");
  expect_refusal("Nr" + little(0xffffffff, 4), "has more values in its memo than weights need");
}

TEST(Pickle, LimitsHold) {
  expect_refusal(std::string(101, '('), "is nested deeper than 100");
  std::string lists;
  for (int i = 0; i < 101; ++i) lists += ']';
  expect_refusal(lists + std::string(100, 'a'), "is nested deeper than 100");
  EXPECT_EQ(Read(lists.substr(1) + std::string(99, 'a')).document.root.kind, Kind::list);
  std::string tuples = "N";
  for (int i = 0; i < 101; ++i) tuples += "\x85";
  expect_refusal(tuples, "is nested deeper than 100");
  expect_refusal(std::string(max_values + 1, 'N'), "has more values than weights need");
  expect_refusal(std::string(max_compounds + 1, ')'),
                 "has more tuples, lists, dicts and objects than weights need");
  // A list of 1,000 copied a thousand times by a call that is short.
  const std::string copy = global("__builtin__", "set") + "h\1\x85R0";
  std::string bomb = "](" + std::string(1000, 'N') + "eq\1";
  for (int i = 0; i < 1000; ++i) bomb += copy;
  expect_refusal(bomb, "has more values than weights need");
  // A list that contains another twice, and so on, doubles only nominally.
  std::string laughs = ")";
  for (int i = 0; i < 90; ++i) laughs += "2\x86";
  EXPECT_EQ(Read(laughs).document.compounds.size(), 91u);
}

TEST(Pickle, EveryTruncationIsAnError) {
  const std::string original = pickles::pickled(dict({pickles::text("w"), tensor({})}));
  constexpr std::string_view globals[] = {"torch._utils._rebuild_tensor_v2", "torch.FloatStorage"};
  EXPECT_EQ(read(std::as_bytes(std::span(original)), globals, "w").size, original.size());
  for (size_t size = 0; size < original.size(); ++size) {
    const std::string cut = original.substr(0, size);
    error_text(ErrorKind::model, [&] { (void)read(std::as_bytes(std::span(cut)), globals, "w"); });
  }
}

}  // namespace
}  // namespace fovea::pickle
