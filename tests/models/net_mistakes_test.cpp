#include "error_text.h"
#include "fovea/core/random.h"
#include "fovea/runtime/state.h"
#include "models/net_text.h"
#include "temporary_folder.h"

namespace fovea::models {
namespace {

/// The message for a text.
std::string says(const std::string& text, ErrorKind kind = ErrorKind::model) {
  return error_text(kind, [&] { (void)made(text); });
}

TEST(NetFileMistakes, ShapesThatDoNotFitNameTheLine) {
  EXPECT_EQ(
      says(
          small(
              R"({ name = "conv", type = "Conv2d", out_channels = 4, kernel_size = 3, in_channels = 3 },)"),
          ErrorKind::usage),
      "conv2d: input has 1 channel, weight expects 3\n"
      "  input   f32[N=1, C=1, H=8, W=8]\n"
      "  weight  f32[O=4, I=3, H=3, W=3], groups=1\n"
      "  at      net.conv (net.toml:3)\n"
      "  try     a layer with in_channels = 1, or input of 3 channels");
  EXPECT_EQ(says(small("{ name = \"block\", layers = [\n  { type = \"BasicBlock\", width = 4 },\n"
                       "  { type = \"MaxPool2d\", kernel_size = 9 },\n] },"),
                 ErrorKind::usage),
            "max_pool2d: the window spans 9, but the padded input only 8 (axis H)\n"
            "  input   f32[N=1, C=4, H=8, W=8]\n"
            "  at      net.block.1 (net.toml:5)\n"
            "  try     a larger input, more padding, or a smaller kernel or dilation");
  // Inside a block the line of the text replaces that of the block's code.
  EXPECT_NE(says(small("\"Flatten\",\n{ name = \"block\", type = \"BasicBlock\", width = 4 },"),
                 ErrorKind::usage)
                .find("\n  at      net.block.downsample.0 (net.toml:4)"),
            std::string::npos);
  EXPECT_EQ(
      says(
          small(
              R"({ name = "g", type = "Conv2d", out_channels = 4, kernel_size = 1, groups = 3 },)"),
          ErrorKind::usage),
      "conv2d: groups=3 does not divide 1 input and 4 output channels\n"
      "  at      net.g (net.toml:3)");
  const auto net = make("", example("small_cnn"));
  EXPECT_NE(error_text(ErrorKind::usage,
                       [&] {
                         (void)nn::trace(*net, {1, 3, 28, 28});
                       })
                .find("small_cnn.head.1 (small_cnn.toml:"),
            std::string::npos);
}

TEST(NetFileMistakes, MistakesNameTheLineAndWhatIsAccepted) {
  EXPECT_EQ(says(small("{ name = \"c\", type = \"Conv2D\", out_channels = 4 },")),
            "unknown layer type \"Conv2D\"\n"
            "  nearest Conv2d, Conv1d, Conv3d\n"
            "  at      net.toml:3\n"
            "  try     fovea layers, which lists all");
  EXPECT_EQ(says(small("\n\"Relu\",")),
            "unknown layer type \"Relu\"\n"
            "  nearest ReLU, ReLU6, PReLU\n"
            "  at      net.toml:4\n"
            "  try     fovea layers, which lists all");
  EXPECT_EQ(says(small("\"Softshrink\",")),
            "unknown layer type \"Softshrink\"\n"
            "  at      net.toml:3\n"
            "  try     fovea layers, which lists all");
  EXPECT_EQ(says(small("{ name = \"c\", type = \"Conv2d\", out_channel = 4, kernel_size = 1 },")),
            "unknown argument of Conv2d \"out_channel\"\n"
            "  nearest out_channels\n"
            "  at      net.c (net.toml:3)\n"
            "  try     fovea layers, which lists them");
  EXPECT_EQ(says(small("{ type = \"Conv2d\", out_channels = 4 },")),
            "Conv2d: kernel_size is missing\n"
            "  expected an integer from 1 to 65536 or a list with one per axis\n"
            "  at       net.0 (net.toml:3)");
  EXPECT_NE(says("layers = [\n\"ReLU\",\n]\n[[layers]]\n").find("  at      net.toml:4"),
            std::string::npos);
  EXPECT_EQ(says("[[layers]]\ntype = \"Conv2d\"\nout_channels = 0\nkernel_size = 1\n"),
            "Conv2d: out_channels must be an integer from 1 to 1000000 or \"classes\", not 0\n"
            "  at      net.0 (net.toml:3)");
  EXPECT_EQ(
      says(small("{ type = \"Conv2d\", out_channels = 4, kernel_size = 1, padding = \"big\" },")),
      "Conv2d: padding must be an integer from 0 to 65536, a list with one per axis, \"same\", "
      "\"valid\" or \"full\", not \"big\"\n"
      "  at      net.0 (net.toml:3)");
  EXPECT_EQ(
      says(small("{ type = \"MaxPool2d\", kernel_size = [2, 0] },")),
      "MaxPool2d: kernel_size must be an integer from 1 to 65536 or a list with one per axis, "
      "not [ 2, 0 ]\n"
      "  at      net.0 (net.toml:3)");
  EXPECT_EQ(says(small("{ type = \"Dropout\", p = 1.5 },")),
            "Dropout: p must be a number from 0 to 1 or \"dropout\", not 1.5\n"
            "  at      net.0 (net.toml:3)");
  EXPECT_EQ(says(small("{ type = \"ConvNormAct\", out_channels = 1, bias = 1 },")),
            "ConvNormAct: bias must be true or false, not 1\n"
            "  at      net.0 (net.toml:3)");
  EXPECT_EQ(says(small("{ type = \"Upsample\", scale_factor = 2, mode = \"cubic\" },")),
            "Upsample: mode must be \"nearest\", \"linear\", \"bilinear\" or \"trilinear\", not "
            "\"cubic\"\n"
            "  at      net.0 (net.toml:3)");
  EXPECT_EQ(says(small("{ name = \"a\", type = \"ReLU\" },\n{ name = \"a\", type = \"ReLU\" },")),
            "two layers are named \"a\"\n"
            "  first   net.toml:3\n"
            "  at      net.a (net.toml:4)");
  EXPECT_EQ(says(small("{ out_channels = 3 },")),
            "the type of the layer is missing\n"
            "  at      net.toml:3\n"
            "  try     type = \"Conv2d\"");
  EXPECT_EQ(says(small("3,")),
            "a layer must be a table, { type = \"Conv2d\", ... }, or a type in quotes, \"ReLU\"\n"
            "  at      net.toml:3");
  EXPECT_EQ(says("layer = []"),
            "unknown key of a net \"layer\"\n"
            "  nearest layers\n"
            "  at      net.toml:1");
  EXPECT_EQ(says("classes = 3"), "net.toml: layers is missing\n  expected a list of layers");
  EXPECT_EQ(says("layers = []"), "the list of layers is empty\n  at      net.toml:1");
  EXPECT_EQ(says("layers = 3"), "layers must be a list\n  at      net.toml:1");
  EXPECT_EQ(says("\nclasses = 0\nlayers = []"),
            "classes must be an integer from 1 to 1000000, not 0\n  at      net.toml:2");
  EXPECT_EQ(says("input = [1, 2, 3, 4, 5]"),
            "input must be a list of channels and up to 3 sizes, such as [3, 32, 32], not [ 1, 2, "
            "3, 4, 5 ]\n  at      net.toml:1");
  EXPECT_EQ(says("dropout = 1"),
            "dropout must be a number of at least 0 and below 1, not 1\n  at      net.toml:1");
  EXPECT_EQ(says("init = { Conv2d = \"kaiming\" }\n" + small("")),
            "unknown initialiser \"kaiming\"\n"
            "  nearest kaiming_normal, kaiming_uniform, kaiming_normal_fan_out\n"
            "  at      net.toml:1");
  EXPECT_EQ(says("name = \"a.b\"\n" + small("")),
            "a name must be a string of 1 to 64 letters, digits, _ or -\n  at      net.toml:1");
}

TEST(NetFileMistakes, ReferencesGoUpwardsInTheirList) {
  const std::string two =
      "{ name = \"a\", type = \"ReLU\" },\n{ name = \"b\", type = \"ReLU\" },\n";
  EXPECT_EQ(says(small(two + "{ name = \"c\", type = \"Add\", from = \"d\" },\n"
                             "{ name = \"d\", type = \"ReLU\" },")),
            "unknown layer \"d\"\n"
            "  expected the name of an earlier layer of the same list, or \"input\"\n"
            "  at       net.c (net.toml:5)");
  EXPECT_EQ(says(small("{ name = \"c\", type = \"Add\", from = \"c\" },")),
            "unknown layer \"c\"\n"
            "  expected the name of an earlier layer of the same list, or \"input\"\n"
            "  at       net.c (net.toml:3)");
  EXPECT_EQ(says(small(two + "{ layers = [{ type = \"ReLU\", from = \"a\" }] },")),
            "unknown layer \"a\"\n"
            "  expected the name of an earlier layer of the same list, or \"input\"\n"
            "  at       net.2.0 (net.toml:5)");
  EXPECT_EQ(says(small(two + "{ type = \"ReLU\", from = \"a\" },")),
            "no layer uses the output of \"b\"\n"
            "  at      net.b (net.toml:4)\n"
            "  try     from = \"b\" in a layer below it");
  EXPECT_EQ(says(small(two + "{ type = \"ReLU\", from = [\"a\", \"b\"] },")),
            "ReLU: from must name 1 layer, not 2\n  at      net.2 (net.toml:5)");
  EXPECT_EQ(says(small(two + "{ type = \"Add\", from = [\"a\"] },")),
            "Add: from must name 2 to 64 layers, not 1\n  at      net.2 (net.toml:5)");
  EXPECT_EQ(says(small(two + "{ type = \"Concat\" },")),
            "Concat: from is missing\n"
            "  expected the name of a layer to combine with the previous one, or a list of names\n"
            "  at       net.2 (net.toml:5)");
  EXPECT_EQ(says(small(two + "{ type = \"Add\", from = -4 },")).substr(0, 18),
            "unknown layer \"-4\"");
  EXPECT_EQ(
      says(small("{ name = \"input\", type = \"ReLU\" },")),
      "\"input\" is the name of the input of a list of layers\n  at      net.input (net.toml:3)");
}

TEST(NetFileMistakes, ANetOfTheWrongOutputShapeIsRefused) {
  EXPECT_EQ(
      says("input = [3, 8, 8]\nlayers = [\n\"ReLU\",\n\"Sigmoid\" ]", ErrorKind::usage),
      "the net's output is [3, 8, 8] instead of [10], one number per class\n"
      "  at      net.toml:4\n"
      "  try     \"Flatten\" and { type = \"Linear\", out_features = \"classes\" } at the end");
  Options options = with("layers = [\"Flatten\", { type = \"Linear\", out_features = 10 }]");
  EXPECT_NO_THROW((void)make("", options));
  options.outputs = 7;
  expect_error(ErrorKind::usage, "the net's output is [10] instead of [7]",
               [&] { (void)make("", options); });
}

TEST(NetFileMistakes, HostileTextsFailFast) {
  EXPECT_EQ(says(small("{ type = \"ReLU\", repeat = 1000000000 },")),
            "repeat must be an integer from 1 to 1000, not 1000000000\n  at      net.toml:3");
  EXPECT_EQ(says(small("{ type = \"ReLU\", repeat = 0 },")),
            "repeat must be an integer from 1 to 1000, not 0\n  at      net.toml:3");
  // Repeats inside repeats multiply.
  std::string inner = "\"ReLU\"";
  for (int i = 0; i < 4; ++i) inner = "{ repeat = 1000, layers = [" + inner + "] }";
  EXPECT_EQ(says(small(inner + ",")).substr(0, 35), "a net may have at most 5000 layers\n");
  EXPECT_EQ(says(small("{ type = \"DenseBlock\", num_layers = 128, growth = 1, repeat = 100 },"))
                .substr(0, 40),
            "a net may have at most 10000 operations\n");
  for (int depth : {20, 100, 100000}) {
    std::string open, close;
    for (int i = 0; i < depth; ++i) {
      open += "{layers=[";
      close += "]}";
    }
    const std::string message = says(small(open + "\"ReLU\"" + close + ","));
    if (depth == 20) {
      EXPECT_EQ(message.substr(0, message.find('\n')),
                "lists of layers may be nested at most 16 deep");
    }
  }
  EXPECT_NE(says("layers = [ { type = \"ReLU\" ").find("net.toml:1"), std::string::npos);
  EXPECT_NE(says("a = 1\na = 2").find("net.toml:2"), std::string::npos);
  EXPECT_NE(says(std::string("\xff\xfe\x00\x01", 4)), "");
  EXPECT_EQ(says(std::string(2 << 20, '#')),
            "net.toml: a net's text may have at most 1048576 bytes");
  EXPECT_EQ(says(small("{ type = \"Conv2d\", out_channels = 99999999999, kernel_size = 1 },"))
                .substr(0, 39),
            "Conv2d: out_channels must be an integer");
  EXPECT_EQ(says(small("{ type = \"Dropout\", p = nan },")).substr(0, 16), "Dropout: p must ");
  EXPECT_EQ(says(small("{ name = \"" + std::string(100, 'x') + "\", type = \"ReLU\" },")),
            "a name must be a string of 1 to 64 letters, digits, _ or -\n  at      net.toml:3");
  EXPECT_EQ(says(small("{ name = \"a.b\", type = \"ReLU\" },")),
            "a name must be a string of 1 to 64 letters, digits, _ or -\n  at      net.toml:3");
  // Sizes beyond all memory are detected before anything is allocated.
  const auto huge = made(
      "input = [65536, 65536, 65536]\nlayers = [\"Flatten\", { type = \"Linear\", "
      "out_features = 1000000 }, { type = \"Linear\", out_features = \"classes\" }]");
  State state;
  nn::declare(state, *huge, 1);
  EXPECT_EQ(error_text(ErrorKind::memory, [&] { (void)state.get("1.weight"); }),
            "a size is too large: 1000000 x 281474976710656 exceeds 2^62");
}

TEST(NetFileMistakes, TruncatedOrChangedTextsDoNotCrash) {
  const std::string whole = contents("examples/nets/branches.toml");
  Random random(1, "net file");
  for (int i = 0; i < 300; ++i) {
    std::string text = whole;
    if (i % 3 == 0) text.resize(random.below(text.size()));
    for (uint64_t n = random.below(4); n > 0 && !text.empty(); --n)
      text[random.below(text.size())] = static_cast<char>(random.below(256));
    try {
      (void)made(text);
    } catch (const Error& error) {
      EXPECT_NE(error.kind(), ErrorKind::internal) << error.what() << "\n" << text;
    }
  }
}

TEST(NetFileMistakes, AMissingFileIsAModelError) {
  TemporaryFolder folder;
  expect_error(ErrorKind::model, "none.toml", [&] { (void)read_net(folder / "none.toml"); });
  EXPECT_TRUE(is_net_file("a/net.toml"));
  EXPECT_FALSE(is_net_file("small_cnn"));
  EXPECT_FALSE(is_net_file("best.safetensors"));
}

}  // namespace
}  // namespace fovea::models
