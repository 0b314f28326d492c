// What it costs to start the program: CPU time, which other processes hardly change.

#include <gtest/gtest.h>

#include <algorithm>

#include "fovea/formats/npy.h"
#include "fovea/formats/safetensors.h"
#include "fovea/models/registry.h"
#include "fovea/nn.h"
#include "program.h"
#include "temporary_folder.h"

#if defined(NDEBUG) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

namespace fovea::cli_test {
namespace {

/// The fewest of a few runs, since disturbances only add.
double cpu_seconds(const Arguments& arguments) {
  double fewest = 1e9;
  for (int i = 0; i < 5; ++i) {
    const Outcome outcome = fovea(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    fewest = std::min(fewest, outcome.cpu_seconds);
  }
  return fewest;
}

TEST(Start, OfTheProgramTakesMilliseconds) {
  EXPECT_LT(cpu_seconds({"--version"}), 0.04);  // 0.01
  EXPECT_LT(cpu_seconds({"train", "--help"}), 0.06);
}

TEST(Start, OfResNet50UntilItsFirstPredictionTakesTenthsOfASecond) {
  const TemporaryFolder folder;
  const auto model = models::make("resnet50");
  State state;
  nn::declare(state, *model, 1);
  SafeTensors file;
  for (const Role role : {Role::parameter, Role::buffer}) {
    for (const std::string& name : state.names(role))
      file.tensors.emplace_back(name,
                                Array::full(state.type(name).dtype, state.type(name).shape, 0.01));
  }
  write_safetensors(folder / "weights.safetensors", file);
  write_npy(folder / "x.npy", Array::full(DType::f32, {1, 3, 224, 224}, 0.5));
  const double all = cpu_seconds({"predict", "--model", "resnet50", "--weights",
                                  folder / "weights.safetensors", "--input", folder / "x.npy"});
  // Reading 98 MB takes about 0.1 of these.
  EXPECT_LT(all, 1.2);  // 0.35, and on a busy machine 0.7
}

}  // namespace
}  // namespace fovea::cli_test

#endif
