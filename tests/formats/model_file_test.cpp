#include "fovea/formats/model_file.h"

#include <gtest/gtest.h>

#include <limits>

#include "error_text.h"
#include "fovea/core/files.h"
#include "fovea/core/random.h"
#include "fovea/formats/safetensors.h"
#include "temporary_folder.h"

namespace fovea {
namespace {

ModelFile sample_model() {
  ModelFile model;
  model.architecture = "small_cnn";
  model.arguments = {{"classes", "2"}, {"in_channels", "3"}};
  model.preprocessing =
      Preprocessing{32, 24, 3, 40, {}, Filter::bicubic, {0.1, 1.0 / 3, 0.4465}, {0.2, 1e-5, 0.25}};
  model.class_names = {"T-shirt/top", "say \"caf\u00e9\""};
  model.class_ids = {90, -3};
  model.training = {{"recipe", "lr=0.1"}, {"metrics.accuracy", "0.93"}};
  model.weights = {{"fc.weight", Array::of<float>({1, 2, 3, 4}, {2, 2})},
                   {"bn.count", Array::of<int64_t>({7}, {})}};
  return model;
}

TEST(ModelFile, ReadsBackToTheLastBit) {
  TemporaryFolder folder;
  save_model(folder / "a", sample_model());
  save_model(folder / "b", sample_model());
  EXPECT_EQ(read_text(folder / "a", ErrorKind::model), read_text(folder / "b", ErrorKind::model));
  const ModelFile back = load_model(folder / "a");
  const ModelFile model = sample_model();
  EXPECT_EQ(back.architecture, model.architecture);
  EXPECT_EQ(back.arguments, model.arguments);
  EXPECT_TRUE(back.preprocessing == model.preprocessing);
  EXPECT_EQ(back.class_names, model.class_names);
  EXPECT_EQ(back.class_ids, model.class_ids);
  EXPECT_EQ(back.training, model.training);
  ASSERT_EQ(back.weights.size(), 2u);
  EXPECT_EQ(back.weights[0].first, "fc.weight");
  EXPECT_EQ(back.weights[0].second.at(3), 4);
  EXPECT_EQ(describe(back.weights[1].second), "i64[]");
}

TEST(ModelFile, LetterboxingReadsBack) {
  TemporaryFolder folder;
  ModelFile model = sample_model();
  model.preprocessing->resize.reset();
  model.preprocessing->letterbox = 114;
  save_model(folder / "a", model);
  EXPECT_TRUE(load_model(folder / "a").preprocessing == model.preprocessing);
}

TEST(ModelFile, RandomMeansAndStdsReadBackToTheLastBit) {
  TemporaryFolder folder;
  Random random(4, "numbers");
  ModelFile model = sample_model();
  model.preprocessing->channels = 500;
  model.preprocessing->resize.reset();
  model.preprocessing->mean.clear();
  model.preprocessing->std.clear();
  for (int i = 0; i < 500; ++i) {
    model.preprocessing->mean.push_back(random.normal());
    model.preprocessing->std.push_back(1e-6 + random.uniform());
  }
  save_model(folder / "a", model);
  EXPECT_TRUE(load_model(folder / "a").preprocessing == model.preprocessing);
}

// A folder's name can be any bytes; hours of training must not end in an error about it.
TEST(ModelFile, ClassNamesThatAreNotUtf8AreReplaced) {
  TemporaryFolder folder;
  ModelFile model = sample_model();
  model.class_names = {"caf\xe9"};
  model.class_ids = {};
  save_model(folder / "a", model);
  EXPECT_EQ(load_model(folder / "a").class_names[0], "caf\ufffd");
}

TEST(ModelFile, ModelsThatCouldNotBeLoadedAreNotSaved) {
  TemporaryFolder folder;
  const auto refused = [&](const std::string& message, auto change) {
    ModelFile model = sample_model();
    change(model);
    expect_error(ErrorKind::usage, message, [&] { save_model(folder / "a", model); });
  };
  refused("the architecture has no name", [](auto& m) { m.architecture = ""; });
  refused("save_model: preprocessing: std[0] is 0, not",
          [](auto& m) { m.preprocessing->std[0] = 0; });
  refused("preprocessing: mean[0] is nan",
          [](auto& m) { m.preprocessing->mean[0] = std::numeric_limits<double>::quiet_NaN(); });
  refused("save_model: 2 class ids, but 3 class names", [](auto& m) {
    m.class_names = {"a", "b", "c"};
    m.class_ids = {1, 2};
  });
  refused("two tensors cannot be called \"bn.count\"",
          [](auto& m) { m.weights[0].first = "bn.count"; });
  EXPECT_FALSE(std::filesystem::exists(folder / "a"));
}

/// What load_model says about the sample with one metadata string replaced.
void expect_refused(const std::string& key, const std::string& value, const std::string& message) {
  TemporaryFolder folder;
  static const SafeTensors good = [&] {
    save_model(folder / "good", sample_model());
    return read_safetensors(folder / "good");
  }();
  SafeTensors contents = good;
  contents.metadata[key] = value;
  write_safetensors(folder / "hostile", contents);
  expect_error(ErrorKind::model, message, [&] { load_model(folder / "hostile"); });
}

TEST(ModelFile, OtherFilesAndNewerVersionsSaySo) {
  TemporaryFolder folder;
  write_safetensors(folder / "plain", {{{"format", "pt"}}, sample_model().weights});
  expect_error(ErrorKind::model, "plain: its metadata does not say which network it is for",
               [&] { load_model(folder / "plain"); });
  expect_refused("fovea.format", "2", "it was written by a newer version of Fovea\n  format   2");
  for (const char* text : {"", "0", "-1", "1.0", "1 ", "x", "99999999999999999999"}) {
    expect_refused("fovea.format", text, "not a version");
  }
  expect_refused("fovea.architecture", "", "\"fovea.architecture\" is empty");
  expect_refused("fovea.colour", "red", "its metadata has the unknown key \"fovea.colour\"");
  write_safetensors(folder / "part", {{{"fovea.format", "1"}}, {}});
  expect_error(ErrorKind::model, "its metadata has no \"fovea.architecture\"",
               [&] { load_model(folder / "part"); });
}

TEST(ModelFile, HostileClassNamesAreRefused) {
  const std::string key = "fovea.class_names";
  for (const char* text : {"", "[", "[\"a\"", "[\"a\",]", "[\"a\"] x", "['a']"}) {
    expect_refused(key, text, "\"fovea.class_names\" in its metadata is not valid JSON");
  }
  for (const char* text : {"{}", "null", "3", "\"a\"", "[1]", "[\"a\",null]", "[[\"a\"]]"}) {
    expect_refused(key, text, "is not a list of strings");
  }
  expect_refused(key, std::string(1000000, '['), "is nested too deep");
  expect_refused(key, "[\"" + std::string(17 << 20, 'a') + "\"]",
                 "bytes, at most 16777216 are read");
}

TEST(ModelFile, HostileClassIdsAreRefused) {
  for (const char* text : {"{}", "3", "[1]", "[1,2,3]", "[1,2.5]", "[1,null]", "[1,\"2\"]",
                           "[1,18446744073709551615]"}) {
    expect_refused("fovea.class_ids", text,
                   "\"fovea.class_ids\" in its metadata is not a list of 2 integers");
  }
}

TEST(ModelFile, HostilePreprocessingIsRefused) {
  const std::pair<const char*, const char*> fields[] = {
      {"height", "32"},           {"width", "32"},   {"channels", "1"}, {"resize", "null"},
      {"filter", "\"bilinear\""}, {"mean", "[0.5]"}, {"std", "[0.25]"}};
  // The preprocessing with `field` replaced; "" leaves it out.
  const auto with = [&](const std::string& field, const std::string& value) {
    std::string text;
    for (auto [name, good] : fields) {
      const std::string chosen = name == field ? value : good;
      if (!chosen.empty())
        text += (text.empty() ? "{\"" : ",\"") + std::string(name) + "\":" + chosen;
    }
    return text + "}";
  };
  const auto refused = [&](const std::string& field, const std::string& value,
                           const std::string& message) {
    expect_refused("fovea.preprocessing", with(field, value), message);
  };
  refused("height", "0", "is invalid: height is 0, not from 1 to 16384");
  refused("height", "-5", "is invalid: height is -5");
  for (const char* value : {"1e9", "2147483648", "-9223372036854775808", "18446744073709551615",
                            "32.0", "\"32\"", "true", "null", "[32]"}) {
    refused("height", value, std::string("says that height is "));
  }
  refused("height", "1e999", "holds a number out of range");
  refused("width", "2147483647", "is invalid: width is 2147483647");
  refused("channels", "3", "is invalid: mean has 1 value, but the input has 3 channels");
  refused("channels", "1000000000", "is invalid: channels is 1000000000");
  refused("resize", "31", "is invalid: resize is 31, not from 32 to 16384");
  refused("resize", "\"auto\"", "says that resize is \"auto\", not an integer");
  refused("filter", "\"lanczos\"", "says that filter is \"lanczos\"");
  refused("filter", "1", "says that filter is 1");
  refused("mean", "[NaN]", "not valid JSON");
  refused("mean", "[1e308]", "is invalid: mean[0] is");
  refused("mean", "[null]", "says that mean is [null], not a list of numbers");
  refused("mean", "0.5", "says that mean is 0.5, not a list of numbers");
  refused("mean", "[[0.5]]", "is nested too deep");
  refused("mean", "[]", "is invalid: mean has 0 values");
  refused("std", "[0]", "is invalid: std[0] is 0");
  refused("std", "[-1]", "is invalid: std[0] is -1");
  refused("std", "[1e-300]", "is invalid: std[0] is 1e-300");
  for (auto [name, good] : fields) {
    refused(name, "", std::string("\"fovea.preprocessing\" in its metadata has no \"") + name);
  }
  expect_refused("fovea.preprocessing", "[]", "is not an object");
  refused("std", "[1],\"std\":[1]", "has the duplicate key \"std\"");
  refused("std", "[1],\"crop\":3", "has the unknown field \"crop\"");
}

}  // namespace
}  // namespace fovea
