// Malicious or damaged files: each gives a clear error, or arrays all of whose elements can be
// read.

#include <gtest/gtest.h>

#include <functional>

#include "error_text.h"
#include "fovea/core/files.h"
#include "fovea/core/random.h"
#include "fovea/formats/pickle.h"
#include "fovea/formats/pytorch.h"
#include "fovea/formats/weight_file.h"
#include "paths.h"
#include "pickles.h"
#include "temporary_folder.h"

namespace fovea {
namespace {

using namespace pickles;  // NOLINT

constexpr int64_t two31 = int64_t{1} << 31, two32 = int64_t{1} << 32, two62 = int64_t{1} << 62;
constexpr int64_t near_powers[] = {two31 - 1, two31,     two31 + 1, two32 - 1, two32,
                                   two32 + 1, two62 - 1, two62,     two62 + 1, INT64_MAX - 1,
                                   INT64_MAX, INT64_MIN, -two32,    -two31,    -1};

/// Reads every element of every array.
double read_all(const std::filesystem::path& path) {
  double sum = 0;
  for (const auto& [name, array] : read_weights(path).tensors) {
    for (int64_t i = 0; i < array.numel(); ++i) sum += array.at(i);
  }
  return sum;
}

class Hostile : public testing::Test {
 protected:
  /// The file must be refused with this message.
  void expect_refusal(const std::string& bytes, const std::string& suffix = ".pth") {
    const std::filesystem::path path = folder_ / ("bad" + suffix);
    put(path, bytes);
    const std::string text = error_text(ErrorKind::model, [&] { read_all(path); });
    EXPECT_EQ(text.find(path.string() + ": "), 0u) << text;
    ++refused_;
  }

  /// The file may still be valid. Returns whether it was refused.
  bool survives(const std::string& bytes, const std::string& suffix) {
    const std::filesystem::path path = folder_ / ("mutated" + suffix);
    put(path, bytes);
    try {
      read_all(path);
      return false;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::model) << error.what();
      EXPECT_EQ(std::string(error.what()).find(path.string()), 0u) << error.what();
      return true;
    }
  }

  TemporaryFolder folder_;
  int refused_ = 0;
};

TEST_F(Hostile, TheOriginalFilesAreRead) {
  for (const std::string& bytes :
       {archive(dict({text("w"), tensor({})})), legacy(dict({text("w"), tensor({})}))}) {
    put(folder_ / "good.pth", bytes);
    EXPECT_EQ(read_all(folder_ / "good.pth"), 21);
  }
}

TEST_F(Hostile, GlobalsOutsideTheList) {
  const std::pair<std::string, std::string> globals[] = {
      {"os", "system"},
      {"posix", "system"},
      {"nt", "system"},
      {"subprocess", "Popen"},
      {"builtins", "eval"},
      {"builtins", "exec"},
      {"__builtin__", "eval"},
      {"builtins", "getattr"},
      {"builtins", "__import__"},
      {"importlib", "import_module"},
      {"runpy", "run_path"},
      {"socket", "socket"},
      {"torch", "load"},
      {"torch.hub", "load"},
      {"torch.jit", "load"},
      {"torch._utils", "_rebuild_tensor_v2.__globals__"},
      {"torch.serialization", "load"},
      {"torch.nn.modules.conv", "Conv2d"},
      {"numpy", "load"},
      {"numpy.testing._private.utils", "runstring"},
      {"copyreg", "_reconstructor"},
      {"functools", "partial"},
      {"operator", "attrgetter"},
      {"collections", "OrderedDict.update"},
      {"webbrowser", "open"},
      {"pickle", "loads"},
      {"types", "CodeType"},
  };
  for (const auto& [module, name] : globals) {
    const std::string body = call(global(module, name), {text("true")});
    for (const std::string& saved : {body, dict({text("w"), tensor({}), text("x"), body})}) {
      expect_refusal(archive(saved));
      expect_refusal(legacy(saved));
    }
  }
  EXPECT_EQ(refused_, 4 * std::ssize(globals));
}

TEST_F(Hostile, SizesNearPowersOfTwo) {
  const std::function<void(Tensor&, int64_t)> fields[] = {
      [](Tensor& t, int64_t v) { t.elements = v; },
      [](Tensor& t, int64_t v) { t.offset = v; },
      [](Tensor& t, int64_t v) { t.sizes[0] = v; },
      [](Tensor& t, int64_t v) { t.sizes[1] = v; },
      [](Tensor& t, int64_t v) { t.strides[0] = v; },
      [](Tensor& t, int64_t v) { t.strides[1] = v; },
      [](Tensor& t, int64_t v) {
        t.sizes = {v, v};
      },
      [](Tensor& t, int64_t v) {  // one element, repeated
        t.sizes = {v, 2};
        t.strides = {0, 0};
      },
      [](Tensor& t, int64_t v) {
        t.sizes.assign(8, v);
        t.strides.assign(8, 1);
      },
  };
  for (const auto& field : fields) {
    for (const int64_t value : near_powers) {
      Tensor t;
      field(t, value);
      const std::string saved = dict({text("w"), tensor(t)});
      expect_refusal(archive(saved));
      expect_refusal(legacy(saved));
    }
  }
}

TEST_F(Hostile, TensorsWithMalformedDescriptions) {
  const std::string maker = global("torch._utils", "_rebuild_tensor_v2");
  const std::string good = storage("0", 6);
  const Parts bodies = {
      call(maker, {}),
      call(maker, {good}),
      call(maker, {good, integer(0), integers({2, 3})}),
      call(maker, {good, integer(0), integers({2, 3}), integers({3})}),
      call(maker, {good, integer(0), integers({2}), integers({3, 1})}),
      call(maker, {good, text("0"), integers({2, 3}), integers({3, 1})}),
      call(maker, {good, integer(0), list({integer(6)}), integers({1})}),
      call(maker, {good, integer(0), tuple({text("6")}), integers({1})}),
      call(maker, {good, integer(0), integers({1, 1, 1, 1, 1, 1, 1, 1, 1}),
                   integers({1, 1, 1, 1, 1, 1, 1, 1, 1})}),
      call(maker, {integer(0), integer(0), integers({6}), integers({1})}),
      call(maker, {"K\0Q", integer(0), integers({6}), integers({1})}),
      call(maker,
           {tuple({text("storage"), text("0")}) + "Q", integer(0), integers({6}), integers({1})}),
      call(maker, {tuple({text("module"), global("torch", "FloatStorage"), text("0"), text("cpu"),
                          integer(6)}) +
                       "Q",
                   integer(0), integers({6}), integers({1})}),
      call(maker, {storage("0", 6, "float32"), integer(0), integers({6}), integers({1})}),
      call(maker, {storage("1", 6), integer(0), integers({6}), integers({1})}),
      call(maker, {storage("../../etc/passwd", 6), integer(0), integers({6}), integers({1})}),
      call(maker, {storage("0", 3, "DoubleStorage"), integer(1), integers({3}), integers({1})}),
      call(maker, {storage("0", 7), integer(0), integers({6}), integers({1})}),
      call(maker, {storage("0", 5), integer(0), integers({5}), integers({1})}),
      call(maker, {storage("0", 6, "FloatStorage", tuple({text("v"), "K\1K\2"})), integer(0),
                   integers({6}), integers({1})}),
      call(global("torch._utils", "_rebuild_tensor_v3"),
           {good, integer(0), integers({6}), integers({1}), "\x89", ordered_dict({}),
            global("torch", "FloatStorage")}),
      call(global("torch._utils", "_rebuild_parameter"), {"K\1"}),
      call(global("torch._utils", "_rebuild_parameter"),
           {call(global("torch", "Size"), {integers({1})})}),
      call(global("torch._tensor", "_rebuild_from_type_v2"), {maker, maker, "K\1"}),
  };
  for (const std::string& body : bodies) {
    expect_refusal(archive(dict({text("w"), body})));
    expect_refusal(legacy(dict({text("w"), body})));
  }
}

TEST_F(Hostile, DeepNesting) {
  // A parameter of a parameter of ... a tensor.
  const auto parameters = [](int depth) {
    std::string head, tail;
    for (int i = 0; i < depth; ++i) {
      head += global("torch._utils", "_rebuild_parameter");
      tail += "\x85R";
    }
    return archive(dict({text("w"), head + tensor({}) + tail}));
  };
  EXPECT_FALSE(survives(parameters(40), ".pth"));
  for (const int depth : {60, 1000, 100000}) expect_refusal(parameters(depth));
  // A dict in a dict in ... with a tensor.
  const auto dicts = [](int depth) {
    std::string head;
    for (int i = 0; i < depth; ++i) head += "}" + text("model");
    return archive(head + dict({text("w"), tensor({})}) +
                   std::string(static_cast<size_t>(depth), 's'));
  };
  EXPECT_FALSE(survives(dicts(1), ".pth"));
  for (const int depth : {10, 60, 1000, 100000}) expect_refusal(dicts(depth));
  // A dict that contains itself.
  expect_refusal(archive("}q\1" + text("model") + "h\1s"));
  expect_refusal(archive("}q\1" + text("model") + "h\1s" + text("w") + tensor({}) + "s"));
}

/// Small files that claim much memory.
TEST_F(Hostile, Bombs) {
  Tensor wide;
  wide.sizes = {1 << 20, 100};  // 400 MB out of 24 bytes
  wide.strides = {0, 0};
  expect_refusal(archive(dict({text("w"), tensor(wide)})));
  wide.sizes = {1 << 20};  // 4 MB, ten times
  wide.strides = {0};
  Parts many;
  for (int i = 0; i < 10; ++i) {
    many.push_back(text("w" + std::to_string(i)));
    many.push_back(tensor(wide));
  }
  expect_refusal(archive(dict(many)));
  many.resize(6);
  EXPECT_FALSE(survives(archive(dict(many)), ".pth"));
  expect_refusal(archive(std::string(pickle::max_values + 1, 'N')));
  expect_refusal(archive("Nr" + little(0xfffffffe, 4)));
  expect_refusal(archive(dict({text("w"), tensor({}), text("w"), tensor({})})));
  const std::string keys = list({text("0"), text("0")});
  std::string twice = legacy(dict({text("w"), tensor({})}));
  const size_t at = twice.find(pickled(list({text("0")})));
  twice =
      twice.substr(0, at) + pickled(keys) + little(6, 8) + six_floats + little(6, 8) + six_floats;
  expect_refusal(twice);
}

/// Other kinds of files, truncated anywhere: recognised for what they are, or at least refused.
TEST_F(Hostile, BeginningsOfFilesOfOtherKinds) {
  std::string script = zip(
      {{"s/data.pkl", pickled("}")}, {"s/code/net.py", "pass"}, {"s/constants.pkl", pickled(")")}});
  const size_t code = script.find("PK\1\2", script.find("PK\1\2") + 1);
  script.replace(code + 10, 2, little(8, 2));        // compressed
  script.replace(code + 24, 4, little(1 << 30, 4));  // to a bomb, if it were decompressed
  using namespace std::string_literals;
  const std::string kinds[] = {
      script,
      "<!DOCTYPE html>\n<html><head>\xc3\xa9</head></html>"s,
      "version https://git-lfs.example/spec/v1\noid sha256:0\nsize 12\n"s,
      "\x08\x07\x12\x07pytorch:\0\0"s,
      "\x08\x01\x12\0"s,
      "\x89HDF\r\n\x1a\n\0\0"s,
      "\x1f\x8b\x08\0"s,
      std::string(257, '\0') + "ustar",
      "\x89PNG\r\n\x1a\n\0"s,
      "{\"weight_map\": {}}"s,
      "\xef\xbb\xbf \n\t"s,
      "\x93NUMPY\1\0"s,
      pickled(global("__main__", "Net") + "q"),
      "\x80\2c__main__\nNet\nr"s,
  };
  for (const std::string& kind : kinds) {
    for (size_t size = 0; size <= kind.size(); ++size) {
      expect_refusal(kind.substr(0, size));
      expect_refusal(kind.substr(0, size), ".safetensors");
    }
  }
}

/// Every number of the archive's records, one after another, near every power of two.
TEST_F(Hostile, NumbersOfTheArchive) {
  const std::string good = archive(dict({text("w"), tensor({})}));
  const struct {
    std::string_view signature;
    size_t offset, size;
  } numbers[] = {
      {"PK\3\4", 26, 2}, {"PK\3\4", 28, 2}, {"PK\1\2", 20, 4}, {"PK\1\2", 24, 4},
      {"PK\1\2", 28, 2}, {"PK\1\2", 30, 2}, {"PK\1\2", 32, 2}, {"PK\1\2", 42, 4},
      {"PK\6\6", 32, 8}, {"PK\6\6", 40, 8}, {"PK\6\6", 48, 8}, {"PK\6\7", 8, 8},
      {"PK\5\6", 10, 2}, {"PK\5\6", 12, 4}, {"PK\5\6", 16, 4}, {"PK\5\6", 20, 2},
  };
  for (const auto& number : numbers) {
    const size_t record = good.find(number.signature);
    ASSERT_NE(record, std::string::npos);
    for (const int64_t value : near_powers) {
      std::string bytes = good;
      bytes.replace(record + number.offset, number.size,
                    little(static_cast<uint64_t>(value), number.size));
      // In a field of 16 or 32 bits all ones mean that the number is in the zip64 part, as it is.
      refused_ += survives(bytes, ".pth");
    }
  }
  EXPECT_GT(refused_, 190);
}

/// Cuts, flips, insertions, deletions and numbers at the limits, anywhere in a file of each format.
TEST_F(Hostile, MutatedFilesGiveArraysOrAnError) {
  const std::filesystem::path golden = tests_folder() + "/golden/pytorch";
  write_weights(folder_ / "w.safetensors", read_weights(golden / "checkpoint_2.15.pth").tensors);
  for (const std::filesystem::path& path :
       {golden / "zip_2.15.pth", golden / "checkpoint_1.13.pth", golden / "legacy_2.15.pth",
        golden / "legacy_checkpoint_1.13.pth", golden / "legacy_protocol5_2.15.pth",
        golden / "written.pth", folder_ / "w.safetensors"}) {
    const std::string original = read_text(path, ErrorKind::model);
    int refused = 0;
    for (uint64_t trial = 0; trial < 400; ++trial) {
      Random random(trial, path.filename().string());
      std::string bytes = original;
      for (uint64_t i = 0, n = 1 + random.below(3); i < n && !bytes.empty(); ++i) {
        const size_t at = random.below(bytes.size());
        const size_t width = size_t{1} << random.below(4);
        switch (random.below(5)) {
          case 0:
            bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
            break;
          case 1:
            bytes.insert(at, 1, static_cast<char>(random.below(256)));
            break;
          case 2:
            bytes.erase(at, 1 + random.below(8));
            break;
          case 3:
            bytes.replace(at, width,
                          little(static_cast<uint64_t>(near_powers[random.below(15)]), width));
            break;
          default:
            bytes.resize(random.below(8) == 0 ? at : bytes.size());
        }
      }
      refused += survives(bytes, path.extension().string());
    }
    EXPECT_GT(refused, 100) << path;
  }
}

TEST_F(Hostile, EveryTruncationIsAnError) {
  for (const std::string& original :
       {archive(dict({text("w"), tensor({})})), legacy(dict({text("w"), tensor({})}))}) {
    for (size_t size = 0; size < original.size(); ++size) expect_refusal(original.substr(0, size));
  }
}

}  // namespace
}  // namespace fovea
