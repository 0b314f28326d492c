#include "fovea/models/net_file.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "error_text.h"
#include "fovea/core/files.h"
#include "fovea/core/text.h"
#include "fovea/models/layer_kinds.h"
#include "fovea/models/selection.h"
#include "fovea/nn.h"
#include "fovea/passes/summary.h"
#include "fovea/runtime/program.h"
#include "models/net_text.h"

namespace fovea::models {
namespace {

int64_t elements(const std::vector<const nn::Variable*>& variables) {
  int64_t count = 0;
  for (const nn::Variable* v : variables) count += v->shape().numel();
  return count;
}

std::vector<std::string> names(const nn::Module& model) {
  std::vector<std::string> result;
  for (const nn::Variable* v : model.variables()) result.push_back(v->name());
  return result;
}

/// The output of the model with the weights of seed 3 for two images.
Array logits(const nn::Module& model, const Shape& image) {
  State state;
  nn::declare(state, model, 3);
  Array images(DType::f32, Shape{2}.concat(image));
  Random random(1, "images");
  for (float& value : images.data<float>()) value = static_cast<float>(random.normal());
  const Program program(*nn::trace(model, images.shape()));
  Memory memory;
  return program.run(memory, state, {{"input", images}})[0].clone();
}

TEST(NetFile, ExamplesEqualTheModelsOfTheRegistry) {
  // A text is another way to write the same net: arrays, initial weights and outputs are equal.
  struct Expected {
    const char* name;
    int64_t parameters;
  };
  for (const Expected& e : {Expected{"small_cnn", 545290}, Expected{"resnet18_cifar", 11173962},
                            Expected{"fcn_1d", 265994}}) {
    const auto code = make(e.name), text = make("", example(e.name));
    EXPECT_EQ(text->name(), e.name);
    EXPECT_EQ(elements(text->parameters()), e.parameters) << e.name;
    EXPECT_EQ(names(*text), names(*code));
    const Shape input = entry(e.name).input;
    const Array a = logits(*code, input), b = logits(*text, input);
    ASSERT_EQ(a.shape(), b.shape());
    for (int64_t i = 0; i < a.numel(); ++i) EXPECT_EQ(a.at(i), b.at(i)) << e.name;
  }
  const Config config = configure("", example("small_cnn"));
  EXPECT_EQ(config.choices.number("dropout"), 0.2);  // in both, and for --dropout
  EXPECT_EQ(
      configure("", {.choices = {{"dropout", 0}}, .net = config.net}).choices.number("dropout"), 0);
}

TEST(NetFile, InceptionTimeCanBeWrittenAsText) {
  const auto code = make("inception_time"), text = make("", example("inception_time"));
  EXPECT_EQ(elements(text->parameters()), elements(code->parameters()));
  const auto macs = [](const nn::Module& net) {
    return summarize(*nn::trace(net, {1, 1, 128}), names(net)).macs;
  };
  EXPECT_EQ(macs(*text), macs(*code));
}

TEST(NetFile, EveryBlockHasItsNumberOfParameters) {
  // The numbers that PyTorch counts for the same blocks.
  const std::map<std::string, int64_t> expected{
      {"conv", 1856},          {"basic", 73984},        {"halved", 230144}, {"mixer", 8256},
      {"separable", 9152},     {"mixer2", 8256},        {"excite", 512},    {"se_basic", 74496},
      {"bottleneck1", 75008},  {"bottleneck2", 70400},  {"mixer3", 16448},  {"convnext", 36480},
      {"modern", 36416},       {"dense_layer", 45440},  {"mbconv", 18112},  {"mixer4", 2112},
      {"dense_block", 206720}, {"multi_scale", 442624}, {"fc", 2570}};
  const auto model = make("", example("blocks"));
  std::map<std::string, int64_t> counted;
  for (const nn::Module* child : model->children()) {
    if (const int64_t count = elements(child->parameters())) counted[child->name()] = count;
  }
  EXPECT_EQ(counted, expected);
  EXPECT_EQ(nn::trace(*model, {2, 3, 32, 32}, Mode::train)->output("output").shape(),
            (Shape{2, 10}));
}

TEST(NetFile, BranchesAreCombined) {
  const auto model = make("", example("branches"));
  const auto graph = nn::trace(*model, {2, 1, 28, 28});
  std::map<std::string, int> ops;
  for (const Node& node : graph->nodes()) ++ops[std::string(node.op.name())];
  EXPECT_EQ(ops["concat"], 1);
  EXPECT_EQ(ops["add"], 1);
  EXPECT_EQ(graph->node(static_cast<int>(graph->nodes().size()) - 4).scope(), "weighted");
  EXPECT_EQ(ops["conv"], 8);
  // Two ways to say what is added, and Darknet's way to count back.
  const std::string a = R"({ name = "a", type = "Conv2d", out_channels = 1, kernel_size = 1 },)";
  const std::string ways[] = {
      R"({ type = "Add", from = "input" },)", R"({ type = "Add", from = ["a", "input"] },)",
      R"({ type = "Add", from = -2 },)", R"({ type = "Add", from = [-1, -2] },)"};
  for (const std::string& way : ways) {
    const auto net = made(small(a + way));
    const auto traced = nn::trace(*net, {1, 1, 8, 8});
    EXPECT_EQ(traced->node(1).op.name(), "add") << way;
    EXPECT_NE(std::ranges::find(traced->node(1).inputs, 0), traced->node(1).inputs.end()) << way;
  }
}

// Options of PyTorch that nets written for it use.
TEST(NetFile, NormsWithoutWeightsAndFractionalUpsampling) {
  const auto net =
      made(small(R"({ name = "conv", type = "Conv2d", out_channels = 2, kernel_size = 1 },
      { name = "bn", type = "BatchNorm2d", momentum = "none", affine = false },
      { name = "up", type = "Upsample", scale_factor = [1.5, 2], mode = "bilinear" },
      { name = "down", type = "Upsample", scale_factor = 0.5, recompute_scale_factor = true },
      { name = "ln", type = "LayerNorm", bias = false },
      { name = "lnc", type = "LayerNormChannels", elementwise_affine = false },)"));
  EXPECT_EQ(names(*net), (std::vector<std::string>{"conv.weight", "conv.bias", "bn.running_mean",
                                                   "bn.running_var", "bn.num_batches_tracked",
                                                   "ln.weight", "fc.weight", "fc.bias"}));
  EXPECT_EQ(net->parameters()[3]->shape(), (Shape{10, 2 * 6 * 8}));  // of 12x16, halved
  EXPECT_EQ(logits(*net, {1, 8, 8}).shape(), (Shape{2, 10}));
  const auto refusal = [](const std::string& layer) {
    return error_text(ErrorKind::model, [&] { made(small(layer)); });
  };
  EXPECT_NE(refusal(R"({ type = "BatchNorm2d", momentum = "some" },)")
                .find("momentum must be a number from 0 to 1 or \"none\", not \"some\""),
            std::string::npos)
      << refusal(R"({ type = "BatchNorm2d", momentum = "some" },)");
  EXPECT_NE(refusal(R"({ type = "Upsample", scale_factor = 0 },)")
                .find("scale_factor must be a number from 0.001 to 1000 or a list with one per "
                      "axis, not 0"),
            std::string::npos)
      << refusal(R"({ type = "Upsample", scale_factor = 0 },)");
}

/// The shape that the layers give for one input.
Shape shape_of(const std::string& input, const std::string& layers) {
  const auto net = made("input = " + input + "\nlayers = [\n" + layers +
                        R"(, { name = "last", type = "Identity" },
      "Flatten", { type = "Linear", out_features = "classes" } ])");
  const Shape one =
      Shape{1}.concat(configure("", with("input = " + input + "\nlayers = []")).input);
  const auto graph = nn::trace(*net, one);
  for (const Node& node : graph->nodes()) {
    if (node.op.name() == "reshape") return node.input(0).shape();
  }
  return {};
}

TEST(NetFile, LayersOfSeriesAndVolumes) {
  const std::string series = "[2, 40]", volume = "[1, 6, 8, 10]";
  EXPECT_EQ(
      shape_of(series, R"({ type = "Conv1d", out_channels = 4, kernel_size = 5, stride = 2 })"),
      (Shape{1, 4, 18}));
  EXPECT_EQ(shape_of(volume, R"({ type = "Conv3d", out_channels = 4, kernel_size = [1, 3, 5] })"),
            (Shape{1, 4, 6, 6, 6}));
  EXPECT_EQ(shape_of(volume, R"({ type = "MaxPool3d", kernel_size = [1, 2, 2] })"),
            (Shape{1, 1, 6, 4, 5}));
  EXPECT_EQ(shape_of(series, R"({ type = "AdaptiveAvgPool1d", output_size = 1 })"),
            (Shape{1, 2, 1}));
  EXPECT_EQ(
      shape_of(
          volume,
          R"({ type = "ConvTranspose3d", out_channels = 2, kernel_size = 3, stride = 2, padding = 1, output_padding = 1, bias = false })"),
      (Shape{1, 2, 12, 16, 20}));
  // A causal convolution of WaveNet's kind.
  EXPECT_EQ(shape_of(series, R"({ type = "Pad", padding = 8, padding_end = 0 },
                                { type = "Conv1d", out_channels = 4, kernel_size = 2, dilation = 8 })"),
            (Shape{1, 4, 40}));
  EXPECT_EQ(shape_of(volume, R"({ type = "Pad", padding = [0, 1, 2], mode = "replicate" })"),
            (Shape{1, 1, 6, 10, 14}));
  // Max unpooling puts values back into maps of the size before pooling.
  EXPECT_EQ(shape_of("[1, 8, 8]",
                     R"({ name = "conv", type = "Conv2d", out_channels = 3, kernel_size = 2 },
      { type = "MaxPool2d", kernel_size = 3 },
      { type = "MaxUnpool2d", kernel_size = 3, from = "conv" })"),
            (Shape{1, 3, 7, 7}));
  EXPECT_EQ(error_text(ErrorKind::usage,
                       [&] { shape_of(series, R"({ type = "MaxPool2d", kernel_size = 2 })"); })
                .substr(0, 10),
            "max_pool2d");
}

TEST(NetFile, MaxUnpoolingKeepsEachMaximumInItsPlace) {
  const auto net = made(R"(input = [1, 4]
layers = [ { name = "x", type = "Identity" },
           { type = "MaxPool1d", kernel_size = 2 },
           { type = "MaxUnpool1d", kernel_size = 2, from = "x" },
           "Flatten", { name = "fc", type = "Linear", out_features = "classes" } ])");
  const auto graph = nn::trace(*net, {1, 1, 4});
  Tensor unpooled;
  for (const Node& node : graph->nodes()) {
    if (node.op.name() == "max_unpool") unpooled = node.output(0);
  }
  graph->output("unpooled", unpooled);
  State state;
  nn::declare(state, *net, 1);
  const Program program(*graph);
  Memory memory;
  const Array x = Array::of(std::vector<float>{3, 1, -2, -1}, {1, 1, 4});
  const Array y = program.run(memory, state, {{"input", x}})[1];
  EXPECT_EQ(std::vector<float>(y.data<float>().begin(), y.data<float>().end()),
            (std::vector<float>{3, 0, 0, -1}));
}

TEST(NetFile, OutputsHaveNames) {
  const std::string text = R"(input = [1, 8, 8]
layers = [
  { name = "conv", type = "Conv2d", out_channels = 2, kernel_size = 3, output = "maps" },
  { name = "aux", from = "conv", output = "aux1", layers = [
    "Flatten", { type = "Linear", out_features = "classes" } ] },
  { name = "head", from = "conv", layers = [
    "Flatten", { type = "Linear", out_features = "classes" } ] },
])";
  const auto net = made(text);
  const auto names_of = [&](Mode mode, bool wanted) {
    const auto graph = Graph::make(mode);
    if (wanted) graph->add_side_outputs();
    graph->output("output", (*net)(graph->input("input", {DType::f32, {2, 1, 8, 8}})));
    std::vector<std::string> names;
    for (const auto& [name, id] : graph->outputs()) names.push_back(name);
    std::ranges::sort(names);
    return names;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names_of(Mode::train, false), (Names{"aux1", "output"}));  // which has a loss
  EXPECT_EQ(names_of(Mode::eval, false), (Names{"output"}));
  EXPECT_EQ(names_of(Mode::eval, true), (Names{"aux1", "maps", "output"}));
  const auto message = [&](const std::string& from, const std::string& to, ErrorKind kind) {
    std::string changed = text;
    changed.replace(changed.find(from), from.size(), to);
    return error_text(kind, [&] { made(changed); });
  };
  EXPECT_EQ(message("\"aux1\"", "\"maps\"", ErrorKind::model),
            "the output name \"maps\" is taken\n  at      net.aux (net.toml:4)");
  EXPECT_EQ(message("\"maps\"", "\"output\"", ErrorKind::model),
            "the output name \"output\" is taken\n  at      net.conv (net.toml:3)");
  EXPECT_EQ(message("\"maps\"", "\"aux2\"", ErrorKind::usage),
            "the auxiliary output \"aux2\" is [2, 6, 6] instead of [10], one number per class\n"
            "  at      net.conv (net.toml:3)\n"
            "  try     a name that does not begin with \"aux\"");
}

TEST(NetFile, NamesAreIndicesByDefault) {
  EXPECT_EQ(names(*made(small(R"({ type = "Conv2d", out_channels = 2, kernel_size = 3 }, "ReLU",
                                 { layers = [{ type = "Linear", out_features = 3, bias = false, repeat = 2 }] },
                                 { name = "b", type = "PReLU", repeat = 2 },)"))),
            (std::vector<std::string>{"0.weight", "0.bias", "2.0.weight", "2.1.weight", "b1.weight",
                                      "b2.weight", "fc.weight", "fc.bias"}));
  const auto net = made("name = \"mine\"\n" + small(""));
  EXPECT_EQ(net->name(), "mine");
  EXPECT_EQ(net_entry({.file = "a/b/other.toml", .text = small("")}).name, "other");
}

TEST(NetFile, OptionsOverrideTheText) {
  Options options = example("small_cnn");
  options.outputs = 4;
  options.input = Shape{1, 20, 24};
  const Config config = configure("", options);
  EXPECT_EQ(config.outputs, 4);
  EXPECT_EQ(config.input, (Shape{1, 20, 24}));
  const auto model = make("", config);
  EXPECT_EQ(nn::trace(*model, {3, 1, 20, 24})->output("output").shape(), (Shape{3, 4}));
  EXPECT_EQ(head("", config), (std::set<std::string, std::less<>>{"head.4.bias", "head.4.weight"}));
  options.choices.set("aux", true);
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { (void)configure("", options); }),
            "small_cnn: this model has no choice \"aux\"\n  choices dropout");
}

/// A net around the example of a kind of layer: "stem" gives it an input of the example's shape.
std::string around(const LayerKind& kind) {
  const Shape& input = kind.example.input;
  const bool vector = input.rank() == 1;
  std::vector<std::string> sizes;
  for (const int64_t size : input) sizes.push_back(std::to_string(size));
  if (vector) sizes.insert(sizes.end(), {"1", "1"});
  return "input = [" + join(sizes) + "]\nlayers = [\n{ name = \"stem\", type = \"" +
         (vector ? "Flatten" : "Identity") + "\" }, \"ReLU\",\n" + kind.example.layer +
         ",\n\"Flatten\", { type = \"Linear\", out_features = \"classes\" } ]";
}

/// What is wrong with a layer's example, or "".
std::string fault_of_example(const LayerKind& kind) {
  const std::string& name = kind.choice.name;
  const std::string& layer = kind.example.layer;
  const std::string type = kind.build ? "\"" + name + "\"" : "layers";
  if (layer.find(type) == std::string::npos)
    return "the example of " + name + " has none: " + layer;
  try {
    const auto net = made(around(kind));
    Shape image = configure("", with(around(kind))).input;
    (void)nn::trace(*net, Shape{2}.concat(image), Mode::train);
    const Array output = logits(*net, image);
    for (int64_t i = 0; i < output.numel(); ++i) {
      if (!std::isfinite(output.at(i))) return "the example of " + name + " gives NaN or infinity";
    }
  } catch (const Error& error) {
    return "the example of " + name + " does not work: " + error.what();
  }
  return "";
}

TEST(NetFile, TheExampleOfEveryLayerRuns) {
  for (const LayerKind& kind : layer_kinds()) EXPECT_EQ(fault_of_example(kind), "");
}

TEST(NetFile, AnExampleThatDoesNotWorkNamesItsRow) {
  LayerKind kind = layer_kind("Conv2d");
  kind.example.layer = "";
  EXPECT_EQ(fault_of_example(kind), "the example of Conv2d has none: ");
  kind.example.layer = "{ type = \"Conv2d\", out_channels = 4 }";
  const std::string fault = fault_of_example(kind);
  EXPECT_TRUE(
      fault.starts_with("the example of Conv2d does not work: Conv2d: kernel_size is missing\n"))
      << fault;
}

TEST(NetFile, ArgumentsHaveTheirEffect) {
  const auto shape = [](const std::string& layer) {
    const auto net = made(small(layer + R"(, { name = "last", type = "Identity" },)"));
    Shape last;
    const auto graph = nn::trace(*net, {1, 1, 8, 8});
    for (const Node& node : graph->nodes()) {
      if (node.op.name() == "reshape") break;
      last = graph->value(node.outputs[0]).type.shape;
    }
    return last;
  };
  const std::string conv = R"({ type = "Conv2d", out_channels = 4, )";
  EXPECT_EQ(shape(conv + "kernel_size = 3 }"), (Shape{1, 4, 6, 6}));
  EXPECT_EQ(shape(conv + "kernel_size = [1, 3], stride = [1, 2] }"), (Shape{1, 4, 8, 3}));
  EXPECT_EQ(shape(conv + "kernel_size = 5, padding = \"same\", stride = 2 }"), (Shape{1, 4, 4, 4}));
  EXPECT_EQ(shape(conv + "kernel_size = 3, dilation = 2, padding = 1 }"), (Shape{1, 4, 6, 6}));
  EXPECT_EQ(shape(R"({ type = "MaxPool2d", kernel_size = 3, stride = 2, ceil_mode = true })"),
            (Shape{1, 1, 4, 4}));
  EXPECT_EQ(shape(R"({ type = "Upsample", scale_factor = 2, mode = "bilinear" })"),
            (Shape{1, 1, 16, 16}));
  EXPECT_EQ(elements(made(small(conv + "kernel_size = 1, bias = false }, { type = \"Conv2d\", "
                                       "out_channels = 4, groups = 4, kernel_size = 1 },"))
                         ->parameters()),
            4 + (4 + 4) + (4 * 64 * 10 + 10));
}

TEST(NetFile, TheDocumentationListsEveryLayer) {
  const std::string page = contents("docs/nets.md");
  EXPECT_NE(page.find("\n```text\n" + layer_kinds_text() + "```\n"), std::string::npos)
      << "docs/nets.md should have this block:\n"
      << layer_kinds_text();
}

TEST(NetFile, ALayerFromOutsideIsARow) {
  class Scaled : public nn::Module {
   public:
    Scaled(const nn::Scope& s, double by) : Module(s), by_(by) {}
    Tensor forward(Tensor x) const override { return x * by_; }

   private:
    double by_;
  };
  add_layer({.choice = {.name = "Scaled",
                        .arguments = {{.name = "by", .default_value = 2.0, .maximum = 4}},
                        .help = "x times a number"},
             .example = {"{ type = \"Scaled\", by = 3 }", {3, 8, 8}},
             .build = [](const nn::Scope& s, const Shape&, const Arguments& a) {
               return std::make_unique<Scaled>(s, a.number("by"));
             }});
  EXPECT_EQ(fault_of_example(layer_kinds().back()), "");
  EXPECT_EQ(error_text(ErrorKind::model, [] { made(small("{ type = \"Scaled\", by = 5 },")); }),
            "Scaled: by must be a number from 0 to 4, not 5\n  at      net.0 (net.toml:3)");
  EXPECT_THROW(add_layer(layer_kind("Conv2d")), Error);
}

}  // namespace
}  // namespace fovea::models
