// Models from outside: with a choice of their own, and for inputs of any rank.

#include <gtest/gtest.h>

#include "fovea/core/files.h"
#include "fovea/core/random.h"
#include "fovea/formats/npy.h"
#include "fovea/models/registry.h"
#include "fovea/nn.h"
#include "fovea/ops.h"
#include "fovea/predict/predictor.h"
#include "program.h"
#include "temporary_folder.h"

namespace fovea::cli_test {
namespace {

/// Its hidden layer has the chosen width.
class HiddenNet : public nn::Module {
 public:
  HiddenNet(const nn::Scope& s, const models::Config& c)
      : Module(s),
        hidden(at("hidden"), c.input.numel(), c.choices.integer("hidden")),
        fc(at("fc"), c.choices.integer("hidden"), c.outputs) {}
  Tensor forward(Tensor x) const override { return fc(relu(hidden(flatten(x)))); }
  nn::Linear hidden, fc;
};

/// All that a user says of the choice is in this declaration and in the constructor above.
void add_hidden_net() {
  static const bool once = [] {
    models::add({.name = "hidden_net",
                 .input = {1, 8, 8},
                 .choices = {{.name = "hidden",
                              .type = ArgumentType::integer,
                              .default_value = int64_t{16},
                              .minimum = 1,
                              .maximum = 4096,
                              .help = "width of the hidden layer"}},
                 .build = [](const nn::Scope& s, const models::Config& c) {
                   return std::make_unique<HiddenNet>(s, c);
                 }});
    return true;
  }();
  (void)once;
}

int64_t parameters(int64_t hidden) { return 64 * hidden + hidden + hidden * 10 + 10; }

TEST(Choices, OfAModelFromOutsideAreFlagsSettingsAndArgumentsOfItsFile) {
  add_hidden_net();
  TemporaryFolder folder;
  write_digits(folder / "data", 200, 40, 8);
  const std::string data = "mnist:" + (folder / "data").string(), run = folder / "run",
                    best = run + "/best.safetensors";
  const Outcome trained =
      fovea_here({"train", "--data", data, "--model", "hidden_net", "--hidden", "24", "--epochs",
                  "1", "--augment", "none", "--out", run, "--json"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_NE(contents(run + "/config.toml")
                .find("# width of the hidden layer; the model's own by default\nhidden = 24\n"),
            std::string::npos);

  const Outcome resumed = fovea_here({"train", "--resume", run, "--epochs", "2", "--json"});
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(resumed.json().at("epochs"), 2);
  Predictor predictor(best);
  EXPECT_EQ(predictor.file().arguments.at("hidden"), "24");
  EXPECT_EQ(predictor.file().training.at("setting.hidden"), "24");
  EXPECT_EQ(predictor.state().get("hidden.weight").shape(), (Shape{24, 64}));
  const std::string refusal = fovea_here({"train", "--resume", run, "--hidden", "9"}).err;
  EXPECT_EQ(refusal.substr(0, refusal.find('\n')),
            "error: --hidden cannot change when a run is resumed");

  const auto counted = [](const Arguments& arguments) {
    return fovea_here(arguments).json().at("parameters").get<int64_t>();
  };
  EXPECT_EQ(counted({"summary", "--model", best, "--json"}), parameters(24));
  EXPECT_EQ(counted({"summary", "--model", "hidden_net", "--json"}), parameters(16));
  EXPECT_EQ(counted({"summary", "--model", "hidden_net", "--hidden", "3", "--json"}),
            parameters(3));

  // Weights alone do not say how wide the net is.
  const std::string weights = folder / "weights.pth";
  ASSERT_EQ(fovea_here({"convert", best, weights}).code, 0);
  const Outcome measured = fovea_here({"eval", "--model", "hidden_net", "--weights", weights,
                                       "--hidden", "24", "--data", data, "--json"});
  EXPECT_EQ(measured.code, 0) << measured.err;
  EXPECT_EQ(
      fovea_here({"eval", "--model", "hidden_net", "--weights", weights, "--data", data}).code, 4);
}

TEST(Choices, OfAModelFromOutsideAreCheckedAndDescribedAsAnyOther) {
  add_hidden_net();
  const auto says = [](const Arguments& arguments) { return fovea_here(arguments).err; };
  EXPECT_EQ(says({"summary", "--model", "hidden_net", "--hidden", "0"}),
            "error: --hidden must be an integer from 1 to 4096, not \"0\"\n");
  EXPECT_EQ(says({"train", "--model", "hidden_net", "--hidden", "wide"}),
            "error: --hidden must be an integer from 1 to 4096, not \"wide\"\n");
  EXPECT_EQ(says({"summary", "--model", "small_cnn", "--hidden", "8"}),
            "error: small_cnn: this model has no choice \"hidden\"\n  choices dropout\n");
  for (const char* command : {"train", "summary", "eval", "predict", "convert"}) {
    const std::string help = fovea_here({command, "--help"}).out;
    EXPECT_NE(help.find("--hidden N "), std::string::npos) << command << help;
    EXPECT_NE(help.find("idth of the hidden layer; the model's own by default"), std::string::npos)
        << command;
  }
}

TEST(Choices, NumbersMayBeDeclaredAndUsedByANet) {
  add_hidden_net();
  TemporaryFolder folder;
  put(folder / "net.toml",
      "input = [1, 8, 8]\nhidden = 12\nlayers = [ \"Flatten\",\n"
      "{ type = \"Linear\", out_features = \"hidden\" },\n\"ReLU\",\n"
      "{ type = \"Linear\", out_features = \"outputs\" } ]");
  const auto counted = [&](const std::string& hidden) {
    Arguments arguments{"summary", "--model", folder / "net.toml", "--json"};
    if (!hidden.empty()) arguments.insert(arguments.end(), {"--hidden", hidden});
    return fovea_here(arguments).json().at("parameters").get<int64_t>();
  };
  EXPECT_EQ(counted(""), parameters(12));
  EXPECT_EQ(counted("5"), parameters(5));
}

/// Convolution, mean and classes, for inputs with that many spatial axes.
template <int Axes, class Mean>
class AxesNet : public nn::Module {
 public:
  AxesNet(const nn::Scope& s, const models::Config& c)
      : Module(s),
        conv(at("conv"), c.input[0], 4, {.kernel = 3, .padding = 1}),
        mean(at("mean"), 1),
        fc(at("fc"), 4, c.outputs) {}
  Tensor forward(Tensor x) const override { return fc(flatten(mean(relu(conv(x))))); }
  nn::Conv<Axes> conv;
  Mean mean;
  nn::Linear fc;
};

template <class Net>
void add_axes_net(const std::string& name, const Shape& input) {
  models::add({.name = name,
               .outputs = 2,
               .input = input,
               .build = [](const nn::Scope& s, const models::Config& c) {
                 return std::make_unique<Net>(s, c);
               }});
}

/// Two classes of noise: around -1 and around 1.
void write_arrays(const std::filesystem::path& folder, const Shape& one) {
  constexpr int64_t n = 80;
  Array x(DType::f32, Shape{n}.concat(one)), y(DType::i64, {n});
  Random random(1, "axes");
  for (int64_t i = 0; i < x.numel(); ++i)
    x.set(i, random.normal() + (i / one.numel() % 2 == 0 ? -1 : 1));
  for (int64_t i = 0; i < n; ++i) y.set(i, i % 2);
  write_npy(folder / "x.npy", x);
  write_npy(folder / "y.npy", y);
}

TEST(Models, OfOneAndThreeSpatialAxesAreTrainedSummarisedAndUsed) {
  add_axes_net<AxesNet<1, nn::AdaptiveAvgPool1d>>("signal_net", {1, 100});
  add_axes_net<AxesNet<3, nn::AdaptiveAvgPool3d>>("volume_net", {3, 8, 8, 8});
  struct Row {
    std::string model, sizes;
    Shape input;
    int64_t parameters;
  };
  for (const Row& row : {Row{"signal_net", "1x100", {1, 100}, 4 * 3 + 4 + 10},
                         Row{"volume_net", "3x8x8x8", {3, 8, 8, 8}, 4 * 3 * 27 + 4 + 10}}) {
    TemporaryFolder folder;
    write_arrays(folder / "", row.input);
    const std::string run = folder / "run", best = run + "/best.safetensors";
    const Outcome trained =
        fovea_here({"train", "--model", row.model, "--data", "arrays:" + (folder / "").string(),
                    "--input", row.sizes, "--augment", "none", "--batch", "16", "--epochs", "20",
                    "--out", run, "--json"});
    ASSERT_EQ(trained.code, 0) << trained.err;
    EXPECT_GT(trained.json().at("test").at("accuracy"), 0.8) << row.model;
    for (const std::string& model : {row.model, best}) {
      const Outcome summary = fovea_here({"summary", "--model", model, "--json"});
      ASSERT_EQ(summary.code, 0) << summary.err;
      EXPECT_EQ(summary.json().at("parameters"), row.parameters) << model;
      EXPECT_EQ(summary.json().at("input"),
                std::vector<int64_t>(row.input.begin(), row.input.end()));
    }
    const Outcome used =
        fovea_here({"predict", "--model", best, "--input", folder / "x.npy", "--json"});
    ASSERT_EQ(used.code, 0) << used.err;
    EXPECT_EQ(used.json().at("predictions").size(), 80u);
    // The same net for longer inputs, and of what the data does not have.
    Arguments longer{"summary", "--model", row.model, "--input", row.sizes + "0", "--json"};
    EXPECT_EQ(fovea_here(longer).json().at("parameters"), row.parameters);
    const Outcome other =
        fovea_here({"train", "--model", row.model, "--data", "arrays:" + (folder / "").string(),
                    "--input", row.sizes + "0", "--out", folder / "other"});
    EXPECT_EQ(other.code, 2);
    EXPECT_EQ(other.err.substr(0, other.err.find('\n')),
              "error: --input: \"" + row.sizes + "0\" is not the shape of the data set's inputs");
  }
}

}  // namespace
}  // namespace fovea::cli_test
