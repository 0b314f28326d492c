// The model compared with another program's numbers.

#include <gtest/gtest.h>

#include <fstream>

#include "../formats/pickles.h"
#include "fovea/core/random.h"
#include "fovea/formats/npy.h"
#include "fovea/formats/weight_file.h"
#include "fovea/models/registry.h"
#include "fovea/weights/fit.h"
#include "program.h"
#include "temporary_folder.h"

namespace fovea::cli_test {
namespace {

/// lenet5 with initial weights, and its output for noise, from `predict`.
class ParityCommand : public testing::Test {
 protected:
  void SetUp() override {
    const auto model = models::make("lenet5");
    State state;
    nn::declare(state, *model, 5);
    write_weights(folder_ / "w.pth", weights_of(*model, state));
    Array x(DType::f32, {2, 1, 32, 32});
    Random random(1, "noise");
    for (int64_t i = 0; i < x.numel(); ++i) x.set(i, random.uniform());
    write_npy(folder_ / "x.npy", x);
    ASSERT_EQ(fovea({"predict", "--model", "lenet5", "--weights", folder_ / "w.pth", "--input",
                     folder_ / "x.npy", "--output", folder_ / "y.npy"})
                  .code,
              0);
  }
  /// The trace of x.npy and `output`, and what the command says of it.
  Outcome parity(const std::string& output, const Arguments& more = {}) {
    std::ofstream(folder_ / "t.npz", std::ios::binary)
        << pickles::zip({{"input.npy", contents(folder_ / "x.npy")},
                         {"output.npy", output},
                         {"dropout.npy", output}});
    Arguments all{"parity",          "--model", "lenet5",         "--weights",
                  folder_ / "w.pth", "--trace", folder_ / "t.npz"};
    all.insert(all.end(), more.begin(), more.end());
    return fovea(all);
  }
  TemporaryFolder folder_;
};

TEST_F(ParityCommand, SaysThatAllLayersAgreeOrWhichDiffersFirst) {
  const Outcome same = parity(contents(folder_ / "y.npy"));
  EXPECT_EQ(same.code, 0) << same.err;
  EXPECT_NE(same.out.find("\nAll 1 agree within 0.001 of each layer's largest value.\n"),
            std::string::npos)
      << same.out;
  EXPECT_NE(same.err.find("only in the trace: dropout"), std::string::npos) << same.err;

  Array y = read_npy(folder_ / "y.npy");
  y.set(3, y.at(3) + 1);
  write_npy(folder_ / "z.npy", y);
  const Outcome other = parity(contents(folder_ / "z.npy"));
  EXPECT_EQ(other.code, 1) << other.err;
  EXPECT_NE(other.out.find("\nThe first that differs is output: by "), std::string::npos)
      << other.out;
  const nlohmann::json json = parity(contents(folder_ / "z.npy"), {"--json"}).json();
  EXPECT_EQ(json.at("first"), "output");
  EXPECT_NEAR(json.at("layers").at(0).at("difference"), 1, 1e-4);
  EXPECT_EQ(json.at("layers").at(0).at("ok"), false);
  EXPECT_EQ(json.at("unmatched").at(0), "dropout");
}

TEST_F(ParityCommand, BrokenTracesAreDataErrors) {
  EXPECT_EQ(parity("no array").code, 3);
  EXPECT_NE(parity("no array").err.find("t.npz: output.npy: not a .npy file"), std::string::npos);
  const Arguments trace{"parity", "--model", "lenet5", "--weights", folder_ / "w.pth", "--trace"};
  Arguments none = trace;
  none.push_back(folder_ / "none.npz");
  EXPECT_EQ(fovea(none).code, 3);
  const Outcome without = fovea({"parity", "--model", "lenet5", "--weights", folder_ / "w.pth"});
  EXPECT_EQ(without.code, 2);
  EXPECT_NE(without.err.find("--trace is missing"), std::string::npos) << without.err;
}

TEST(Models, PretrainedListsThePublishedWeights) {
  const nlohmann::json list = fovea({"models", "resnet50", "--pretrained", "--json"}).json();
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[1].at("file"), "resnet50-11ad3fa6.pth");
  EXPECT_EQ(list[1].at("resize"), 232);
  EXPECT_EQ(list[0].at("mean").at(2), 0.406);
  EXPECT_NE(fovea({"models", "lenet5", "--pretrained"}).out.find("no published weights are known"),
            std::string::npos);
}

}  // namespace
}  // namespace fovea::cli_test
