// What it costs to have and to start the program: CPU time, which other processes hardly change.

#include <gtest/gtest.h>

#include "cpu_time.h"
#include "fovea/formats/npy.h"
#include "fovea/formats/safetensors.h"
#include "fovea/models/registry.h"
#include "fovea/nn.h"
#include "program.h"
#include "temporary_folder.h"

#if defined(NDEBUG) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

namespace fovea::cli_test {
namespace {

double cpu_seconds_of(const Arguments& arguments) {
  const Outcome outcome = fovea(arguments);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return outcome.cpu_seconds;
}

TEST(Start, OfTheProgramTakesMilliseconds) {
  EXPECT_TRUE(takes_less_than(0.04, [] { return cpu_seconds_of({"--version"}); }));  // 0.01
  EXPECT_TRUE(takes_less_than(0.06, [] { return cpu_seconds_of({"train", "--help"}); }));
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
  // 0.35, and on a busy machine 0.7. Reading 98 MB takes about 0.1 of these.
  EXPECT_TRUE(takes_less_than(1.2, [&] {
    return cpu_seconds_of({"predict", "--model", "resnet50", "--weights",
                           folder / "weights.safetensors", "--input", folder / "x.npy"});
  }));
}

// Who ships it with a product, or downloads it, has 15 MB to carry, with the kernels of all
// instruction sets.
TEST(Start, TheProgramIsSmallerThan15Megabytes) {
  if (FOVEA_CONFIG != std::string("Release")) GTEST_SKIP() << "other builds have debug information";
  EXPECT_LT(std::filesystem::file_size(FOVEA_PROGRAM), 15'000'000u);
}

}  // namespace
}  // namespace fovea::cli_test

#endif
