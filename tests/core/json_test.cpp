#include "fovea/core/json.h"

#include <gtest/gtest.h>

#include <limits>

namespace fovea {
namespace {

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const JsonError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Json, PairsOfNamesAndValuesAreAnObjectInTheirOrder) {
  Json document{{"z", 1}, {"a", {1.5, true, nullptr, "x"}}, {"sizes", std::vector<int64_t>{3, 4}}};
  document["more"]["inside"].push_back({{"name", "cat"}});
  document["z"] = 2;
  EXPECT_EQ(document.dump(),
            R"({"z":2,"a":[1.5,true,null,"x"],"sizes":[3,4],"more":{"inside":[{"name":"cat"}]}})");
  EXPECT_EQ(Json({{"a", Json::object()}}).dump(2), "{\n  \"a\": {}\n}");
}

TEST(Json, ListsOfListsAreArrays) {
  EXPECT_EQ(Json({{1, 2}, {3, 4}}).dump(), "[[1,2],[3,4]]");
  EXPECT_EQ(Json::array({{"a", 1}}).dump(), R"([["a",1]])");
  EXPECT_EQ(Json::array().dump(), "[]");
}

TEST(Json, NumbersKeepTheirValue) {
  constexpr auto low = std::numeric_limits<int64_t>::min();
  constexpr auto high = std::numeric_limits<uint64_t>::max();
  const Json document = Json::parse(Json::array({low, high, 0.1, 1.0, 1e300}).dump());
  EXPECT_EQ(document.dump(), "[-9223372036854775808,18446744073709551615,0.1,1.0,1e+300]");
  EXPECT_EQ(document[0].get<int64_t>(), low);
  EXPECT_EQ(document[1].get<double>(), 0x1p64);
  EXPECT_EQ(Json(std::numeric_limits<double>::infinity()).dump(), "null");
  EXPECT_EQ(Json(size_t{7}), Json(7));
}

TEST(Json, BytesThatAreNotUtf8AreReplaced) {
  EXPECT_EQ(Json("bee \xff").dump(), "\"bee \xef\xbf\xbd\"");
}

TEST(Json, ReadsWhatItWrites) {
  const std::string text = R"({"a":[{},[],"\u00e9\n",-1,2.5,false,null],"b":{"c":{}}})";
  const Json document = Json::parse(text);
  EXPECT_EQ(Json::parse(document.dump(3)), document);
  EXPECT_EQ(document["a"][2].get<std::string>(), "\xc3\xa9\n");
}

TEST(Json, AValueOfAnotherKindIsAnError) {
  const Json document{{"text", "x"}, {"number", 300}, {"half", 0.5}};
  EXPECT_EQ(error_of([&] { (void)document["text"].get<double>(); }),
            "a number was expected, but it is a string");
  EXPECT_EQ(error_of([&] { (void)document["half"].get<int>(); }),
            "an integer was expected, but it is a number");
  EXPECT_EQ(error_of([&] { (void)document["number"].get<int8_t>(); }),
            "a smaller integer was expected, but it is an integer");
  EXPECT_EQ(error_of([&] { (void)document["none"]; }), "there is no \"none\"");
  EXPECT_EQ(error_of([&] { (void)document[0]; }), "an array was expected, but it is an object");
  EXPECT_EQ(error_of([&] { (void)Json::array({1})[1]; }), "value 1 was expected, but there are 1");
  EXPECT_EQ(error_of([] { Json(1)["name"] = 2; }), "an object was expected, but it is an integer");
}

TEST(Json, BrokenTextIsAnError) {
  for (const char* text : {"", "{", "[1,]", "{\"a\" 1}", "nul", "\"\xff\"", "[1] 2"}) {
    EXPECT_NE(error_of([&] { Json::parse(text); }), "no error") << text;
  }
  EXPECT_EQ(error_of([] { Json::parse(R"({"a": 1, "b": 2, "a": 3})"); }),
            "an object has \"a\" twice");
}

/// A file of brackets would otherwise end the process when its value is destroyed.
TEST(Json, DeepTextIsAnErrorAndNotACrash) {
  EXPECT_EQ(error_of([] { Json::parse(std::string(1'000'000, '[')); }),
            "arrays and objects nested more than 500 deep");
  EXPECT_NO_THROW(Json::parse(std::string(500, '[') + std::string(500, ']')));
}

/// Each member once, not compared with all before it: seconds would be hours.
TEST(Json, ManyMembersAreReadInTimeProportionalToTheirNumber) {
  std::string text = "{";
  for (int i = 0; i < 200'000; ++i) text += "\"" + std::to_string(i) + "\":0,";
  text.back() = '}';
  EXPECT_EQ(Json::parse(text).size(), 200'000U);
}

}  // namespace
}  // namespace fovea
