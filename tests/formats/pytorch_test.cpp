#include "fovea/formats/pytorch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "error_text.h"
#include "fovea/core/files.h"
#include "fovea/core/random.h"
#include "fovea/core/text.h"
#include "fovea/formats/safetensors.h"
#include "fovea/formats/weight_file.h"
#include "paths.h"
#include "pickles.h"
#include "temporary_folder.h"

namespace fovea {
namespace {

using namespace pickles;  // NOLINT
using Named = std::vector<std::pair<std::string, Array>>;

std::filesystem::path golden(const std::string& name) {
  return tests_folder() + "/golden/pytorch/" + name + ".pth";
}

/// One tensor of tensors() in scripts/golden/pytorch_files.py, by the rule there.
struct Expected {
  std::string name;
  DType dtype;
  Shape shape;
  int64_t first = 0;         ///< of the rule
  int64_t period = 1 << 30;  ///< after which it repeats
};

std::vector<Expected> every_tensor() {
  const DType f32 = DType::f32;
  return {
      {"dtype.float64", DType::f64, {2, 3}},
      {"dtype.float32", f32, {2, 3}},
      {"dtype.float16", DType::f16, {2, 3}},
      {"dtype.bfloat16", DType::bf16, {2, 3}},
      {"dtype.int64", DType::i64, {2, 3}},
      {"dtype.int32", DType::i32, {2, 3}},
      {"dtype.int16", DType::i16, {2, 3}},
      {"dtype.int8", DType::i8, {2, 3}},
      {"dtype.uint8", DType::u8, {2, 3}},
      {"dtype.bool", DType::boolean, {2, 3}},
      {"num_batches_tracked", DType::i64, {}},
      {"empty", f32, {0, 7}},
      {"transposed", f32, {3, 4}},
      {"slices", f32, {2, 3}},
      {"channels_last", f32, {2, 3, 2, 2}},
      {"expanded", f32, {4, 3}, 0, 3},
      {"shared.a", f32, {5}},
      {"shared.b", f32, {5}, 3},
      {"parameter", f32, {3}},
      {"\u00fcml\u00e4ut", f32, {1}},
  };
}

double value(const Expected& tensor, int64_t i) {
  if (tensor.name == "num_batches_tracked") return 1099511627781;  // 2^40 + 5
  const auto x = static_cast<double>((i % tensor.period + tensor.first) * 7 % 11 - 3);
  if (tensor.dtype == DType::boolean) return x > 0;
  return tensor.dtype == DType::u8 ? std::max(x, 0.0) : x;
}

void expect_every_tensor(const Named& tensors) {
  const std::vector<Expected> expected = every_tensor();
  ASSERT_EQ(tensors.size(), expected.size());
  for (size_t k = 0; k < expected.size(); ++k) {
    const auto& [name, array] = tensors[k];
    ASSERT_EQ(name, expected[k].name);
    ASSERT_EQ(array.dtype(), expected[k].dtype) << name;
    ASSERT_EQ(array.shape(), expected[k].shape) << name;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(array.raw()) % size_of(array.dtype()), 0u) << name;
    for (int64_t i = 0; i < array.numel(); ++i) {
      ASSERT_EQ(array.at(i), value(expected[k], i)) << name << "[" << i << "]";
    }
  }
}

void expect_equal(const Named& a, const Named& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].first, b[i].first);
    const Array &x = a[i].second, &y = b[i].second;
    ASSERT_EQ(describe(x), describe(y)) << a[i].first;
    EXPECT_EQ(std::memcmp(x.raw(), y.raw(), x.bytes()), 0) << a[i].first;
  }
}

/// Reads bytes as a .pth file.
PytorchFile read_bytes(const std::string& bytes) {
  TemporaryFolder folder;
  put(folder / "w.pth", bytes);
  return read_pytorch(folder / "w.pth");
}

/// The error for bytes that cannot be read, without the path.
std::string complaint(const std::string& bytes) {
  const std::string text = error_text(ErrorKind::model, [&] { read_bytes(bytes); });
  const size_t at = text.find("w.pth: ");
  EXPECT_NE(at, std::string::npos) << text;
  return text.substr(at + 7, text.find('\n') - at - 7);
}

std::vector<std::string> names(const Named& tensors) {
  std::vector<std::string> names;
  for (const auto& [name, array] : tensors) names.push_back(name);
  return names;
}

TEST(Pytorch, EveryDtypeAndLayoutOfEveryVersionReadsTheSame) {
  for (const char* name : {"zip_2.15", "zip_1.13", "legacy_2.15", "legacy_1.13"}) {
    SCOPED_TRACE(name);
    const PytorchFile file = read_pytorch(golden(name));
    expect_every_tensor(file.tensors);
    EXPECT_EQ(file.within, "");
  }
}

TEST(Pytorch, OtherProtocolsOfPicklesReadTheSame) {
  for (const char* name : {"protocol4_2.15", "protocol4_1.13", "legacy_protocol5_2.15"}) {
    SCOPED_TRACE(name);
    const Named tensors = read_pytorch(golden(name)).tensors;
    ASSERT_EQ(tensors.size(), 1u);
    EXPECT_EQ(tensors[0].first, "w");
    EXPECT_EQ(tensors[0].second.at(5), -1);
  }
}

TEST(Pytorch, CheckpointsGiveTheirWeights) {
  for (const char* name :
       {"checkpoint_2.15", "checkpoint_1.13", "legacy_checkpoint_2.15", "legacy_checkpoint_1.13"}) {
    SCOPED_TRACE(name);
    EXPECT_EQ(read_pytorch(golden(name)).within, "model_state_dict");
    const WeightFile file = read_weights(golden(name));
    EXPECT_EQ(file.note, "the tensors of \"model_state_dict\", names without \"module.\"");
    EXPECT_EQ(names(file.tensors), (std::vector<std::string>{
                                       "0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean",
                                       "1.running_var", "1.num_batches_tracked"}));
    EXPECT_EQ(file.tensors[0].second.at(3), 7);
    EXPECT_EQ(file.tensors[6].second.dtype(), DType::i64);
    EXPECT_EQ(read_weights(golden(name)).note,
              "the tensors of \"model_state_dict\", names without \"module.\"");
  }
}

TEST(Pytorch, UnsupportedTensorsAreRefusedByName) {
  const auto said = [](const std::string& name) {
    const std::string text = error_text(ErrorKind::model, [&] { read_pytorch(golden(name)); });
    return text.substr(text.find(".pth: ") + 6);
  };
  EXPECT_EQ(
      said("module_2.15"),
      "it is an entire model, an object of torch.nn.modules.container.Sequential, which needs its "
      "code to be read; nothing was run\n"
      "  try     in Python with its code: torch.save(torch.load(FILE, "
      "weights_only=False).state_dict(), OTHER)");
  EXPECT_EQ(
      said("complex_2.15"),
      "tensor \"z\" is of torch.complex64, which is not supported\n"
      "  read    float64, float32, float16, bfloat16, int64, int32, int16, int8, uint8, bool");
  EXPECT_EQ(said("uint16_2.15").substr(0, 56),
            "tensor \"z\" is of torch.uint16, which is not supported\n  ");
  EXPECT_EQ(said("quantized_2.15"),
            "tensor \"q\" is made by torch._utils._rebuild_qtensor, which is not supported\n"
            "  try     a dense tensor of plain numbers: tensor.dequantize(), tensor.to_dense()");
  EXPECT_EQ(said("sparse_2.15").substr(0, 65),
            "tensor \"s\" is made by torch._utils._rebuild_sparse_tensor, which ");
}

// scripts/golden/pytorch_files.py has PyTorch load written.pth, strictly and with weights_only.
TEST(Pytorch, WritesTheFileThatPytorchLoaded) {
  TemporaryFolder folder;
  const Named tensors = read_pytorch(golden("zip_2.15")).tensors;
  write_pytorch(folder / "w.pth", tensors);
  EXPECT_EQ(read_text(folder / "w.pth", ErrorKind::model),
            read_text(golden("written"), ErrorKind::model));
  expect_every_tensor(read_pytorch(folder / "w.pth").tensors);
}

TEST(Pytorch, RoundTripsKeepEveryByte) {
  constexpr DType every_dtype[] = {DType::f64, DType::f32, DType::bf16, DType::f16, DType::i64,
                                   DType::i32, DType::i16, DType::i8,   DType::u8,  DType::boolean};
  TemporaryFolder folder;
  for (uint64_t trial = 0; trial < 6; ++trial) {
    Random random(trial, "round trip");
    Named tensors;
    for (uint64_t k = 0, count = random.below(20); k < count; ++k) {
      std::vector<int64_t> sizes(random.below(5));
      for (int64_t& size : sizes) size = static_cast<int64_t>(random.below(5));
      Array array(every_dtype[random.below(10)], Shape(sizes));
      for (size_t i = 0; i < array.bytes(); ++i) {
        array.raw()[i] = static_cast<std::byte>(random.below(256));
      }
      tensors.emplace_back("t" + std::to_string(k), array);
    }
    if (tensors.empty()) continue;
    write_weights(folder / "a.pth", tensors);
    write_weights(folder / "b.safetensors", read_weights(folder / "a.pth").tensors);
    const Named back = read_weights(folder / "b.safetensors").tensors;
    expect_equal(back, tensors);
    write_weights(folder / "c.pt", back);
    EXPECT_EQ(read_text(folder / "a.pth", ErrorKind::model),
              read_text(folder / "c.pt", ErrorKind::model));
  }
}

TEST(Pytorch, ArraysAreViewsOfTheFile) {
  TemporaryFolder folder;
  const Named tensors = {{"a", Array::full(DType::f32, {1000}, 1)},
                         {"b", Array::full(DType::f32, {1000}, 2)}};
  write_pytorch(folder / "w.pth", tensors);
  const Named back = read_pytorch(folder / "w.pth").tensors;
  const std::string file = read_text(folder / "w.pth", ErrorKind::model);
  const auto offset = [&](const Array& array) {
    return file.find(std::string(reinterpret_cast<const char*>(array.raw()), array.bytes()));
  };
  EXPECT_EQ(offset(back[0].second) % 64, 0u);
  EXPECT_EQ(static_cast<size_t>(back[1].second.raw() - back[0].second.raw()),
            offset(back[1].second) - offset(back[0].second));
}

TEST(Pytorch, FilesOfPython2Read) {
  const auto bytes = [](const std::string& value) { return "U" + little(value.size(), 1) + value; };
  // OrderedDict([["w", tensor]]), and the function that made tensors before PyTorch 0.4.
  const std::string old_tensor =
      call(global("torch._utils", "_rebuild_tensor"),
           {storage("0", 6), integer(1), integers({2, 2}), integers({3, 1})});
  const std::string body =
      call(global("collections", "OrderedDict"), {list({list({bytes("w"), old_tensor})})});
  for (const std::string& file : {archive(body), legacy(body)}) {
    const PytorchFile read = read_bytes(file);
    EXPECT_EQ(names(read.tensors), std::vector<std::string>{"w"});
    EXPECT_EQ(read.tensors[0].second.shape(), (Shape{2, 2}));
    EXPECT_EQ(read.tensors[0].second.at(0), 2);
    EXPECT_EQ(read.tensors[0].second.at(3), 6);
  }
}

TEST(Pytorch, ChoosesTheDictThatHoldsTheWeights) {
  const std::string w = tensor({});
  struct Case {
    std::string saved, within;
    std::vector<std::string> names;
  };
  const std::string weights = dict({text("w"), w, text("note"), text("x")});
  const Case cases[] = {
      {weights, "", {"w"}},
      {dict({text("epoch"), w, text("state_dict"), weights}), "state_dict", {"w"}},
      {dict({text("ema"), weights, text("model"), weights}), "model", {"w"}},
      {dict({text("ema"), weights, text("model"), text("resnet18")}), "ema", {"w"}},
      {dict({text("state"), dict({text("model"), weights})}), "", {}},
      {dict({text("model"), dict({text("module"), weights})}), "model.module", {"w"}},
      {dict({text("generator"), weights, text("optimizer"),
             dict({text("state"), dict({integer(0), weights})})}),
       "generator",
       {"w"}},
      {dict({integer(3), w, text("model"), dict({text("epoch"), integer(1)}), text("b"), w}),
       "",
       {"b"}},
  };
  for (const Case& c : cases) {
    if (c.names.empty()) {
      EXPECT_EQ(complaint(archive(c.saved)), "it holds no named tensors");
      continue;
    }
    const PytorchFile file = read_bytes(archive(c.saved));
    EXPECT_EQ(file.within, c.within);
    EXPECT_EQ(names(file.tensors), c.names);
  }
  EXPECT_EQ(complaint(archive(dict({text("a"), weights, text("b"), weights}))),
            "several of its dicts hold tensors");
  EXPECT_EQ(complaint(archive(w)), "what was saved is not a dict of named tensors");
  EXPECT_EQ(complaint(archive(list({w}))), "what was saved is not a dict of named tensors");
  EXPECT_EQ(complaint(archive(dict({text("w"), w, text("w"), w}))), "\"w\" occurs twice");
  EXPECT_EQ(complaint(archive(dict({text("w\xff"), w}))), "the name \"w?\" is not UTF-8");
}

// DataParallel's "module." used to be removed in .pth but not in .safetensors.
TEST(WeightFile, PrefixesOfWrappersAreRemovedInEveryFormat) {
  TemporaryFolder folder;
  const auto stripped = [&](const std::string& file, const Parts& given) {
    Named tensors;
    for (const std::string& name : given) tensors.emplace_back(name, Array::of<float>({1}));
    write_weights(folder / file, tensors);
    const WeightFile read = read_weights(folder / file);
    std::vector<std::string> all = names(read.tensors);
    all.push_back(read.note);
    return all;
  };
  for (const std::string file : {"w.pth", "w.safetensors"}) {
    EXPECT_EQ(stripped(file, {"module.a", "module.b.c"}),
              (Parts{"a", "b.c", "names without \"module.\""}));
    EXPECT_EQ(stripped(file, {"_orig_mod.module.a"}),
              (Parts{"a", "names without \"_orig_mod.module.\""}));
    EXPECT_EQ(stripped(file, {"state_dict.module.a"}),
              (Parts{"a", "names without \"state_dict.module.\""}));
    EXPECT_EQ(stripped(file, {"module.a", "module_b"}), (Parts{"module.a", "module_b", ""}));
    EXPECT_EQ(stripped(file, {"module."}), (Parts{"module.", ""}));
  }
}

TEST(WeightFile, FormatsAreRecognisedByContentsNotBySuffix) {
  TemporaryFolder folder;
  const Named tensors{{"w", Array::of<float>({1, 2})}};
  write_weights(folder / "a.pth", tensors);
  write_weights(folder / "b.safetensors", tensors);
  std::filesystem::rename(folder / "a.pth", folder / "c.safetensors");
  std::filesystem::rename(folder / "b.safetensors", folder / "c.pth");
  for (const char* name : {"c.safetensors", "c.pth"}) {
    expect_equal(read_weights(folder / name).tensors, tensors);
  }
  expect_error(ErrorKind::model, "c.pth: it is a safetensors file, not a PyTorch one",
               [&] { read_pytorch(folder / "c.pth"); });
  expect_error(ErrorKind::model,
               "c.safetensors: it is a file that torch.save wrote, not a safetensors file",
               [&] { read_safetensors(folder / "c.safetensors"); });
}

/// The error for a file `name` that does not hold weights, without the path.
std::string said_of(const std::string& bytes, const std::string& name = "w.pth") {
  TemporaryFolder folder;
  put(folder / name, bytes);
  const std::string text = error_text(ErrorKind::model, [&] { read_weights(folder / name); });
  const size_t at = text.find(name + ": ");
  return at == std::string::npos ? text : text.substr(at + name.size() + 2);
}

TEST(WeightFile, OtherFilesGivenAsWeightsAreRecognised) {
  const std::string pytorch =
      "\n  try     weights that PyTorch saved: torch.save(model.state_dict(), FILE); or a "
      ".safetensors file";
  const std::string page =
      "it is a web page (HTML), not the file that was asked for\n"
      "  try     the link that downloads the file itself, not the page about it";
  for (const std::string name : {"w.pth", "w.safetensors"}) {
    EXPECT_EQ(said_of("", name), "it is empty\n  try     save or download it again");
    EXPECT_EQ(said_of("\n<!DOCTYPE html>\n<html>", name), page);
    EXPECT_EQ(said_of("<html lang=\"en\">", name), page);
    EXPECT_EQ(said_of("version https://git-lfs.example/spec/v1\noid sha256:0\nsize 12\n", name),
              "it is a git-lfs pointer, which only stands for the file\n"
              "  try     git lfs pull, in the repository it came from");
    EXPECT_EQ(said_of("\x08\x07\x12\x07pytorch:", name), "it is an ONNX model, a graph" + pytorch);
    EXPECT_EQ(said_of("\x89HDF\r\n\x1a\n", name),
              "it is an HDF5 file, as Keras saves models and weights (.h5)" + pytorch);
    EXPECT_EQ(said_of("\x1f\x8b\x08", name),
              "it is a gzip archive\n  try     unpack it and name the file of weights in it");
    EXPECT_EQ(said_of(std::string(257, 'w') + "ustar", name),
              "it is a tar archive\n  try     unpack it and name the file of weights in it");
    EXPECT_EQ(said_of("\x89PNG\r\n\x1a\n", name),
              "it is a PNG image\n  try     the file of weights");
    EXPECT_EQ(said_of("hello,\nthis is text", name),
              "it is a text file" + pytorch + "\n  begins  \"hello,\"");
    EXPECT_EQ(said_of("{\"metadata\": {}, \"weight_map\": {}}", name),
              "it is the index of a model in several files, without weights of its own\n"
              "  try     one file with all of them: save_file(tensors, FILE) of safetensors");
  }
  EXPECT_EQ(said_of(pickled("}")),
            "it is a pickle that torch.save did not write\n"
            "  try     torch.save(model.state_dict(), FILE)");
  EXPECT_EQ(said_of("\xff\xfe\xfd"),
            "it is not a known kind of weight file\n  file    3 bytes\n"
            "  known   what torch.save writes (.pth, .pt), and .safetensors");
}

TEST(WeightFile, AnEntireModelIsRefusedWithHowToSaveItsWeights) {
  const std::string net = global("__main__", "Net") + "q" + std::string(1, '\0') + ")\x81}b";
  for (const std::string& file : {archive(net), legacy(net)}) {
    EXPECT_EQ(said_of(file),
              "it is an entire model, an object of __main__.Net, which needs its code to be read; "
              "nothing "
              "was run\n  try     in Python with its code: torch.save(torch.load(FILE, "
              "weights_only=False).state_dict(), OTHER)");
  }
}

TEST(WeightFile, TorchScriptIsRecognisedThoughItsProgramIsCompressed) {
  std::string script = zip(
      {{"s/data.pkl", pickled("}")}, {"s/code/net.py", "pass"}, {"s/constants.pkl", pickled(")")}});
  const size_t code = script.find("PK\1\2", script.find("PK\1\2") + 1);
  const size_t local = script.find("PK\3\4", 1);
  script[code + 10] = 8;
  for (const char method : {0, 8}) {  // in the entry's own record, too, or only in the directory
    script[local + 8] = method;
    EXPECT_EQ(said_of(script, "s.pt"),
              "it is a TorchScript archive, a program\n"
              "  try     torch.save(torch.jit.load(FILE).state_dict(), OTHER)");
  }
}

TEST(Pytorch, NegativeAndConjugateBitsAreRefused) {
  // The flag comes after the arguments of every tensor, in a dict.
  const auto with_bit = [](const std::string& bit) {
    return archive(dict(
        {text("w"), call(global("torch._utils", "_rebuild_tensor_v2"),
                         {storage("0", 6), integer(0), integers({2, 3}), integers({3, 1}), "\x89",
                          ordered_dict({}), bit.empty() ? dict({}) : dict({text(bit), "\x88"})})}));
  };
  EXPECT_EQ(complaint(with_bit("neg")),
            "tensor \"w\" has the bit \"neg\" set, which is not supported");
  EXPECT_EQ(complaint(with_bit("conj")),
            "tensor \"w\" has the bit \"conj\" set, which is not supported");
  EXPECT_EQ(read_bytes(with_bit("")).tensors[0].second.at(5), 6);
}

TEST(Pytorch, ArchivesOfOtherProgramsAreRecognised) {
  EXPECT_EQ(complaint(zip({{"a.npy", "x"}})), "it is an archive of NumPy arrays (.npz)");
  EXPECT_EQ(complaint(zip({{"config.json", "{}"}, {"model.weights.h5", "x"}})),
            "it is a Keras model (.keras)");
  EXPECT_EQ(complaint(zip({{"a.txt", "x"}})),
            "it is a zip archive, but not one that torch.save wrote");
  EXPECT_EQ(complaint(zip({{"a/data.pkl", pickled("}")}, {"a/constants.pkl", pickled(")")}})),
            "it is a TorchScript archive, a program");
  EXPECT_EQ(complaint(zip({{"a/data.pkl", pickled("}")}, {"a/byteorder", "big"}})),
            "its numbers are in the byte order \"big\"; \"little\" is read");
  EXPECT_EQ(complaint(zip({{"a/data.pkl", pickled("}") + "x"}})),
            "bytes follow the pickle in data.pkl");
  expect_error(ErrorKind::model, "No such file", [] { read_pytorch("/none/w.pth"); });
}

TEST(Pytorch, FilesThatCouldNotBeReadAreNotWritten) {
  TemporaryFolder folder;
  const Array one = Array::of<float>({1});
  expect_error(ErrorKind::usage, "two tensors cannot be called \"w\"", [&] {
    write_pytorch(folder / "w.pth", {{"w", one}, {"w", one}});
  });
  expect_error(ErrorKind::usage, "the name \"?\" is not UTF-8", [&] {
    write_pytorch(folder / "w.pth", {{"\xff", one}});
  });
  expect_error(ErrorKind::usage, "the suffix is not that of a weight format", [&] {
    write_weights(folder / "w.bin", {{"w", one}});
  });
  expect_error(ErrorKind::io, "cannot write", [&] {
    write_weights(folder / "none/w.pth", {{"w", one}});
  });
  EXPECT_TRUE(std::filesystem::is_empty(folder / ""));
}

TEST(Bytes, Utf8IsDistinguishedFromOtherBytes) {
  for (const char* good : {"", "abc", "\u00fc", "\u20ac", "\U0001f600", "\u07ff\u0800\ud7ff"}) {
    EXPECT_TRUE(is_utf8(good)) << good;
  }
  for (const char* bad : {"\xff", "\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80",
                          "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\xc3\x28"}) {
    EXPECT_FALSE(is_utf8(bad)) << printable(bad);
  }
}

}  // namespace
}  // namespace fovea
